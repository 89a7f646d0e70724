//! Names and sizes of files.

use super::{Prepared, container, deed, deeds_of, each_in_both_places, places};
use crate::watch::{self, Outcome, events, events_in, nothing_lost, skipped};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use tests::scene::Directory;
use tests::{Place, actor_in};

/// A new file of weights, and no other name of it.
fn weights(place: &str, directory: &Path) -> Prepared {
    let _ = fs::remove_file(directory.join("other.gguf"));
    let _ = fs::remove_file(directory.join("model.safetensors"));
    fs::write(directory.join("model.safetensors"), "weights")?;
    Ok(vec!["--to".into(), format!("{place}/other.gguf"), format!("{place}/model.safetensors")])
}

#[test]
fn names_that_change() -> Outcome {
    let by_call = ["rename", "renameat", "renameat2", "link", "linkat", "unlink", "unlinkat"];
    let mut deeds: Vec<Vec<&str>> =
        by_call.into_iter().flat_map(|what| [vec![what], vec![what, "--by", "ia32"]]).collect();
    for what in ["renameat", "linkat", "unlinkat"] {
        deeds.push(vec![what, "--by", "io_uring"]);
        deeds.push(vec![what, "--by", "io_uring", "--async"]);
    }
    let deeds: Vec<&[&str]> = deeds.iter().map(Vec::as_slice).collect();
    each_in_both_places("changes of names", &deeds, weights)
}

#[test]
fn sizes_that_change() -> Outcome {
    const LARGE: &str = "5000000000";
    let deeds: &[&[&str]] = &[
        &["truncate"],
        &["ftruncate"],
        &["truncate", "--size", LARGE],
        &["ftruncate", "--size", LARGE],
        &["truncate", "--by", "ia32", "--size", "3"],
        &["ftruncate", "--by", "ia32", "--size", "3"],
        &["truncate", "--by", "ia32", "--size", LARGE],
        &["ftruncate", "--by", "ia32", "--size", LARGE],
        &["ftruncate", "--by", "io_uring", "--size", "3"],
    ];
    each_in_both_places("changes of sizes", deeds, weights)
}

#[test]
fn names_and_sizes_of_files_in_no_class() -> Outcome {
    let deeds: &[&[&str]] = &[
        &["rename"],
        &["linkat"],
        &["unlink"],
        &["ftruncate"],
        &["renameat", "--by", "io_uring"],
        &["unlink", "--by", "ia32"],
    ];
    if skipped("changes of files in no class") {
        return Ok(());
    }
    let directory = Directory::new()?;
    let container = container(&directory)?;
    let sensor = events_in(&container, &[])?;
    let mut all = Vec::new();
    for (inside, place) in places(&directory) {
        let (plain, other) = (format!("{place}/plain.txt"), format!("{place}/other.txt"));
        for words in deeds {
            let _ = fs::remove_file(directory.path().join("other.txt"));
            fs::write(directory.path().join("plain.txt"), "text")?;
            all.extend(deed(&container, inside, &[words, &["--to", &other, &plain][..]].concat())?);
        }
        // A directory whose name is like that of weights.
        fs::create_dir(directory.path().join("directory.gguf"))?;
        all.extend(deed(&container, inside, &["rmdir", &format!("{place}/directory.gguf")])?);
    }
    let events = sensor.stop()?.events;
    nothing_lost(&events);
    for done in &all {
        let found = deeds_of(&events, done.pid);
        assert!(found.is_empty(), "{}: {found:#?}", done.what);
        watch::the(&events, "exit", done.pid, &done.what)?;
    }
    assert!(!all.is_empty());
    Ok(())
}

/// One of the names is enough, whichever.
#[test]
fn a_file_that_gets_into_a_class_or_out_of_it() -> Outcome {
    let both = |from: &'static str, to: &'static str| {
        move |place: &str, directory: &Path| -> Prepared {
            let _ = fs::remove_file(directory.join(to));
            fs::write(directory.join(from), "weights")?;
            Ok(vec!["--to".into(), format!("{place}/{to}"), format!("{place}/{from}")])
        }
    };
    each_in_both_places("a file that gets into a class", &[&["rename"], &["link"]], both("a.txt", "b.gguf"))?;
    each_in_both_places("a file that gets out of a class", &[&["rename"], &["link"]], both("b.gguf", "a.txt"))
}

