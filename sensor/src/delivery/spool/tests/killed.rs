//! A process that appends and is killed, a hundred times: what it said is safe comes out.

use super::*;
use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};
use tempfile::TempDir;

const KILLS: u32 = 100;
const DIRECTORY: &str = "WEIR_TEST_SPOOL";
const ROUND: &str = "WEIR_TEST_ROUND";

/// Not a test of its own: what the child does until it is killed. It appends, delivers a part of it, and says both.
#[test]
fn child() {
    let Some(directory) = std::env::var_os(DIRECTORY) else { return };
    let round = std::env::var(ROUND).unwrap();
    // Segments are small, so that many are made and removed.
    let limits = Limits { bytes: 16 << 20, segment: 16 << 10, record: 8 << 10 };
    let mut spool = Spool::open(Path::new(&directory), limits).unwrap().0;
    let mut out = std::io::stdout().lock();
    for number in 0.. {
        let uids: Vec<String> = (0..1 + number % 5).map(|part| format!("{round}/{number}/{part}")).collect();
        let severity = |part: usize| [9, 17, 21][part % 3];
        let bytes: Vec<u8> = vec![b'x'; 200 + number * 37 % 2_000];
        let drafts: Vec<_> = uids.iter().zip(0..).map(|(uid, part)| draft(severity(part), uid, &bytes)).collect();
        let appended = spool.append(&drafts).unwrap();
        assert!(appended.ids.iter().all(Option::is_some));
        for uid in &uids {
            writeln!(out, "appended {uid} {}", bytes.len()).unwrap();
        }
        if number % 3 == 2 {
            let entries = spool.take(4, 8_000);
            // Said before it is done: it may or may not come again.
            for entry in &entries {
                writeln!(out, "delivered {} {}", entry.uid, entry.bytes.len()).unwrap();
            }
            out.flush().unwrap();
            spool.acknowledge(&entries.iter().map(|entry| entry.id).collect::<Vec<_>>());
        }
        out.flush().unwrap();
    }
}

#[test]
fn whatever_was_confirmed_comes_out() {
    let directory = TempDir::new().unwrap();
    let (mut appended, mut delivered) = (BTreeSet::new(), BTreeSet::new());
    let mut seed = 12_345u32;
    for round in 0..KILLS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "delivery::spool::tests::killed::child", "--nocapture", "--quiet"])
            .env(DIRECTORY, directory.path())
            .env(ROUND, round.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // It is killed when it has said so many bytes, which is anywhere in its next calls.
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let mut out = child.stdout.take().unwrap();
        let mut text = vec![0; 100 + (seed >> 16) as usize % 8_000];
        out.read_exact(&mut text).expect("it goes on until it is killed");
        child.kill().unwrap();
        out.read_to_end(&mut text).unwrap();
        assert!(!child.wait().unwrap().success());
        let text = String::from_utf8(text).unwrap();
        for line in text.split_inclusive('\n').filter(|line| line.ends_with('\n')) {
            let mut words = line.split_whitespace();
            let said = words.next().unwrap_or_default();
            let (Some(uid), Some(size)) = (words.next(), words.next()) else { continue };
            match said {
                "appended" => appended.insert((uid.to_owned(), size.to_owned())),
                "delivered" => delivered.insert((uid.to_owned(), size.to_owned())),
                _ => continue,
            };
        }
    }
    assert!(appended.len() > KILLS as usize && !delivered.is_empty(), "{} appended", appended.len());
    let (mut spool, opened) = Spool::open(directory.path(), Limits::default()).unwrap();
    assert_eq!(opened.flipped, 0);
    let mut came = BTreeSet::new();
    loop {
        let entries = spool.take(100, 1 << 20);
        if entries.is_empty() {
            break;
        }
        spool.acknowledge(&entries.iter().map(|entry| entry.id).collect::<Vec<_>>());
        came.extend(entries.iter().map(|entry| (entry.uid.to_string(), entry.bytes.len().to_string())));
    }
    let missing: Vec<_> =
        appended.iter().filter(|record| !came.contains(*record) && !delivered.contains(*record)).collect();
    assert!(missing.is_empty(), "confirmed, and neither delivered nor there: {missing:?}");
    let rounds: BTreeSet<_> = came.iter().map(|(uid, _)| uid.split('/').next().unwrap().to_owned()).collect();
    assert!(rounds.len() > 1, "what an earlier process appended is there");
}
