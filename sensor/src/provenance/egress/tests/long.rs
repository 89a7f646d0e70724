//! Patience, crowds and restarts.

use super::super::Limits;
use super::scene::{DAY, FAR, MIB, SECOND, Scene, flow, grown_body, holding};
use crate::event::{Actor, Body, BootTime, Event, SavedLedger, Workload};
use std::sync::Arc;

#[test]
fn forty_days_of_little_a_day_cross_the_long_clock() {
    let mut scene = Scene::new(Limits::default());
    let mut first_critical = None;
    for day in 0..40 {
        for part in 0..4 {
            scene.now = day * DAY + part * 6 * 3_600;
            // Each time to another address.
            let peer = format!("203.0.113.{}", day * 4 + part);
            let exfil = scene.grown("holder", &peer, MIB).unwrap().exfil.unwrap();
            assert!(exfil.burst_bytes <= MIB && exfil.day_bytes <= 4 * MIB, "the short clocks see nothing");
            assert_eq!(exfil.bytes, (day * 4 + part + 1).min(29 * 4 + part + 1) * MIB);
            if exfil.bytes >= 64 * MIB {
                first_critical.get_or_insert(day);
            }
        }
    }
    assert_eq!(first_critical, Some(15));
}

#[test]
fn a_million_destinations_change_nothing_about_the_sum_and_little_about_memory() {
    let mut scene = Scene::new(Limits::default());
    scene.grown("holder", FAR, 64 * MIB);
    for number in 0..1_000_000_u32 {
        let peer = std::net::Ipv6Addr::from(0x2001_0db8 << 96 | u128::from(number)).to_string();
        let grown = scene.grown("holder", &peer, 10).unwrap();
        assert_eq!(grown.destination.bytes, 10, "each is seen for itself at first");
    }
    assert_eq!(scene.sent("holder"), Some(64 * MIB + 10_000_000));
    let counts = scene.counts();
    assert!(counts.destinations_merged > 999_000, "{counts:?}");
    let saved = scene.ledger.save().unwrap();
    let [account] = saved.accounts.as_slice() else { panic!("{}", saved.accounts.len()) };
    assert!(account.destinations.len() <= Limits::default().destinations);
    let all: u64 = account.destinations.iter().flat_map(|d| &d.month.0).map(|(_, bytes)| bytes).sum();
    assert_eq!(all, 64 * MIB + 10_000_000, "merged, not forgotten");
    assert_eq!(scene.stand("holder").destination.bytes, 64 * MIB, "the one with most bytes stays");
}

#[test]
fn crowds_are_bounded_over_all_accounts_and_cannot_push_out_holders() {
    let limits = Limits { accounts: 50, destinations: 40, rows: 200, ..Limits::default() };
    let mut scene = Scene::new(limits);
    scene.grown("holder", FAR, 1_000);
    for account in 0..200 {
        for peer in 0..60 {
            scene.grown(&format!("crowd-{account}"), &format!("203.0.113.{peer}"), 10);
        }
    }
    assert_eq!(scene.sent("holder"), Some(1_000));
    let counts = scene.counts();
    assert_eq!((counts.others_evicted.live, counts.holders_evicted.live, counts.accounts), (150, 0, 51));
    let rows: usize = scene.ledger.save().unwrap().accounts.iter().map(|account| account.destinations.len()).sum();
    assert!(rows <= 200, "{rows}");
}

#[test]
fn flows_and_channels_are_bounded_and_counted_and_so_is_what_has_no_workload() {
    let mut scene = Scene::new(Limits { flows: 2, channels: 2, ..Limits::default() });
    for cookie in 1..=3 {
        scene.flow("holder", flow(cookie, &format!("203.0.113.{cookie}"), 1));
    }
    assert_eq!(scene.flow("", flow(9, FAR, 11)), None);
    let counts = scene.counts();
    assert_eq!((counts.flows, counts.flows_evicted.live, counts.channels_evicted.live), (2, 2, 2));
    assert_eq!((counts.unattributed, counts.unattributed_bytes), (1, 11));
    assert_eq!(scene.sent("holder"), Some(3));
}

