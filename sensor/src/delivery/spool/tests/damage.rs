//! Bytes that are not as they were written.

use super::memory::Fault;
use super::*;

const UIDS: [&str; 4] = ["alpha", "beta", "gamma", "delta"];

/// Four records in one segment; its name.
fn four() -> (Memory, String) {
    let memory = Memory::default();
    let mut spool = open(&memory);
    for uid in UIDS {
        put(&mut spool, 9, uid);
    }
    let name = memory.names(".records").remove(0);
    (memory, name)
}

/// Where the records of [`four`] begin and end.
fn bounds(segment: &[u8]) -> Vec<std::ops::Range<usize>> {
    scan(segment).records.iter().map(|found| found.offset as usize..(found.offset + found.length) as usize).collect()
}

#[test]
fn a_flipped_bit_costs_one_record() {
    let (memory, name) = four();
    let segment = memory.bytes(&name);
    let bounds = bounds(&segment);
    assert_eq!(bounds.len(), 4);
    for at in 0..segment.len() * 8 {
        let disk = memory.copy();
        disk.edit(&name, |bytes| bytes[at / 8] ^= 1 << (at % 8));
        let hit = bounds.iter().position(|range| range.contains(&(at / 8))).unwrap();
        let (mut spool, opened) = Spool::open_in(disk, SMALL).unwrap();
        let expected: Vec<_> =
            UIDS.iter().enumerate().filter(|(index, _)| *index != hit).map(|(_, uid)| *uid).collect();
        assert_eq!(drain(&mut spool), expected, "bit {at}");
        assert_eq!(opened.torn + opened.flipped, 1, "bit {at}: {opened:?}");
        assert!(opened.flipped == 1 || hit == 3, "bit {at} is not at the end");
    }
}

#[test]
fn a_torn_end_costs_what_is_not_whole() {
    let (memory, name) = four();
    let segment = memory.bytes(&name);
    let bounds = bounds(&segment);
    for length in 0..segment.len() {
        let disk = memory.copy();
        disk.edit(&name, |bytes| bytes.truncate(length));
        let whole = bounds.iter().filter(|range| range.end <= length).count();
        let torn = u64::from(length > 0 && !bounds.iter().any(|range| range.end == length));
        let (mut spool, opened) = Spool::open_in(disk, SMALL).unwrap();
        assert_eq!((opened.entries, opened.torn, opened.flipped), (whole as u64, torn, 0), "{length} bytes");
        assert_eq!(drain(&mut spool), UIDS[..whole]);
        put(&mut spool, 9, "next");
        assert_eq!(drain(&mut spool), ["next"], "and it goes on");
    }
}

#[test]
fn a_bit_that_flips_while_it_waits_is_seen_when_it_is_taken() {
    let (memory, name) = four();
    let mut spool = open(&memory);
    memory.edit(&name, |bytes| *bytes.last_mut().unwrap() ^= 1);
    assert_eq!(drain(&mut spool), UIDS[..3]);
    assert_eq!((spool.counts().flipped, spool.counts().depth), (1, 0));
}

#[test]
fn an_old_acknowledgement_hits_no_other_record() {
    let (memory, _) = four();
    let mut spool = open(&memory);
    let ids: Vec<u64> = spool.take(2, 1_000).iter().map(|entry| entry.id).collect();
    spool.acknowledge(&ids);
    drop(spool);
    let acknowledged = memory.names(".acknowledged").remove(0);
    let done = memory.bytes(&acknowledged);
    // The same ids once more, in a directory that was cleared but for the acknowledgements.
    let other = Memory::default();
    let mut spool = open(&other);
    for uid in ["new", "newer"] {
        put(&mut spool, 9, uid);
    }
    drop(spool);
    other.clone().append(&acknowledged, &done).unwrap();
    assert_eq!(drain(&mut open(&other)), ["new", "newer"]);
}

#[test]
fn acknowledgements_after_a_torn_one_count() {
    let (memory, _) = four();
    let mut spool = open(&memory);
    let ids: Vec<u64> = spool.take(4, 1_000).iter().map(|entry| entry.id).collect();
    spool.acknowledge(&ids[..1]);
    let name = memory.names(".acknowledged").remove(0);
    memory.edit(&name, |bytes| bytes.extend([1, 2, 3]));
    spool.acknowledge(&ids[2..3]);
    drop(spool);
    assert_eq!(drain(&mut open(&memory)), ["beta", "delta"]);
}

#[test]
fn a_record_inside_a_record_is_not_taken_for_one() {
    let mut inner = Vec::new();
    encode(&draft(9, "forged", b"{}"), 50, &mut inner);
    let appended = open(&Memory::default()).append(&[draft(9, "outer", &inner)]).unwrap();
    assert_eq!((appended.ids, appended.refused), (vec![None], 1));
}

#[test]
fn what_is_not_ours_is_left_alone() {
    let (memory, name) = four();
    for other in ["README", "09-1.records", "9-00000000000000000001.records", "aside.jsonl.bak"] {
        memory.clone().append(other, b"x").unwrap();
    }
    let opened = Spool::open_in(memory.clone(), SMALL).unwrap().1;
    assert_eq!(opened.entries, 4, "{name}");
    assert_eq!(memory.names("").len(), 5);
}

#[test]
fn losses_that_cannot_be_read_are_counted_as_damage() {
    let (memory, _) = four();
    open(&memory).append(&[draft(9, "x", b"\xff")]).unwrap();
    memory.edit("losses", |bytes| bytes[10] ^= 1);
    let (mut spool, opened) = Spool::open_in(memory.clone(), SMALL).unwrap();
    assert_eq!((opened.flipped, opened.entries, spool.counts().refused), (1, 4, 0));
    put(&mut spool, 9, "y");
    assert_eq!(Spool::open_in(memory, SMALL).unwrap().1.flipped, 0, "they are written anew");
}

#[test]
fn a_segment_that_the_disk_does_not_give_is_left_for_the_next_start() {
    let (memory, name) = four();
    // After the names and the losses, the first read.
    memory.disk().fault = Some((1, 1, Fault::Io));
    let (mut spool, opened) = Spool::open_in(memory.clone(), SMALL).unwrap();
    assert_eq!((opened.entries, opened.unreadable), (0, 1), "{name}");
    let id = put(&mut spool, 9, "new");
    assert!(id > 10_000, "its ids are not given again");
    assert_eq!(drain(&mut spool), ["new"]);
    drop(spool);
    assert_eq!(drain(&mut open(&memory)), UIDS);
}
