//! The key: who may have it, and how it is written.

use super::super::super::store::signer::Signer as _;
use super::super::{Key, KeyError, PublicKey};
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::Path;

fn mode(file: &Path, mode: u32) {
    fs::set_permissions(file, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn it_is_made_once_and_is_the_same_after() {
    let directory = tempfile::tempdir().unwrap();
    let made = Key::load_or_create(directory.path()).unwrap();
    let private = directory.path().join("key.ed25519");
    assert_eq!(private.metadata().unwrap().mode() & 0o7777, 0o600);
    let known = PublicKey::open(&directory.path().join("key.pub")).unwrap();
    let signature = Key::load_or_create(directory.path()).unwrap().sign(b"this");
    assert_eq!(known, made.public_key());
    assert!(known.signed(b"this", &signature) && !known.signed(b"that", &signature));
    assert!(!format!("{made:?}").contains(&format!("{:?}", fs::read(&private).unwrap())));
    // What a crash left is no hindrance, and a lost public key is written again.
    fs::remove_file(directory.path().join("key.pub")).unwrap();
    fs::write(directory.path().join("key.pub.new"), "half").unwrap();
    Key::load_or_create(directory.path()).unwrap();
    assert_eq!(PublicKey::open(&directory.path().join("key.pub")).unwrap(), known);
}

#[test]
fn one_that_others_can_read_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    Key::load_or_create(directory.path()).unwrap();
    let private = directory.path().join("key.ed25519");
    for (open, said) in [(0o640, "0640"), (0o604, "0604"), (0o620, "0620")] {
        mode(&private, open);
        let error = Key::load_or_create(directory.path()).unwrap_err();
        assert!(matches!(error, KeyError::Exposed { .. }) && error.to_string().contains(said), "{error}");
    }
    mode(&private, 0o600);
    assert!(Key::open(&private).is_ok());
    let link = directory.path().join("link");
    symlink(&private, &link).unwrap();
    assert!(matches!(Key::open(&link), Err(KeyError::Io { .. })), "a link can lead anywhere");
}

#[test]
fn one_of_somebody_else_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    Key::load_or_create(directory.path()).unwrap();
    let private = directory.path().join("key.ed25519");
    if let Err(error) = std::os::unix::fs::chown(&private, Some(12_345), None) {
        eprintln!("skipped: a file cannot be given away here ({error})");
        return;
    }
    let error = Key::open(&private).unwrap_err();
    assert!(error.to_string().contains("belongs to user 12345"), "{error}");
}

#[test]
fn a_public_key_of_another_pair_is_a_sign() {
    let [one, other] = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    Key::load_or_create(one.path()).unwrap();
    Key::load_or_create(other.path()).unwrap();
    fs::copy(other.path().join("key.ed25519"), one.path().join("key.ed25519")).unwrap();
    let error = Key::load_or_create(one.path()).unwrap_err();
    assert!(matches!(error, KeyError::NotAPair { .. }), "{error}");
}

/// A private key that `openssl genpkey -algorithm ed25519` wrote, and what `openssl pkey -pubout` said of it.
#[test]
fn keys_of_openssl_are_taken_and_given() {
    const PRIVATE: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g
-----END PRIVATE KEY-----
";
    const PUBLIC: &str = "-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=
-----END PUBLIC KEY-----
";
    let directory = tempfile::tempdir().unwrap();
    let [private, public] = ["private.pem", "public.pem"].map(|name| directory.path().join(name));
    fs::write(&private, PRIVATE).unwrap();
    mode(&private, 0o600);
    fs::write(&public, PUBLIC).unwrap();
    let key = Key::open(&private).unwrap();
    assert_eq!(PublicKey::open(&public).unwrap(), key.public_key());
    assert_eq!(key.public_key().pem(), PUBLIC);
    for nonsense in ["", "key", "-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n", PRIVATE] {
        fs::write(&public, nonsense).unwrap();
        assert!(matches!(PublicKey::open(&public), Err(KeyError::Malformed { .. })), "{nonsense}");
    }
    fs::write(&private, PUBLIC).unwrap();
    assert!(matches!(Key::open(&private), Err(KeyError::Malformed { .. })));
}
