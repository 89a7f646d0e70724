//! The shipped classes, the kernel's keys against the decision, and what is said of mistakes.

use crate::event::{Class, Classes, File, FileId};
use crate::kernel::Classification;
use crate::provenance::content::{Format, Found, Sample};
use crate::provenance::{ClassTable, ClassesError};
use proptest::prelude::*;
use sensor_common::classify::{DIRECTORY_DEPTH, NAMES, NameKey, SUFFIXES, SuffixKey};
use std::collections::BTreeSet;

const HASH: &str = "34dc0b5e626f2c5c4c5170e34b10e7654ce36f0fcd532739f4445baabea03376";
const MIB: u64 = 1 << 20;

fn embedded() -> ClassTable {
    ClassTable::load(None).expect("the built-in file is right")
}

fn file(path: &str, size: u64) -> File {
    File { id: Some(FileId { device: 1, inode: 2 }), path: path.into(), size, ..File::default() }
}

fn names(classes: Classes) -> Vec<&'static str> {
    classes.iter().map(Class::name).collect()
}

#[test]
fn the_shipped_classes() {
    let table = embedded();
    let weights = &["weights"][..];
    let (dataset, secret, startup, none) = (&["dataset"][..], &["secret"][..], &["startup_code"][..], &[][..]);
    for (path, size, expected) in [
        ("/models/llama/model-00001-of-00004.safetensors", 0, weights),
        ("/models/Llama.Q4_K_M.GGUF", 0, weights),
        ("model.onnx_data", 0, weights),
        ("memfd:model.safetensors", 0, weights),
        ("/models/llama/model.safetensors.index.json", 9 * MIB, none),
        ("/models/llama/config.json", 9 * MIB, none),
        ("/models/llama/tokenizer.model", 9 * MIB, none),
        ("/models/llama/pytorch_model-00001-of-00002.bin", 4096 * MIB, weights),
        ("/models/llama/pytorch_model.bin", 0, weights),
        ("/models/x/adapter_model-2.bin", 20 * MIB, weights),
        ("/lib/firmware/regulatory.bin", 9 * MIB, none),
        ("/opt/x/model.bin", 100, none),
        ("/opt/ml/model.pkl", 30 * MIB, weights),
        ("/usr/lib/python3/cache.pkl", 3000, none),
        ("/infra/prod.plan", 40_000, none),
        ("/models/1/variables/variables.data-00001-of-00003", 700 * MIB, weights),
        ("/models/1/saved_model.pb", 10, weights),
        ("/root/.cache/huggingface/hub/models--a--b/blobs/{HASH}", 4096 * MIB, weights),
        ("/root/.cache/huggingface/hub/models--a--b/blobs/{HASH}.1f2e.incomplete", 4096 * MIB, weights),
        ("/root/.cache/huggingface/hub/models--a--b/blobs/{HASH}", 700, none),
        ("/root/.cache/huggingface/hub/models--a--b/blobs/0f9de1d4b0c94f0f8ed3c6ed1d4ea5a2d1e4f5a6", 4096 * MIB, none),
        ("/root/.cache/huggingface/hub/datasets--a--b/blobs/{HASH}", 400 * MIB, dataset),
        ("/root/.ollama/models/blobs/sha256-{HASH}", 4096 * MIB, weights),
        ("/var/lib/registry/blobs/sha256/{HASH}", 4096 * MIB, none),
        ("/out/checkpoints/step-100/d/0f3a", 64 * MIB, weights),
        ("/out/checkpoints/step-100/trainer_state.json", 64 * MIB, none),
        ("/nb/.ipynb_checkpoints/big", 64 * MIB, none),
        ("/venv/lib/python3.11/site-packages/evil.pth", 34_628, startup),
        ("/usr/lib/python3/dist-packages/x.pth", 34_628, startup),
        ("/venv/lib/python3.11/site-packages/torch/x.pth", 34_628, weights),
        ("/models/yolo.pth", 9 * MIB, weights),
        ("/usr/lib/python3.11/sitecustomize.py", 155, startup),
        ("/data/train-00000.parquet", 10, dataset),
        ("/data/train.jsonl", 10, dataset),
        ("/var/log/app/requests.jsonl.gz", 10, none),
        ("/app/logs/requests.jsonl", 10, none),
        ("/run/secrets/kubernetes.io/serviceaccount/..2026_07_01_12_00_00.123/token", 1000, secret),
        ("/var/run/secrets/kubernetes.io/serviceaccount/token", 1000, secret),
        ("/run/secrets/kubernetes.io/serviceaccount/..2026_07_01_12_00_00.123/ca.crt", 1000, none),
        ("/run/secrets/db_password", 10, secret),
        ("/usr/lib/python3.11/secrets.py", 10, none),
        ("/home/u/.aws/credentials", 100, secret),
        ("/home/u/.aws/sso/cache/0f9d.json", 100, secret),
        ("/home/u/.aws/config", 100, none),
        ("/home/u/.config/gcloud/application_default_credentials.json", 100, secret),
        ("/root/.kube/config", 5000, secret),
        ("/app/.git/config", 5000, none),
        ("/root/.docker/config.json", 300, secret),
        ("/root/.cache/huggingface/token", 37, secret),
        ("/root/.netrc", 37, secret),
        ("/root/.ssh/id_ed25519", 400, secret),
        ("/root/.ssh/deploy_key", 400, secret),
        ("/root/.ssh/id_ed25519.pub", 100, none),
        ("/root/.ssh/known_hosts", 100, none),
        ("/etc/ssh/ssh_host_ed25519_key", 400, secret),
        ("/x/etc/ssh/ssh_host_ed25519_key", 400, none),
        ("/etc/passwd", 1000, none),
        ("/", 0, none),
        ("", 0, none),
    ] {
        let path = path.replace("{HASH}", HASH);
        assert_eq!(names(table.refine(&file(&path, size))), expected, "{path} of {size} bytes");
        let upper = file(&path.to_ascii_uppercase(), size);
        assert_eq!(names(table.refine(&upper)), expected, "{}", upper.path);
    }
}