/// Seconds since the epoch of a Tuesday's noon.
const NOON: u64 = 20_000 * DAY + DAY / 2;

fn saved_at_noon() -> SavedLedger {
    let mut scene = Scene::restored(SavedLedger::default(), NOON);
    let event = |workload: &str| {
        let mut event = Event::new(BootTime(60 * SECOND), None, Actor::default(), grown_body(FAR, 0));
        event.workload = Some(Arc::new(Workload { id: workload.into(), ..Workload::default() }));
        event
    };
    scene.ledger.hold(&event("quiet"), &holding());
    scene.grown("holder", FAR, 5 * MIB);
    scene.grown("holder", "10.0.0.1", 7 * MIB);
    scene.grown("other", FAR, 9 * MIB);
    let saved = scene.ledger.save().expect("it has changed");
    assert_eq!(scene.ledger.save(), None, "not since");
    saved
}

#[test]
fn a_restart_changes_nothing() {
    let saved = saved_at_noon();
    // Through the form in which it is kept.
    let text = serde_json::to_string(&saved).unwrap();
    let saved: SavedLedger = serde_json::from_str(&text).unwrap();
    // A minute later, after a reboot.
    let mut scene = Scene::restored(saved.clone(), NOON + 60);
    // The process still holds what it opened, though nobody saw it open anything since.
    let quiet = scene.grown("quiet", FAR, 3).unwrap();
    assert_eq!(quiet.exfil.unwrap().bytes, 3);
    assert_eq!(scene.grown("other", FAR, 1).unwrap().exfil, None, "whoever held nothing holds nothing");
    let stand = scene.stand("holder");
    let exfil = stand.exfil.unwrap();
    assert_eq!((exfil.burst_bytes, exfil.day_bytes, exfil.bytes), (5 * MIB, 5 * MIB, 5 * MIB));
    assert!(!scene.grown("holder", FAR, 1).unwrap().destination.first);
    assert_eq!(scene.grown("holder", "10.0.0.1", 1).unwrap().destination.day_bytes, 7 * MIB + 1);

    // Two days later.
    let mut scene = Scene::restored(saved.clone(), NOON + 2 * DAY);
    let exfil = scene.stand("holder").exfil.unwrap();
    assert_eq!((exfil.burst_bytes, exfil.day_bytes, exfil.bytes), (0, 0, 5 * MIB));
    let sums = scene.grown("holder", "10.0.0.1", 1).unwrap().destination;
    assert_eq!((sums.usual_day_bytes, sums.day_bytes), (Some(7 * MIB), 1));

    // Long after: nothing is left, and what was held then says nothing any more.
    let mut scene = Scene::restored(saved.clone(), NOON + 31 * DAY);
    assert_eq!(scene.sent("holder"), Some(0));
    assert_eq!(scene.grown("quiet", FAR, 3).unwrap().exfil, None);

    // The clock was set back by a year: the ledger goes on from where it was.
    let mut scene = Scene::restored(saved, NOON - 365 * DAY);
    assert_eq!(scene.sent("holder"), Some(5 * MIB));
}

#[test]
fn what_a_restart_remembers_is_only_believed_until_it_is_known_better() {
    let mut scene = Scene::restored(saved_at_noon(), NOON + 60);
    let of = |scene: &mut Scene, workload: &str| {
        scene.happens(
            workload,
            Body::Egress(match grown_body(FAR, 1) {
                Body::Egress(grown) => grown,
                _ => unreachable!("made as one"),
            }),
        )
    };
    for bytes in 1..=3 {
        assert_eq!(of(&mut scene, "quiet").egress.unwrap().exfil.unwrap().bytes, bytes, "again and again");
    }
    // Opened again: from now on whoever knows what is held knows it for this workload.
    let event = scene.happens("quiet", Body::Flow(flow(1, FAR, 1)));
    scene.ledger.hold(&event, &holding());
    assert_eq!(scene.ledger.remembered(&event), None);
}
