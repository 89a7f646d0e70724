use super::*;

fn words(line: &str) -> Vec<OsString> {
    line.split(' ').map(OsString::from).collect()
}

#[test]
fn the_hash_of_a_crate_depends_on_its_name_and_version_only() {
    let of = |hash: &str, version: &str| {
        let line = format!("--crate-name core --target {TARGET} -C metadata={hash} -C extra-filename=-{hash}");
        settled(words(&line), version)
    };
    let settled = of("aaaa", "1.0.0");
    assert_eq!(settled[5], of("bbbb", "1.0.0")[5]);
    assert_ne!(settled[5], of("aaaa", "1.0.1")[5]);
    assert_ne!(settled[5], OsString::from("metadata=aaaa"));
    assert_eq!(settled[7], OsString::from("extra-filename=-aaaa"));
}

#[test]
fn crates_for_the_host_are_left_alone() {
    let line = words("--crate-name syn --target x86_64-unknown-linux-gnu -C metadata=aaaa");
    assert_eq!(settled(line.clone(), "2.0.0"), line);
    let line = words("--crate-name syn -C metadata=aaaa");
    assert_eq!(settled(line.clone(), "2.0.0"), line);
}
