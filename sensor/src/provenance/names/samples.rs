//! ClientHellos and packets that carry them, as clients make them: for tests, benches and fuzzing.

use super::initial::{Keys, version};
use ring::aead::Aad;

/// Version 2 of QUIC.
pub const QUIC_2: u32 = 0x6b33_43cf;

/// A ClientHello of TLS 1.3 as a handshake message, for `name`, with `padding` bytes in the extension for them.
pub fn client_hello(name: &str, padding: usize) -> Vec<u8> {
    let extension = |kind: u16, content: &[u8]| [&kind.to_be_bytes(), &length(content)[..], content].concat();
    let host = [&[0][..], &length(name.as_bytes()), name.as_bytes()].concat();
    let extensions = [
        // One that has to be passed over, as browsers send it (RFC 8701).
        extension(0x4a4a, &[]),
        extension(0, &[&length(&host)[..], &host].concat()),
        extension(43, &[2, 3, 4]),
        extension(21, &vec![0; padding]),
    ]
    .concat();
    let body = [
        &[3, 3][..],
        &[0x5a; 32],
        &[0],
        // Two suites, no compression.
        &[0, 4, 0x13, 1, 0x13, 2],
        &[1, 0],
        &length(&extensions),
        &extensions,
    ]
    .concat();
    [&[1, 0][..], &length(&body), &body].concat()
}

/// A handshake message in TLS records of at most `size` bytes.
pub fn records(message: &[u8], size: usize) -> Vec<u8> {
    message.chunks(size).flat_map(|part| [&[22, 3, 1][..], &length(part), part].concat()).collect()
}

/// A CRYPTO frame.
pub fn crypto(at: u16, bytes: &[u8]) -> Vec<u8> {
    let number = |value: u16| (value | 0x4000).to_be_bytes();
    [&[6][..], &number(at), &number(u16::try_from(bytes.len()).unwrap_or(u16::MAX)), bytes].concat()
}

/// An Initial packet with these frames, of a client that calls the server `id`, padded to 1200 bytes and protected with the keys of
/// `of` (RFC 9001, section 5; appendix A.2).
pub fn initial(quic: u32, id: &[u8], of: &[u8], number: u32, frames: &[u8]) -> Option<Vec<u8>> {
    let version = version(quic)?;
    let id = [&[u8::try_from(id.len()).ok()?][..], id].concat();
    let rest = 1200usize.saturating_sub(5 + id.len() + 1 + 1 + 2 + 4 + 16).max(frames.len());
    let mut payload = frames.to_vec();
    payload.resize(rest, 0);
    let size = u16::try_from(4 + rest + 16).ok()? | 0x4000;
    let first = 0xc0 | version.initial << 4 | 3;
    let start = [&[first][..], &quic.to_be_bytes(), &id, &[0, 0], &size.to_be_bytes()].concat();
    let mut header = [&start[..], &number.to_be_bytes()].concat();
    let keys = Keys::new(version, of)?;
    keys.packet.seal_in_place_append_tag(keys.nonce(number), Aad::from(&header), &mut payload).ok()?;
    let [mask, masks @ ..] = keys.header.new_mask(payload.get(..16)?).ok()?;
    *header.first_mut()? ^= mask & 0x0f;
    header.get_mut(start.len()..)?.iter_mut().zip(masks).for_each(|(byte, mask)| *byte ^= mask);
    Some([header, payload].concat())
}

fn length(bytes: &[u8]) -> [u8; 2] {
    u16::try_from(bytes.len()).unwrap_or(u16::MAX).to_be_bytes()
}
