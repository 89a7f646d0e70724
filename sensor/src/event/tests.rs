use super::*;
use std::collections::HashSet;

#[test]
fn every_field_has_its_own_name_and_is_found_by_it() {
    let names: HashSet<_> = Field::ALL.iter().map(|field| field.name()).collect();
    assert_eq!(names.len(), Field::ALL.len());
    for field in Field::ALL {
        assert_eq!(Field::from_name(field.name()), Some(*field));
        assert!(field.doc().ends_with('.'), "{} needs a sentence", field.name());
    }
    assert_eq!(Field::from_name("no.such.field"), None);
}

#[test]
fn a_process_found_in_proc_and_in_an_event_has_one_key() {
    let from_event = ProcessKey::from_start(7, BootTime(1_234_567_899));
    assert_eq!(from_event, ProcessKey { pid: 7, start_ticks: 123 });
    assert_eq!(from_event.to_string(), "7-123");
}

#[test]
fn wall_time_is_the_civil_date_in_utc() {
    let clock = WallClock::new(1_000_000_000, BootTime(1_000_000_000));
    for (nanos, text) in [
        (0, "1970-01-01T00:00:00.000000Z"),
        (951_782_399_999_999_999, "2000-02-28T23:59:59.999999Z"),
        (951_782_400_000_000_000, "2000-02-29T00:00:00.000000Z"),
        (1_709_164_800_000_001_000, "2024-02-29T00:00:00.000001Z"),
        (4_107_542_400_000_000_000, "2100-03-01T00:00:00.000000Z"),
    ] {
        assert_eq!(clock.rfc3339(BootTime(nanos)).to_string(), text);
    }
}

#[test]
fn access_is_that_of_the_descriptor() {
    assert_eq!(Access::from_flags(0o2_000_000), Access::Read);
    assert_eq!(Access::from_flags(0o101), Access::Write);
    assert_eq!(Access::from_flags(2), Access::ReadWrite);
    assert_eq!(Access::from_flags(0o10_000_000), Access::None);
    assert_eq!(Access::from_flags(3), Access::None);
}