#[test]
fn what_is_not_known_counts_as_what_it_could_be() {
    let table = embedded();
    let blob = format!("models--a--b/blobs/{HASH}");
    let unresolved = File { id: None, path: blob.as_str().into(), ..File::default() };
    assert_eq!(names(table.refine(&unresolved)), ["weights"], "its size is not known");
    let host_key = file("/ssh/ssh_host_ed25519_key", 400);
    assert_eq!(names(table.refine(&host_key)), Vec::<&str>::new());
    let cut = File { path: "x/etc/ssh/ssh_host_ed25519_key".into(), path_cut: true, ..host_key };
    assert_eq!(names(table.refine(&cut)), ["secret"], "the front of its path is not known");
}

#[test]
fn where_the_kernel_looked_across_a_mount_the_path_decides_as_far() {
    let table = embedded();
    let secret = Classes::default().with(Class::Secret);
    let far = format!("/run/secrets{}", "/x".repeat(DIRECTORY_DEPTH + 2));
    assert_eq!(table.refine(&file(&far, 10)), Classes::default(), "the kernel would not have sent it");
    let sent = File { classes: secret, ..file(&far, 10) };
    assert_eq!((table.refine(&sent), table.settle(&sent)), (secret, secret));
    let excepted = File { path: format!("{far}/ca.crt").into(), ..sent };
    assert_eq!(table.settle(&excepted), Classes::default(), "found by its directory, not by its inode");
}

#[test]
fn a_class_that_no_name_explains_comes_from_a_watched_inode_and_stays() {
    let table = embedded();
    let weights = Classes::default().with(Class::Weights);
    let renamed = File { classes: weights, ..file("/tmp/holiday.jpg", MIB) };
    assert_eq!(table.settle(&renamed), weights);
    let hook = File { classes: weights, ..file("/venv/site-packages/x.pth", MIB) };
    assert_eq!(names(table.settle(&hook)), ["startup_code"], "its suffix explains it");
    assert_eq!(names(table.settle(&file("/m/x.gguf", MIB))), ["weights"]);
}

