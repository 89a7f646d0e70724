//! Who signs closed segments.

use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// Signs with a key that is kept elsewhere (Ed25519).
pub trait Signer: Send {
    /// The signature of these bytes.
    fn sign(&self, message: &[u8]) -> [u8; 64];

    /// The key that it can be verified by.
    fn public(&self) -> [u8; 32];
}

/// The key of a store (`key.ed25519`, PKCS#8), made when there is none.
pub fn open(directory: &Path) -> io::Result<Box<dyn Signer>> {
    let path = directory.join("key.ed25519");
    let unusable =
        |what: &str| io::Error::other(format!("{} {what}: remove it, and weir makes another", path.display()));
    let document = match std::fs::read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let made = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new());
            let made = made.map_err(|_| io::Error::other("the system gives no random bytes for a key"))?;
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
            file.write_all(made.as_ref())?;
            file.sync_all()?;
            made.as_ref().to_vec()
        }
        document => document?,
    };
    let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&document).map_err(|_| unusable("is no key of Ed25519"))?;
    let key = Key(pair);
    let text = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, key.public());
    std::fs::write(directory.join("key.pub"), text + "\n")?;
    Ok(Box::new(key))
}

struct Key(Ed25519KeyPair);

impl Signer for Key {
    fn sign(&self, message: &[u8]) -> [u8; 64] {
        // An Ed25519 signature has 64 bytes (RFC 8032, 5.1.6).
        self.0.sign(message).as_ref().first_chunk().copied().unwrap_or([0; 64])
    }

    fn public(&self) -> [u8; 32] {
        self.0.public_key().as_ref().first_chunk().copied().unwrap_or([0; 32])
    }
}
