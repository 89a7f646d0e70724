//! `weir evidence`: the key, and what is no evidence.

use super::weir::run;
use std::error::Error;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use tests::scene::Directory;

type Outcome = Result<(), Box<dyn Error>>;

#[test]
fn a_key_is_made_when_it_is_asked_for_and_shown_after() -> Outcome {
    let directory = Directory::new()?;
    let place = directory.path().to_str().ok_or("a path")?;
    let none = run(&["evidence", "key", place])?;
    assert_eq!((none.status, none.out.as_str()), (Some(1), ""));
    assert!(none.err.contains("has no key.pub") && none.err.contains("--make"), "{}", none.err);
    let made = run(&["evidence", "key", "--make", place])?;
    made.is_quiet();
    let lines: Vec<&str> = made.out.lines().collect();
    assert!(
        matches!(lines[..], [key, fingerprint] if key.len() == 44 && fingerprint.starts_with("SHA256:")),
        "{}",
        made.out
    );
    let shown = run(&["evidence", "key", place])?;
    shown.is_quiet();
    assert_eq!(shown.out, made.out);
    let pem = run(&["evidence", "key", "--pem", place])?;
    pem.is_quiet();
    assert!(pem.out.starts_with("-----BEGIN PUBLIC KEY-----\n"), "{}", pem.out);
    let private = directory.path().join("key.ed25519");
    fs::set_permissions(&private, fs::Permissions::from_mode(0o644))?;
    let refused = run(&["evidence", "key", "--make", place])?;
    assert!(refused.status == Some(1) && refused.err.contains("can be used by others (mode 0644)"), "{}", refused.err);
    Ok(())
}

#[test]
fn what_is_no_evidence_is_said_to_be_none() -> Outcome {
    let directory = Directory::new()?;
    let place = directory.path().to_str().ok_or("a path")?;
    let file = format!("{place}/file");
    fs::write(&file, "text")?;
    for place in [place, &file] {
        let said = run(&["evidence", "verify", place])?;
        assert_eq!((said.status, said.out.as_str()), (Some(1), ""));
        assert!(said.err.contains("is no store of evidence, no segment of one and no archive"), "{}", said.err);
    }
    let said = run(&["evidence", "verify", place, "--key", &file])?;
    assert!(said.status == Some(1) && said.err.contains("is no Ed25519 public key"), "{}", said.err);
    Ok(())
}
