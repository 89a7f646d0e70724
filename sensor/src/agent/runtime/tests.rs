//! References to images, sockets, and who is asked again. What runtimes answer is in tests/tests/identity.

use super::identity::{Image, labels};
use super::sockets::{Section, Sockets};
use super::wanted::{WANTED_MAX, Wanted};
use crate::event::Identity;
use std::path::{Path, PathBuf};
use std::time::Duration;

const DIGEST: &str = "sha256:34dc0b5e626f2c5c4c5170e34b10e7654ce36f0fcd532739f4445baabea03376";

/// Name, tags, id and digests of an image that these references are to.
fn image(references: &[&str], id: &str) -> (Option<String>, String, Option<String>, String) {
    let (mut image, mut identity) = (Image::default(), Identity::default());
    for reference in references {
        image.reference(reference);
    }
    image.id(id);
    image.tell(&mut identity);
    let text = |text: Option<Box<str>>| text.map(String::from);
    (text(identity.image), identity.image_tags.join(" "), text(identity.image_id), identity.image_digests.join(" "))
}

#[test]
fn an_image_is_put_together_from_what_runtimes_call_it() {
    let some = |text: &str| Some(text.to_owned());
    // containerd: the status has name and tag, the list what the kubelet asked for.
    let own = image(&["docker.io/library/vllm:v1", DIGEST, "", &format!("docker.io/library/vllm@{DIGEST}")], "");
    let digest = format!("docker.io/library/vllm@{DIGEST}");
    assert_eq!(own, (some("docker.io/library/vllm"), "v1".into(), some(DIGEST), digest));
    // CRI-O: the id has no algorithm.
    let bare = DIGEST.trim_start_matches("sha256:");
    assert_eq!(image(&["quay.io:5000/x/vllm:v2"], bare).2.as_deref(), Some(bare));
    assert_eq!(image(&["quay.io:5000/x/vllm:v2"], bare).0.as_deref(), Some("quay.io:5000/x/vllm"));
    // A reference for an id.
    let own = image(&[], &format!("vllm:v3@{DIGEST}"));
    assert_eq!(own, (some("vllm"), "v3".into(), None, format!("vllm@{DIGEST}")));
    // The same twice, and nothing.
    assert_eq!(image(&["a:1", "a:1", "a:2"], "").1, "1 2");
    assert_eq!(image(&["", ""], ""), (None, String::new(), None, String::new()));
    // No end of tags, and no end of a name.
    let many: Vec<String> = (0..100).map(|number| format!("a:{number}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(image(&many, "").1.split(' ').count(), 16);
    assert!(image(&[&"\u{e4}".repeat(100_000)], "").0.is_some_and(|name| name.len() <= 1024));
}

#[test]
fn labels_of_the_kubelet_are_told_by_their_own_names() {
    let all = [("b", "2"), ("io.kubernetes.pod.name", "x"), ("a", "1"), ("io.cri-containerd.kind", "container")];
    let all = all.map(|(key, value)| (key.to_owned(), value.to_owned()));
    let kept: Vec<String> = labels(all.into()).iter().map(|(key, value)| format!("{key}={value}")).collect();
    assert_eq!(kept, ["a=1", "b=2"]);
}

#[test]
fn sockets_are_those_of_the_command_line_then_the_files_then_the_known() {
    let path = |path: &str| PathBuf::from(path);
    let file = |text: &str| yaml_serde::from_str::<Section>(text).expect("a section");
    let given = |paths: &[&str]| Sockets::Given(paths.iter().map(PathBuf::from).collect());
    assert_eq!(Sockets::named(&[path("/a")]).or(&file("/b")), given(&["/a"]));
    assert_eq!(Sockets::named(&[]).or(&file("/b")), given(&["/b"]));
    assert_eq!(Sockets::named(&[]).or(&file("[/b, /c]")), given(&["/b", "/c"]));
    assert_eq!(Sockets::named(&[]).or(&file("none")), given(&[]));
    assert_eq!(Sockets::named(&[]).or(&file("[]")), given(&[]));
    assert_eq!(Sockets::named(&[path("none")]).or(&file("/b")), given(&[]));
    assert!(yaml_serde::from_str::<Section>("{a: 1}").is_err());
    let (paths, named) = Sockets::named(&[]).or(&Section::Unsaid).paths();
    assert!(!named && paths.iter().any(|path| path == Path::new("/run/containerd/containerd.sock")));
    assert!(paths.iter().any(|path| path == Path::new("/host/run/crio/crio.sock")), "{paths:?}");
    assert_eq!(given(&["/a"]).paths(), (vec![path("/a")], true));
}

#[tokio::test(start_paused = true)]
async fn what_a_runtime_does_not_know_yet_is_asked_for_again_and_then_given_up() {
    let mut wanted = Wanted::default();
    assert!(wanted.want("a".into()) && wanted.want("a".into()));
    let begun = tokio::time::Instant::now();
    let mut asked = Vec::new();
    while let Some(due) = wanted.next_due() {
        tokio::time::sleep_until(due).await;
        let (id, times) = wanted.take().expect("it is due");
        asked.push(begun.elapsed().as_millis());
        assert_eq!(wanted.again(id, times), asked.len() < 7);
    }
    assert_eq!(asked, [0, 5, 25, 125, 625, 2_625, 10_625]);
    // Given up, it can be wanted again; answered, it is wanted no more.
    assert!(wanted.want("a".into()));
    let (id, times) = wanted.take().expect("at once");
    wanted.put_back(id, times);
    assert_eq!(wanted.take(), Some(("a".into(), 0)));
    wanted.done("a");
    assert_eq!(wanted.next_due(), None);
    for number in 0..WANTED_MAX {
        assert!(wanted.want(number.to_string().into()));
    }
    assert!(!wanted.want("one more".into()) && wanted.want("7".into()));
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(std::iter::from_fn(|| wanted.take()).count(), WANTED_MAX);
}