/// What had the new name is told: by trampolines always, by portable hooks where it was opened under that name.
#[test]
fn a_file_that_is_renamed_over_another() -> Outcome {
    if skipped("a file that is renamed over another") {
        return Ok(());
    }
    let directory = Directory::new()?;
    let container = container(&directory)?;
    // Of the whole machine: it matters where the working directory of a program was when it was started.
    let sensor = events(&["--container", &container.id])?;
    let place = directory.path();
    let (new, model, plain) = (place.join("new"), place.join("model.safetensors"), place.join("plain.txt"));
    let mut all = Vec::new();
    for words in [&["rename"][..], &["renameat2"], &["rename", "--by", "ia32"], &["renameat", "--by", "io_uring"]] {
        for (from, to) in [("/models/new", "/models/model.safetensors"), ("models/./new", "models/model.safetensors")] {
            for is_opened in [true, false] {
                let _ = fs::remove_file(&model);
                let expected = if is_opened {
                    fs::write(&model, "weights")?;
                    actor_in(Place::Container(&container), &["open", "--how", "openat", "/models/model.safetensors"])?
                        .truth()?;
                    Some(fs::metadata(&model)?.ino().to_string())
                } else {
                    // The container itself removes it, so that both know.
                    fs::write(&model, "weights")?;
                    deed(&container, true, &["unlink", "/models/model.safetensors"])?;
                    None
                };
                fs::write(&new, "other weights")?;
                let done = deed(&container, true, &[words, &["--to", to, from]].concat())?;
                all.extend(done.map(|done| (done, expected)));
            }
        }
    }
    // What is in no class is nobody's business, whatever it replaces.
    fs::write(&new, "text")?;
    fs::write(&plain, "text")?;
    let untold = deed(&container, true, &["rename", "--to", "/models/plain.txt", "/models/new"])?;
    let events = sensor.stop()?.events;
    nothing_lost(&events);
    assert!(all.len() >= 12, "{} renames", all.len());
    for (done, expected) in &all {
        let found = deeds_of(&events, done.pid);
        let [event] = found.as_slice() else { return Err(format!("{}: {found:#?}", done.what).into()) };
        assert_eq!(event.text("weir.file.replaced.inode"), expected.as_deref(), "{}", done.what);
        assert_eq!(event.field("weir.file.replaced"), expected.is_some().then_some(&true.into()), "{}", done.what);
        assert_eq!(event.list("weir.file.class"), ["weights"], "{}", done.what);
        // The host made it, which is not this workload.
        assert_eq!(event.field("weir.file.brought"), expected.is_some().then_some(&false.into()), "{}", done.what);
    }
    if let Some(done) = &untold {
        assert!(deeds_of(&events, done.pid).is_empty(), "{}", done.what);
    }
    container.stop()?;
    Ok(())
}

/// Portable hooks give the words, trampolines the name.
#[test]
fn relative_names() -> Outcome {
    if skipped("relative names") {
        return Ok(());
    }
    let directory = Directory::new()?;
    let container = container(&directory)?;
    let sensor = events_in(&container, &[])?;
    let mut all = Vec::new();
    for words in [&["rename"][..], &["link", "--by", "ia32"], &["renameat", "--by", "io_uring"]] {
        weights("", directory.path())?;
        // In the container the actor is in `/`.
        let names = ["--to", "models/./other.gguf", "models/../models/model.safetensors"];
        all.extend(deed(&container, true, &[words, &names[..]].concat())?);
    }
    let events = sensor.stop()?.events;
    nothing_lost(&events);
    for done in &all {
        let found = deeds_of(&events, done.pid);
        let [event] = found.as_slice() else { return Err(format!("{}: {found:#?}", done.what).into()) };
        let (old, new) = match watch::by_trampoline(event) {
            true => ("/models/model.safetensors", "/models/other.gguf"),
            false => ("models/../models/model.safetensors", "models/./other.gguf"),
        };
        assert_eq!(event.text("file.path"), Some(old), "{}", done.what);
        assert_eq!(event.text("weir.file.new_path"), Some(new), "{}", done.what);
    }
    container.stop()?;
    Ok(())
}
