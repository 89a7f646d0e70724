//! A process that keeps evidence and is killed, many times: what it said is written is there, and every segment is whole.

use super::writing::assert_chained;
use super::*;
use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};
use tempfile::TempDir;

const KILLS: u64 = 40;
const DIRECTORY: &str = "WEIR_TEST_EVIDENCE";
const ROUND: &str = "WEIR_TEST_ROUND";

/// Not a test of its own: what the child does until it is killed.
#[test]
fn child() {
    let Some(directory) = std::env::var_os(DIRECTORY) else { return };
    let round: u64 = std::env::var(ROUND).unwrap().parse().unwrap();
    // Small ones, so that many are made and closed.
    let limits = Limits { segment_events: 700, ..limits() };
    let mut store = open(Path::new(&directory), limits);
    let mut out = std::io::stdout().lock();
    let mut written = 0;
    for batch in 0.. {
        let first = round * 1_000_000 * SECOND + written;
        let count = 1 + batch * 37 % 90;
        for number in first..first + count {
            put(&mut store, tick(number, "container:a", 7));
        }
        store.flush(BootTime(first + count));
        written += count;
        while store.counts().events < written {
            assert_eq!(store.counts().dropped_busy + store.counts().dropped_disk, 0);
            std::thread::yield_now();
        }
        // Anything may be killed from here on, also within the next batch.
        writeln!(out, "written {round} {written}").unwrap();
        out.flush().unwrap();
    }
}

#[test]
fn whatever_was_written_is_there_and_nothing_is_damaged() {
    let directory = TempDir::new().unwrap();
    let mut written = vec![0; KILLS as usize];
    let mut seed = 12_345u32;
    for round in 0..KILLS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "evidence::store::tests::killed::child", "--nocapture", "--quiet"])
            .env(DIRECTORY, directory.path())
            .env(ROUND, round.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // It is killed when it has said so many bytes, which is anywhere in its next batches.
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let mut out = child.stdout.take().unwrap();
        let mut text = vec![0; 20 + (seed >> 16) as usize % 700];
        out.read_exact(&mut text).expect("it goes on until it is killed");
        child.kill().unwrap();
        out.read_to_end(&mut text).unwrap();
        assert!(!child.wait().unwrap().success());
        let text = String::from_utf8(text).unwrap();
        for line in text.split_inclusive('\n').filter(|line| line.ends_with('\n')) {
            if let Some((_, count)) = line.trim().strip_prefix("written ").and_then(|rest| rest.split_once(' ')) {
                written[round as usize] = count.parse().unwrap();
            }
        }
    }
    assert!(written.iter().sum::<u64>() > KILLS * 50, "{written:?}");
    let mut reader = Reader::open(directory.path()).unwrap();
    let gaps = reader.gaps(0, u64::MAX).unwrap();
    let others: Vec<_> = gaps.iter().filter(|gap| &*gap.place != "sensor").collect();
    assert!(others.is_empty(), "{others:?}");
    assert_eq!(gaps.len(), written.iter().filter(|written| **written > 0).count() - 1, "one between two runs");
    assert_chained(directory.path());
    let rows: BTreeSet<u64> = everything(&mut reader).iter().map(|row| row.time).collect();
    for (round, written) in (0..).zip(&written) {
        for number in 0..*written {
            let time = CLOCK.unix_nanos(BootTime(round * 1_000_000 * SECOND + number));
            assert!(rows.contains(&time), "event {number} of round {round} was written, and is not there");
        }
    }
}