#[test]
fn content_decides_whatever_the_name_and_the_size_only_where_it_is_likely() {
    let bytes = b"\x80\x04\x95\x05\0\0\0\0\0\0\0]\x94K\x01a.";
    let pickle = |size| Sample { size, ..Sample::of(bytes) };
    let table = |text: &str| ClassTable::parse(text, "f.yml").expect(text);
    let small = table("weights: {content: [Pickle], content_minimum_size: 100}\ndataset: {content: [pickle, gguf]}");
    let format = |found: Option<Found>| found.map(|found| found.format);
    for (size, expected) in [(99, &["dataset"][..]), (100, &["weights", "dataset"])] {
        let (found, classes) = small.by_content(&pickle(size));
        assert_eq!((format(found), &*names(classes)), (Some(Format::Pickle), expected), "{size} bytes");
    }
    let certain = small.by_content(&Sample::of(b"GGUF\x03\0\0\0"));
    assert_eq!((format(certain.0), &*names(certain.1)), (Some(Format::Gguf), &["dataset"][..]));
    let other = table("weights: {content: [pickle], minimum_size: 1000}");
    assert_eq!(names(other.by_content(&pickle(999)).1), Vec::<&str>::new(), "minimum_size where nothing else is said");
    assert_eq!(names(other.by_content(&pickle(1000)).1), ["weights"]);
    assert_eq!(small.by_content(&Sample::of(b"{}")), (None, Classes::default()));
    let looks = Classification { candidate_size: Some(65_536), ..Classification::default() };
    assert_eq!(small.keys(), looks, "the kernel has no keys of it, and has files looked into");
    assert_eq!(table("weights: {suffixes: [pt]}").keys().candidate_size, None, "nothing could be found");
}

#[test]
fn what_guards_and_controls_a_system_is_told_by_its_place() {
    let table = embedded();
    let cases: [(&str, &[&str]); 16] = [
        ("/proc/sys/kernel/core_pattern", &["host_control"]),
        ("/host/proc/sys/kernel/core_pattern", &["host_control"]),
        ("/tmp/cg/x/release_agent", &["host_control"]),
        ("/etc/cron.d/x", &["persistence"]),
        ("/var/spool/cron/crontabs/root", &["persistence"]),
        ("/etc/systemd/system/x.service", &["persistence"]),
        ("/etc/ld.so.preload", &["persistence"]),
        ("/sys/devices/system/cpu/online", &[]),
        ("/root/.bash_history", &["log"]),
        ("/var/log/wtmp", &["log"]),
        ("/data/messages", &[]),
        ("/venv/lib/python3.11/site-packages/x-1.0.dist-info/RECORD", &["package_record"]),
        ("/data/record", &[]),
        ("/dev/nvidiactl", &["gpu"]),
        ("/proc/71/environ", &["process_environment"]),
        ("/proc/71/task/72/environ", &["process_environment"]),
    ];
    for (path, expected) in cases {
        assert_eq!(names(table.settle(&file(path, 0))), expected, "{path}");
    }
}

#[test]
fn the_head_of_the_shipped_file_names_every_format() {
    let head = include_str!("../../../../rules/classes.yml").split("\nweights:").next().unwrap_or_default();
    let list = head.split("The formats of `content`:").nth(1).expect("has a list");
    let words: BTreeSet<&str> = list.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').collect();
    let missing: Vec<_> = Format::ALL.iter().filter(|format| !words.contains(format.name())).collect();
    assert_eq!(missing, Vec::<&Format>::new());
}

