//! Each way to open gives the same file, by whatever name.

use serde_json::Value;
use std::error::Error;
use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::PathBuf;
use tests::scene::{Bind, Container, Directory, Spec};
use tests::{Place, actor_in, skip, weights};

const HOWS: [&str; 8] = [
    "open",
    "openat",
    "openat2",
    "open_by_handle_at",
    "io_uring-openat",
    "io_uring-openat2",
    "io_uring-direct",
    "io_uring-skip-cqe",
];

fn open(place: Place<'_>, how: &str, path: &str, options: &[&str]) -> Result<Option<Value>, Box<dyn Error>> {
    let truth = actor_in(place, &[&["open", "--how", how, path], options].concat())?.truth()?;
    Ok((!skip::if_skipped(&truth)).then_some(truth))
}

#[test]
fn every_way_and_every_name_is_one_file() -> Result<(), Box<dyn Error>> {
    if skip::unless_root("opens in a container") {
        return Ok(());
    }
    let models = Directory::new()?;
    let file = models.path().join("model.safetensors");
    weights::safetensors(&file, 1, 1)?;
    symlink("model.safetensors", models.path().join("symlink"))?;
    fs::hard_link(&file, models.path().join("hard-link.safetensors"))?;
    fs::create_dir(models.path().join("below"))?;
    let bind = |target: &str| Bind { source: models.path().into(), target: target.into(), read_only: true };
    let spec = Spec { binds: vec![bind("/models"), bind("/elsewhere")], ..Spec::default() };
    let container = Container::start(&spec)?;
    let expected = fs::metadata(&file)?;
    let device = format!("{}:{}", rustix::fs::major(expected.dev()), rustix::fs::minor(expected.dev()));
    for how in HOWS {
        for (name, real) in [
            ("/models/model.safetensors", "/models/model.safetensors"),
            ("/models/symlink", "/models/model.safetensors"),
            ("/models/hard-link.safetensors", "/models/hard-link.safetensors"),
            ("/elsewhere/model.safetensors", "/elsewhere/model.safetensors"),
            ("/models/below/../../models/./model.safetensors", "/models/model.safetensors"),
        ] {
            let Some(truth) = open(Place::Container(&container), how, name, &[])? else { continue };
            let what = format!("{how} {name}: {truth}");
            assert_eq!(truth["file.inode"], expected.ino().to_string(), "{what}");
            assert_eq!(truth["weir.file.device"], device, "{what}");
            assert_eq!(truth["file.size"], expected.len(), "{what}");
            assert_eq!(truth["weir.file.links"], 2, "{what}");
            // By a handle no name is given: the kernel finds any of them.
            if how != "open_by_handle_at" {
                assert_eq!(truth["file.path"], real, "{what}");
            }
            assert_eq!(truth["weir.file.descriptor"].is_null(), how == "io_uring-direct", "{what}");
        }
    }
    container.stop()?;
    Ok(())
}

#[test]
fn opens_that_write() -> Result<(), Box<dyn Error>> {
    let directory = Directory::new()?;
    let path = |name: &str| -> PathBuf { directory.path().join(name) };
    for how in HOWS {
        fs::write(path("out"), "text")?;
        if how == "open_by_handle_at" && skip::unless_root(how) {
            continue;
        }
        let Some(truth) = open(Place::Host, how, &path("out").to_string_lossy(), &["--write"])? else { continue };
        assert_eq!((&truth["weir.file.access"], &truth["file.size"]), (&"write".into(), &4.into()), "{how}: {truth}");
    }
    if let Some(truth) = open(Place::Host, "creat", &path("new").to_string_lossy(), &[])? {
        assert_eq!(truth["file.inode"], fs::metadata(path("new"))?.ino().to_string());
        assert_eq!(truth["weir.file.access"], "write");
    }
    Ok(())
}

#[test]
fn io_uring_by_a_kernel_thread() -> Result<(), Box<dyn Error>> {
    let directory = Directory::new()?;
    let file = directory.path().join("model.gguf");
    weights::gguf(&file, 1, 1)?;
    for how in HOWS.into_iter().filter(|how| how.starts_with("io_uring")) {
        for option in ["--async", "--sqpoll"] {
            let Some(truth) = open(Place::Host, how, &file.to_string_lossy(), &[option])? else { continue };
            assert_eq!(truth["file.inode"], fs::metadata(&file)?.ino().to_string(), "{how} {option}: {truth}");
        }
    }
    Ok(())
}

#[test]
fn a_file_that_is_not_there_is_an_error() -> Result<(), Box<dyn Error>> {
    let directory = Directory::new()?;
    let path = directory.path().join("absent");
    for how in HOWS {
        let output = actor_in(Place::Host, &["open", "--how", how, &path.to_string_lossy()])?.output()?;
        let skipped = String::from_utf8_lossy(&output.stdout).contains("skipped");
        assert!(!output.status.success() || skipped, "{how}");
    }
    Ok(())
}
