//! Files that are not as they were written.

use super::super::frames::CONTENT_MAX;
use super::super::{Damage, Frames, Reader, Record, RecordingError, pack};
use super::{frame, header, rest, tick, times};

/// A header, and four frames of one event each.
fn frames() -> Vec<Vec<u8>> {
    let event = |time| frame(&[Record::Event(Box::new(tick(time)))]);
    [vec![frame(&[Record::Recording(header())])], (1..=4).map(event).collect()].concat()
}

fn read(bytes: &[u8]) -> (Vec<u64>, Damage) {
    let mut reader = Reader::new(bytes, "x".into(), Some(bytes.len() as u64)).unwrap();
    let read = times(&rest(&mut reader));
    assert_eq!(reader.progress(), Some(1.0));
    (read, reader.damage())
}

#[test]
fn a_torn_tail_costs_the_tail() {
    let whole = frames().concat();
    let last = frames().last().unwrap().len();
    assert_eq!(read(&whole), (vec![1, 2, 3, 4], Damage::default()));
    for missing in 1..last {
        let cut = whole.get(..whole.len() - missing).unwrap();
        let expected = Damage { frames: 0, bytes: (last - missing) as u64, torn: true };
        let (events, damage) = read(cut);
        assert_eq!(events, [1, 2, 3], "{missing} bytes are missing");
        // Less than what a frame begins with is not known for one.
        let least = last - missing < 4;
        assert!(damage == expected || least && damage.bytes == expected.bytes, "{missing}: {damage:?}");
    }
    let (events, damage) = read(whole.get(..whole.len() - last).unwrap());
    assert_eq!((events, damage), (vec![1, 2, 3], Damage::default()), "nobody can tell");
}

#[test]
fn a_changed_byte_costs_its_frame() {
    let frames = frames();
    let begin: usize = frames.iter().take(2).map(Vec::len).sum();
    for at in 0..frames[2].len() {
        for bit in 0..8 {
            let mut bytes = frames.concat();
            bytes[begin + at] ^= 1 << bit;
            let (events, damage) = read(&bytes);
            // A bit of the frame's header can be without meaning, and the content is right.
            assert!(events == [1, 3, 4] && damage.frames == 1 || events == [1, 2, 3, 4], "{at}.{bit}: {events:?}");
            assert!(!damage.torn, "{at}.{bit}");
        }
    }
}

#[test]
fn noise_between_frames_is_passed_over() {
    let noise = [&[0x28, 0xb5, 0x2f][..], &[7; 5_000], &[0x28, 0xb5, 0x2f, 0xfd, 0xff, 0xff]].concat();
    let bytes: Vec<u8> = frames().into_iter().flat_map(|frame| [frame, noise.clone()].concat()).collect();
    let (events, damage) = read(&bytes);
    assert_eq!((events, damage.bytes), (vec![1, 2, 3, 4], 5 * noise.len() as u64));
}

#[test]
fn what_unpacks_to_too_much_is_passed_over() {
    let bomb = pack(&vec![b'\n'; CONTENT_MAX + 1]).unwrap();
    let most = pack(&vec![b'\n'; CONTENT_MAX]).unwrap();
    let bytes = [frames().concat(), bomb, most, frames().last().unwrap().clone()].concat();
    let (events, damage) = read(&bytes);
    assert_eq!((events, damage.frames), (vec![1, 2, 3, 4, 4], 1));
}

#[test]
fn a_file_that_is_all_damage_is_given_up() {
    let bytes = [pack(b"").unwrap().as_slice(), b"noise"].concat().repeat(5_000);
    let mut frames = Frames::new(&bytes[..]);
    let error = std::iter::repeat_with(|| frames.next_content()).find_map(Result::err);
    assert!(error.unwrap().to_string().contains("places of it are damaged"));
}

#[test]
fn what_is_no_recording_is_refused_and_so_is_a_later_form() {
    let open = |bytes: &[u8]| Reader::new(bytes, "x.weir".into(), None).err().map(|error| error.to_string());
    let events_first = frames()[1].clone();
    for bytes in [&b""[..], b"title: a rule\n", &pack(b"{}\n").unwrap(), &events_first] {
        assert!(open(bytes).unwrap().starts_with("x.weir does not begin like a recording"), "{:?}", open(bytes));
    }
    let mut later = header();
    later.format = 2;
    let later = open(&frame(&[Record::Recording(later)])).unwrap();
    let other = open(&pack(b"{\"recording\":{\"format\":2,\"of\":\"something else\"}}\n").unwrap()).unwrap();
    for said in [later, other] {
        assert!(said.contains("has the form 2") && said.contains("reads the form 1"), "{said}");
    }
}

#[test]
fn a_line_that_means_nothing_here_is_an_error_with_its_place_and_the_mend() {
    let known = serde_json::to_string(&Record::Event(Box::new(tick(1)))).unwrap();
    let unknown = known.replace("tick", "telepathy");
    assert_ne!(known, unknown);
    let mut begin = header();
    begin.sensor = "9.9.9".into();
    let bytes =
        [frame(&[Record::Recording(begin)]), pack(format!("{known}\n{unknown}\n").as_bytes()).unwrap()].concat();
    let mut reader = Reader::new(&bytes[..], "x.weir".into(), None).unwrap();
    assert!(reader.next().unwrap().is_some());
    let error = reader.next().unwrap_err();
    assert!(matches!(error, RecordingError::Line { line: 3, .. }), "{error}");
    let said = error.to_string();
    for word in ["x.weir, line 3: unknown variant `telepathy`", "weir 9.9.9"] {
        assert!(said.contains(word), "{word}: {said}");
    }
}
