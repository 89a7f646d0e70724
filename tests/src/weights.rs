//! Files that look like models: small, well-formed, and the same bytes for the same seed.

use crate::Context;
use serde_json::json;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

/// Writes a safetensors file of about `mebibytes` MiB: a valid header, then F32 noise. Its size in bytes.
///
/// Format: 8 bytes little-endian length of the header, the header (JSON, padded with spaces to a multiple of 8), the tensors.
pub fn safetensors(path: &Path, mebibytes: u64, seed: u64) -> io::Result<u64> {
    write(path, |out| safetensors_into(out, mebibytes, seed))
}

/// The same, to anywhere.
pub fn safetensors_into(out: &mut impl Write, mebibytes: u64, seed: u64) -> io::Result<()> {
    let bytes = (mebibytes << 20) / 4;
    let mut header = json!({ "__metadata__": { "format": "pt" } });
    let mut offset = 0;
    for name in [
        "model.embed_tokens.weight",
        "model.layers.0.mlp.up_proj.weight",
        "model.layers.0.mlp.down_proj.weight",
        "lm_head.weight",
    ] {
        header[name] = json!({ "dtype": "F32", "shape": [bytes / 4], "data_offsets": [offset, offset + bytes] });
        offset += bytes;
    }
    let mut header = header.to_string();
    header.extend(std::iter::repeat_n(' ', header.len().next_multiple_of(8) - header.len()));
    out.write_all(&(header.len() as u64).to_le_bytes())?;
    out.write_all(header.as_bytes())?;
    noise(out, offset, seed)
}

/// Writes a GGUF file (version 3) of about `mebibytes` MiB: one key, one F32 tensor of noise. Its size in bytes.
pub fn gguf(path: &Path, mebibytes: u64, seed: u64) -> io::Result<u64> {
    const STRING: u32 = 8;
    const F32: u32 = 0;
    const ALIGNMENT: usize = 32;
    let values = (mebibytes << 20) / 4;
    let mut header = b"GGUF".to_vec();
    header.extend(3u32.to_le_bytes());
    header.extend(1u64.to_le_bytes()); // tensors
    header.extend(1u64.to_le_bytes()); // keys
    let string = |header: &mut Vec<u8>, text: &str| {
        header.extend((text.len() as u64).to_le_bytes());
        header.extend(text.as_bytes());
    };
    string(&mut header, "general.architecture");
    header.extend(STRING.to_le_bytes());
    string(&mut header, "llama");
    string(&mut header, "token_embd.weight");
    header.extend(1u32.to_le_bytes()); // dimensions
    header.extend(values.to_le_bytes());
    header.extend(F32.to_le_bytes());
    header.extend(0u64.to_le_bytes()); // offset in the data
    header.resize(header.len().next_multiple_of(ALIGNMENT), 0);
    write(path, |out| {
        out.write_all(&header)?;
        noise(out, values * 4, seed)
    })
}

fn write(path: &Path, content: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) -> io::Result<u64> {
    let mut out = BufWriter::new(File::create(path).context(|| path.display().to_string())?);
    content(&mut out).and_then(|()| out.flush()).context(|| path.display().to_string())?;
    Ok(out.get_ref().metadata()?.len())
}

/// Noise that does not compress: splitmix64 (Steele, Lea and Flood, 2014).
fn noise(out: &mut impl Write, bytes: u64, seed: u64) -> io::Result<()> {
    let mut state = seed;
    let mut left = bytes;
    while left > 0 {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        let bytes = z.to_le_bytes();
        let part = bytes.get(..left.min(8) as usize).unwrap_or(&bytes);
        out.write_all(part)?;
        left -= part.len() as u64;
    }
    Ok(())
}
