//! Totals that are held back, and said when they are due.

use super::*;

const FIRST: u64 = 2_000_000;

/// A raiser that has told of [`FIRST`] bytes of the container [`ID`] at 2 s.
fn told(limits: Limits) -> Line {
    let mut line = Line::new(limits);
    tell(&mut line, ID, 2 * SECOND);
    line
}

fn tell(line: &mut Line, container: &str, time: u64) {
    line.push(&opened(time - 1, "/usr/bin/python3.11", container, "/models/model.safetensors"));
    let alert = line.one(&sent(time, container, 5, FIRST, FlowReason::Grown)).unwrap();
    assert_eq!((&*alert.rule.name, alert.revision), ("model_theft", 0));
}

/// So much has been sent in all, over another socket: held back.
fn held(line: &mut Line, container: &str, time: u64, bytes: u64) {
    let alert = line.one(&sent(time, container, 6, bytes, FlowReason::Grown));
    assert!(alert.is_none(), "{}", alert.unwrap().sentence);
}

fn bytes(alert: &Alert) -> u64 {
    alert.decisive.egress.as_ref().unwrap().exfil.as_ref().unwrap().bytes
}

#[test]
fn the_last_total_is_said_once_a_second_after_the_first_that_was_held_back() {
    let mut line = told(Limits::default());
    for n in 1..=40 {
        held(&mut line, ID, 2 * SECOND + n * SECOND / 100, FIRST + n * 60_000);
    }
    let due = 3 * SECOND + SECOND / 100;
    assert!(!line.raiser.is_due(BootTime(due - 1)) && line.raiser.due(BootTime(due - 1)).is_empty());
    assert!(line.raiser.is_due(BootTime(due)));
    let alerts = line.raiser.due(BootTime(due));
    let [alert] = &*alerts else { panic!("{}", alerts.len()) };
    assert_eq!((bytes(alert), alert.revision, alert.suppressed), (FIRST + 40 * 60_000, 1, 39));
    assert_eq!(alert.time, BootTime(2 * SECOND + 40 * SECOND / 100), "when it happened, not when it was said");
    assert!(alert.sentence.contains("sent 4.4 MB"), "{}", alert.sentence);
    assert!(line.raiser.rest(BootTime(u64::MAX)).is_empty());
    let statistics = line.raiser.statistics();
    assert_eq!((statistics.raised, statistics.updated, statistics.suppressed, statistics.trailing), (1, 0, 40, 1));
    // From here on it is what was said: the flow's end with as much is no news, and twice as much is.
    held(&mut line, ID, 40 * SECOND, 8_799_999);
    assert_eq!(line.one(&sent(41 * SECOND, ID, 6, 8_800_000, FlowReason::Grown)).unwrap().revision, 2);
}

#[test]
fn a_drip_is_said_ever_more_rarely_and_after_silence_soon_again() {
    let mut line = told(Limits::default());
    let (mut now, mut sent) = (2 * SECOND, FIRST);
    let mut wait = |line: &mut Line, quiet: u64| {
        now += quiet * SECOND;
        sent += sent / 40;
        held(line, ID, now, sent);
        let seconds = (1..10_000).find(|seconds| line.raiser.is_due(BootTime(now + seconds * SECOND))).unwrap();
        now += seconds * SECOND;
        assert_eq!(line.raiser.due(BootTime(now)).iter().map(bytes).collect::<Vec<_>>(), [sent]);
        seconds
    };
    let waits: Vec<u64> = (0..15).map(|_| wait(&mut line, 0)).collect();
    assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 3600, 3600, 3600]);
    assert_eq!(wait(&mut line, 3_600), 3_600);
    assert_eq!((wait(&mut line, 3_601), wait(&mut line, 0)), (1, 2));
}

#[test]
fn only_what_is_a_fiftieth_more_than_was_said_waits() {
    let mut line = told(Limits::default());
    held(&mut line, ID, 3 * SECOND, FIRST + 39_999);
    assert_eq!(line.raiser.trailing_len(), 0);
    held(&mut line, ID, 3 * SECOND, FIRST + 40_000);
    assert_eq!(line.raiser.trailing_len(), 1);
    // Less than before, where a window has moved on, does not undo it.
    held(&mut line, ID, 3 * SECOND, FIRST + 60_000);
    held(&mut line, ID, 3 * SECOND, FIRST + 50_000);
    assert_eq!(line.raiser.rest(BootTime(3 * SECOND)).iter().map(bytes).collect::<Vec<_>>(), [FIRST + 60_000]);

    // What is said meanwhile takes it along, if it is as much.
    let mut line = told(Limits::default());
    held(&mut line, ID, 3 * SECOND, 3_000_000);
    assert!(line.one(&sent(3 * SECOND, ID, 5, 2_100_000, FlowReason::Closed)).is_some());
    assert_eq!(line.raiser.trailing_len(), 1);
    assert!(line.one(&sent(3 * SECOND, ID, 5, 9_000_000, FlowReason::Closed)).is_some());
    assert_eq!((line.raiser.trailing_len(), line.raiser.is_due(BootTime(u64::MAX))), (0, false));
}

#[test]
fn totals_are_bounded_and_none_is_lost_for_want_of_room() {
    let mut line = Line::new(Limits { trailing: 2, ..Limits::default() });
    for container in ["a", "b", "c"] {
        tell(&mut line, container, 2 * SECOND);
    }
    held(&mut line, "b", 2 * SECOND, 3_000_000);
    held(&mut line, "a", 2 * SECOND + 1, 3_000_001);
    assert!(!line.raiser.is_due(BootTime(2 * SECOND + 1)));
    held(&mut line, "c", 2 * SECOND + 2, 3_000_002);
    let now = BootTime(2 * SECOND + 2);
    assert_eq!(line.raiser.due(now).iter().map(bytes).collect::<Vec<_>>(), [3_000_000], "the first");
    assert_eq!(line.raiser.rest(now).iter().map(bytes).collect::<Vec<_>>(), [3_000_001, 3_000_002]);
    let statistics = line.raiser.statistics();
    assert_eq!((statistics.trailing, statistics.hurried, statistics.lost), (3, 1, 0));

    let mut line = told(Limits { said: 1, ..Limits::default() });
    held(&mut line, ID, 3 * SECOND, 3_000_000);
    tell(&mut line, "other", 3 * SECOND);
    assert!(line.raiser.rest(BootTime(3 * SECOND)).is_empty());
    assert_eq!((line.raiser.statistics().lost, line.raiser.statistics().trailing), (1, 0));
}