#[test]
fn the_kernels_tables_hold_the_shipped_keys_and_directories_are_few() {
    let keys = embedded().keys();
    assert!(keys.suffixes.len() <= SUFFIXES as usize && keys.names.len() <= NAMES as usize);
    // Every directory key can cost a look-up for each level above an opened file.
    let directories: BTreeSet<_> = keys.directories.iter().map(|(key, _)| key.words).collect();
    let provenance = ["blobs", "checkpoints", "secrets", ".ssh", ".aws", "gcloud", "variables", "infiniband"];
    // Of lengths that the others have: names of other lengths are not looked up.
    let persistence = ["cron", "cron.d", "cron.daily", "cron.hourly", "profile.d"];
    let expected: BTreeSet<_> =
        provenance.iter().chain(&persistence).filter_map(|name| NameKey::new(name)).map(|key| key.words).collect();
    assert_eq!(directories, expected);
}

/// The classes of the keys that the kernel would look up for the bytes of a path, by the kernel's own functions.
fn kernel(keys: &Classification, path: &str) -> u32 {
    let word = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().expect("eight bytes"));
    let mut components = path.rsplit('/').filter(|component| !component.is_empty());
    let leaf = components.next().unwrap_or_default();
    let mut tail = [0u8; 16];
    let bytes = &leaf.as_bytes()[leaf.len().saturating_sub(16)..];
    tail[16 - bytes.len()..].copy_from_slice(bytes);
    let suffix = SuffixKey::from_tail(word(&tail[..8]), word(&tail[8..]));
    let name = |name: &str| {
        let mut padded = [0u8; 32];
        padded.get_mut(..name.len())?.copy_from_slice(name.as_bytes());
        let at = |n: usize| word(&padded[n * 8..n * 8 + 8]);
        Some(NameKey::from_words([at(0), at(1), at(2), at(3)])).filter(|_| name.len() < 32)
    };
    let by_suffix = keys.suffixes.iter().filter(|(key, _)| Some(*key) == suffix);
    let by_name = keys.names.iter().filter(|(key, _)| Some(*key) == name(leaf));
    let above: Vec<_> = components.take(DIRECTORY_DEPTH).filter_map(name).collect();
    let by_directory = keys.directories.iter().filter(|(key, _)| above.contains(key));
    let bits = by_suffix.map(|(_, c)| c.0).chain(by_name.map(|(_, c)| c.0)).chain(by_directory.map(|(_, c)| c.0));
    bits.fold(0, |all, bits| all | bits)
}

fn component() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(HASH.to_owned()),
        Just(format!("sha256-{HASH}")),
        "[a-cA-C.é\\\\]{1,6}",
        prop_oneof![
            Just("models--a"),
            Just("blobs"),
            Just("models"),
            Just("checkpoints"),
            Just(".ssh"),
            Just("secrets"),
            Just("run"),
            Just("site-packages"),
            Just("gcloud"),
            Just("variables"),
            Just("huggingface"),
            Just("token"),
            Just("serviceaccount"),
            Just("kubernetes.io"),
            Just("application_default_credentials.json"),
            Just("config"),
            Just(".kube"),
            Just("X.PTH"),
            Just("pytorch_model-1.bin"),
            Just("a.safetensors"),
            Just("etc"),
            Just(".aws"),
            Just("credentials"),
            Just("sso"),
            Just("cache"),
            Just("a.onnx.data"),
            Just("variables.data-0-of-1"),
            Just("to\u{212a}en"),
        ]
        .prop_map(str::to_owned),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]
    /// Whatever is put into a class by its path, the kernel would have sent.
    #[test]
    fn the_kernel_looks_at_all_that_is_in_a_class(
        components in proptest::collection::vec(component(), 1..14),
        size in prop_oneof![Just(0u64), Just(64 * MIB)],
        cut in any::<bool>(),
    ) {
        let table = embedded_once();
        let path = format!("/{}", components.join("/"));
        let refined = table.0.refine(&File { path_cut: cut, ..file(&path, size) });
        let sent = kernel(&table.1, &path);
        prop_assert_eq!(refined.0 & !sent, 0, "{} is {:?}", path, names(refined));
    }
}

