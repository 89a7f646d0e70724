//! The key that signs evidence, and the public key that checks it.
//!
//! The private key is one file, PKCS#8, which its owner alone can read; it is made at the first start, or given. The public key is
//! beside it (`key.pub`, base64, one line): take a copy of it away from the machine, for what is checked with the copy that is there
//! is checked with what whoever has the machine put there.

use super::super::store::signer::Signer;
use super::encoding::{base64, hex, of_base64, of_pem};
use ring::rand::SystemRandom;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use rustix::fs::OFlags;
use rustix::process::geteuid;
use sha2::{Digest as _, Sha256};
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// The private key's file in a store.
pub const PRIVATE: &str = "key.ed25519";
/// The public key's.
pub const PUBLIC: &str = "key.pub";
/// Most bytes of a key's file; a PKCS#8 document of Ed25519 has 85.
const FILE_MAX: u64 = 4_096;
/// What an Ed25519 public key is after, in a SubjectPublicKeyInfo (RFC 8410, section 4).
const SPKI: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read or written.
    #[error("the key {} cannot be used: {source}", .file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// Others can read the private key, or it is somebody else's.
    #[error("the key {} {reason}: whoever knows it can forge evidence; make a new one, or `chown` and `chmod 600` this one if nobody read it", .file.display())]
    Exposed {
        /// The file.
        file: PathBuf,
        /// In what way.
        reason: String,
    },
    /// It is not what it should be.
    #[error("{} is no Ed25519 {what}: give {mend}", .file.display())]
    Malformed {
        /// The file.
        file: PathBuf,
        /// What it should be.
        what: &'static str,
        /// What would be one.
        mend: &'static str,
    },
    /// Private and public key are not of one pair.
    #[error("{} is not the public part of the key beside it: one of them was replaced; if you did it, remove this file", .file.display())]
    NotAPair {
        /// The public key's file.
        file: PathBuf,
    },
}

/// A private key.
pub struct Key {
    pair: Ed25519KeyPair,
}

impl Key {
    /// The key of the store in `directory`; it is made if there is none.
    ///
    /// # Errors
    /// See [`KeyError`].
    pub fn load_or_create(directory: &Path) -> Result<Key, KeyError> {
        let file = directory.join(PRIVATE);
        let key = match Key::open(&file) {
            Err(KeyError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Key::create(&file)?,
            other => other?,
        };
        let public = directory.join(PUBLIC);
        match PublicKey::open(&public) {
            Ok(known) if known == key.public_key() => Ok(key),
            Ok(_) => Err(KeyError::NotAPair { file: public }),
            Err(KeyError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                let line = format!("{}\n", key.public_key());
                write(&public, line.as_bytes(), 0o644).map_err(|source| KeyError::Io { file: public, source })?;
                Ok(key)
            }
            Err(error) => Err(error),
        }
    }

    /// The key in this file: PKCS#8, as DER or PEM.
    ///
    /// # Errors
    /// See [`KeyError`].
    pub fn open(file: &Path) -> Result<Key, KeyError> {
        let io = |source| KeyError::Io { file: file.to_owned(), source };
        let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
        let opened = OpenOptions::new().read(true).custom_flags(flags).open(file).map_err(io)?;
        // Of what was opened, so that nobody can put another file in its place in between.
        let data = opened.metadata().map_err(io)?;
        let exposed = |reason| KeyError::Exposed { file: file.to_owned(), reason };
        if data.uid() != geteuid().as_raw() {
            return Err(exposed(format!("belongs to user {}", data.uid())));
        }
        if data.mode() & 0o077 != 0 {
            return Err(exposed(format!("can be used by others (mode {:04o})", data.mode() & 0o7777)));
        }
        let bytes = read(opened).map_err(io)?;
        let der = std::str::from_utf8(&bytes).ok().and_then(of_pem).unwrap_or(bytes);
        // What `openssl genpkey` writes has no public key in it to be checked against.
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der).map_err(|_| KeyError::Malformed {
            file: file.to_owned(),
            what: "key",
            mend: "a PKCS#8 file, as `openssl genpkey -algorithm ed25519` writes",
        })?;
        Ok(Key { pair })
    }

    fn create(file: &Path) -> Result<Key, KeyError> {
        let io = |source| KeyError::Io { file: file.to_owned(), source };
        let none = |_| io(io::Error::other("the kernel gave no random bytes"));
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(none)?;
        let pair =
            Ed25519KeyPair::from_pkcs8(document.as_ref()).map_err(|error| io(io::Error::other(error.to_string())))?;
        write(file, document.as_ref(), 0o600).map_err(io)?;
        Ok(Key { pair })
    }

    /// What checks its signatures.
    pub fn public_key(&self) -> PublicKey {
        PublicKey(self.public())
    }
}

impl Signer for Key {
    fn sign(&self, message: &[u8]) -> [u8; 64] {
        let mut signature = [0; 64];
        // A signature of Ed25519 has 64 bytes (RFC 8032, 5.1.6).
        signature.iter_mut().zip(self.pair.sign(message).as_ref()).for_each(|(to, from)| *to = *from);
        signature
    }

    fn public(&self) -> [u8; 32] {
        let mut public = [0; 32];
        public.iter_mut().zip(self.pair.public_key().as_ref()).for_each(|(to, from)| *to = *from);
        public
    }
}

/// Nothing of the key is shown.
impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "Key({})", self.public_key().fingerprint())
    }
}

/// A public key. Shown as base64, as it is in `key.pub`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PublicKey(pub [u8; 32]);

impl PublicKey {
    /// The key in this file: base64 of its 32 bytes, or PEM.
    ///
    /// # Errors
    /// It cannot be read, or is none.
    pub fn open(file: &Path) -> Result<PublicKey, KeyError> {
        let bytes = File::open(file).and_then(read).map_err(|source| KeyError::Io { file: file.to_owned(), source })?;
        std::str::from_utf8(&bytes).ok().and_then(PublicKey::parse).ok_or_else(|| KeyError::Malformed {
            file: file.to_owned(),
            what: "public key",
            mend: "the store's key.pub, or what `weir evidence key` shows",
        })
    }

    fn parse(text: &str) -> Option<PublicKey> {
        let spki = || of_pem(text)?.strip_prefix(&SPKI)?.try_into().ok();
        of_base64(text.trim()).or_else(spki).map(PublicKey)
    }

    /// Whether this key signed `message` so.
    pub fn signed(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        UnparsedPublicKey::new(&ED25519, self.0).verify(message, signature).is_ok()
    }

    /// What people compare: SHA-256 of the 32 bytes, as `base64 -d key.pub | sha256sum` shows.
    pub fn fingerprint(&self) -> String {
        format!("SHA256:{}", hex(&Sha256::digest(self.0)))
    }

    /// As openssl takes it.
    pub fn pem(&self) -> String {
        let der = [&SPKI[..], &self.0].concat();
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", base64(&der))
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&base64(&self.0))
    }
}

fn read(file: File) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(FILE_MAX).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Writes the file as a whole or not at all: beside it, synced, and renamed.
pub(super) fn write(file: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let mut name = file.as_os_str().to_owned();
    name.push(".new");
    let new = PathBuf::from(name);
    // What a crash left.
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut out = OpenOptions::new().write(true).create_new(true).mode(mode).open(&new)?;
    out.write_all(bytes)?;
    out.sync_all()?;
    fs::rename(&new, file)?;
    match file.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        Some(parent) => File::open(parent)?.sync_all(),
        None => Ok(()),
    }
}
