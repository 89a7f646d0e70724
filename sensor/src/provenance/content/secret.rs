//! Keys and tokens that say what they are.
//!
//! A file must *be* the key, not mention one: documentation and source code have the same words in them, but begin otherwise.

use super::bytes::{contains, find};
use super::{Format, Found, Sample};

const BEGIN: &[u8] = b"-----BEGIN ";

pub(super) fn by_text(sample: &Sample<'_>) -> Option<Found> {
    let text = sample.head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(sample.head).trim_ascii_start();
    let format = match text.first()? {
        b'{' => service_account(text),
        b'e' => jwt(sample, text),
        _ => None,
    };
    format
        .or_else(|| pem(text))
        .or_else(|| putty(text))
        .or_else(|| age(text))
        .or_else(|| kubeconfig(text))
        .map(Found::certain)
}

/// Blocks between `BEGIN` and `END`, one of them a private key with something in it. openssl writes attributes or the
/// certificate's text in front.
fn pem(text: &[u8]) -> Option<Format> {
    let fronts = [BEGIN, b"Bag Attributes", b"Key Attributes", b"Certificate:", b"Private-Key:", b"RSA Private-Key:"];
    if !fronts.into_iter().any(|front| text.starts_with(front)) {
        return None;
    }
    let mut rest = text;
    while let Some(at) = find(rest, BEGIN) {
        let before = at.checked_sub(1).and_then(|at| rest.get(at));
        rest = rest.get(at + BEGIN.len()..)?;
        let label = rest.get(..find(rest, b"-----")?)?;
        let body = rest.get(label.len() + 5..)?.trim_ascii_start();
        let is_label = before.is_none_or(|byte| *byte == b'\n') && label.len() <= 64;
        let is_key = label.ends_with(b"PRIVATE KEY") || label == b"PGP PRIVATE KEY BLOCK";
        if is_label && is_key && has_key(body) {
            return Some(if label == b"OPENSSH PRIVATE KEY" {
                Format::OpensshPrivateKey
            } else {
                Format::PemPrivateKey
            });
        }
    }
    None
}

/// Whether base64 follows, or the headers that say how it is encrypted.
fn has_key(body: &[u8]) -> bool {
    let headers = [&b"Proc-Type:"[..], b"Version:", b"Comment:", b"DEK-Info:"];
    let is_base64 = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=');
    headers.into_iter().any(|header| body.starts_with(header))
        || body.iter().take_while(|byte| is_base64(byte)).count() >= 16
}

fn putty(text: &[u8]) -> Option<Format> {
    let version = text.strip_prefix(b"PuTTY-User-Key-File-")?;
    matches!(version, [b'1'..=b'9', b':', ..]).then_some(Format::PuttyPrivateKey)
}

/// Identities, a line each, with comments.
fn age(text: &[u8]) -> Option<Format> {
    let mut lines = text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let first = lines.find(|line| !line.is_empty() && !line.starts_with(b"#"))?;
    let key = first.strip_prefix(b"AGE-SECRET-KEY-1").or_else(|| first.strip_prefix(b"AGE-PLUGIN-"))?;
    (key.len() >= 16 && key.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')).then_some(Format::AgeKey)
}

fn service_account(text: &[u8]) -> Option<Format> {
    let words = [&b"\"service_account\""[..], b"\"private_key\"", b"-----BEGIN PRIVATE KEY-----", b"\"type\""];
    words.into_iter().all(|word| contains(text, word)).then_some(Format::ServiceAccountKey)
}

/// YAML with clusters and contexts, at the margin. What is on top depends on who wrote it.
fn kubeconfig(text: &[u8]) -> Option<Format> {
    const KEYS: [&[u8]; 4] = [b"apiVersion:", b"clusters:", b"kind:", b"contexts:"];
    // Most files end here.
    if !contains(text, b"clusters:") || !contains(text, b"apiVersion:") {
        return None;
    }
    let (mut found, mut config) = ([false; KEYS.len()], false);
    for line in text.split(|byte| *byte == b'\n') {
        for (key, found) in KEYS.into_iter().zip(&mut found) {
            *found |= line.starts_with(key);
        }
        config |= line.trim_ascii_end().strip_prefix(b"kind:").is_some_and(|kind| kind.trim_ascii() == b"Config");
    }
    // Certificates in it can be long: `kind` and `contexts` may come after the head, but not both be another's.
    let [version, clusters, kind, contexts] = found;
    (version && clusters && (config || !kind) && (config || contexts || contains(text, b"certificate-authority-data:")))
        .then_some(Format::Kubeconfig)
}

/// Three parts of base64 with dots between, the first a JSON object; nothing else is in the file.
fn jwt(sample: &Sample<'_>, text: &[u8]) -> Option<Format> {
    let token = text.trim_ascii_end();
    if !token.starts_with(b"eyJ") || sample.size > sample.head.len() as u64 {
        return None;
    }
    let is_base64 = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let mut parts = 0;
    for part in token.split(|byte| *byte == b'.') {
        parts += 1;
        if part.len() < 16 || !part.iter().all(is_base64) {
            return None;
        }
    }
    (parts == 3).then_some(Format::Jwt)
}
