//! Digests as hexadecimal, keys and signatures as base64: the forms that they have in JSON.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Hexadecimal, lower case.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The 32 bytes that are written so; `None`: it is something else.
pub fn of_hex(text: &str) -> Option<[u8; 32]> {
    let digits = text.as_bytes();
    if digits.len() != 64 || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}

/// Base64 (RFC 4648, padded).
pub fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// So many bytes that are written so; `None`: it is something else.
pub fn of_base64<const N: usize>(text: &str) -> Option<[u8; N]> {
    STANDARD.decode(text).ok()?.try_into().ok()
}

/// The bytes of a PEM document (RFC 7468), if it is one.
pub fn of_pem(text: &str) -> Option<Vec<u8>> {
    let mut lines = text.lines().map(str::trim).skip_while(|line| !line.starts_with("-----BEGIN"));
    lines.next()?;
    let body: String = lines.take_while(|line| !line.starts_with("-----")).collect();
    STANDARD.decode(body).ok()
}

/// For serde: 32 bytes as hexadecimal.
pub mod digest {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub fn serialize<S: Serializer>(bytes: &[u8; 32], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&super::hex(bytes))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[u8; 32], D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        super::of_hex(&text).ok_or_else(|| D::Error::custom("64 hexadecimal digits are needed"))
    }
}

/// For serde: so many bytes as base64.
pub mod bytes {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub fn serialize<S: Serializer, const N: usize>(bytes: &[u8; N], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&super::base64(bytes))
    }

    pub fn deserialize<'de, D: Deserializer<'de>, const N: usize>(deserializer: D) -> Result<[u8; N], D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        super::of_base64(&text).ok_or_else(|| D::Error::custom(format!("{N} bytes in base64 are needed")))
    }
}