fn embedded_once() -> &'static (ClassTable, Classification) {
    static TABLE: std::sync::LazyLock<(ClassTable, Classification)> = std::sync::LazyLock::new(|| {
        let table = embedded();
        let keys = table.keys();
        (table, keys)
    });
    &TABLE
}

#[test]
fn every_mistake_is_one_sentence_with_its_place_and_mend() {
    for (text, expected) in [
        ("weights:\n  suffixes:\n    - a\n    - .tar.gz\n", "f.yml, line 4, weights.suffixes: `.tar.gz` has a dot"),
        (
            "weights: {suffixes: [abcdefghijklmnop]}",
            "f.yml, line 1, weights.suffixes: `abcdefghijklmnop` is longer than the 15",
        ),
        ("secret: {names: [\"\"]}", "secret.names: `` is empty"),
        ("secret:\n  names: [abcdefghijklmnopqrstuvwxyz012345]", "f.yml, line 2, secret.names: `abc"),
        ("secret: {names: [\"a \"]}", "f.yml, line 1, secret.names: `a ` ends in a space"),
        ("secret: {directories: [a/b]}", "f.yml, line 1, secret.directories: `a/b` has '/' in it"),
        ("secret: {names: [é]}", "f.yml, line 1, secret.names: `é` has 'é' in it"),
        (
            "secret: {paths: [\"a*/**\"]}",
            "f.yml, line 1, secret.paths: `a*/**` has nothing that the kernel could look for",
        ),
        ("secret: {paths: [\"a/{b,c}\"]}", "f.yml, line 1, secret.paths: `a/{b,c}` has braces"),
        ("secret: {paths: [\"a/[b\", x]}", "secret.paths: `a/[b` is no pattern"),
        ("secret: {paths: [a/]}", "f.yml, line 1, secret.paths: `a/` ends with no name"),
        ("dataset: {except: {suffixes: [a.b]}}", "f.yml, line 1, dataset.except.suffixes: `a.b` has a dot"),
        ("weights: {sufixes: [a]}", "f.yml: weights: unknown field `sufixes`, expected one of `suffixes`"),
        (
            "weights:\n  content:\n    - gguf\n    - saftensors\n",
            "f.yml, line 4, weights.content: `saftensors` is no format that is told by content: did you mean `safetensors`?",
        ),
        ("weights: {content: [\"\"]}", "weights.content: `` is no format that is told by content: the head of"),
        ("weights: {content_minimum_size: many}", "f.yml: weights.content_minimum_size: invalid type"),
        ("wieghts: {suffixes: [a]}", "f.yml: unknown field `wieghts`, expected one of `weights`, `dataset`"),
        ("weights: {suffixes: a}", "f.yml: weights.suffixes: invalid type"),
        ("weights: {suffixes: [a]}\nweights: {suffixes: [b]}", "f.yml: duplicate field `weights`"),
        ("weights: [", "f.yml: "),
    ] {
        let message = ClassTable::parse(text, "f.yml").expect_err(text).to_string();
        assert!(message.contains(expected), "{text:?} gives: {message}");
        assert!(!message.contains('\n'), "{message}");
    }
    let many: String = (0..300).map(|n| format!("\n    - s{n}")).collect();
    let error = ClassTable::parse(&format!("weights:\n  suffixes:{many}\n"), "f.yml").expect_err("too many");
    assert!(matches!(error, ClassesError::TooMany { what: "suffixes", count: 300, limit: 256, .. }), "{error}");
    let error = ClassTable::load(Some("/nonexistent/classes.yml".as_ref())).expect_err("is not there").to_string();
    assert!(error.starts_with("/nonexistent/classes.yml cannot be read"), "{error}");
    assert_eq!(ClassTable::parse("", "f.yml").expect("nothing is in any class").keys(), Classification::default());
}
