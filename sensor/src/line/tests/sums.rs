//! Through the whole line: what the ledger's sums are told as.

use super::super::*;
use crate::alert::Alert;
use crate::event::{
    Access, Actor, Body, BootTime, Cgroup, CgroupKey, EgressGrown, File, FileId, Open, ProcessKey, Tick, Transport,
};

const DAY: u64 = 86_400;
const MIB: u64 = 1 << 20;
/// In the shipped classes by its suffix.
const MODEL: &str = "/models/llama.safetensors";

/// A container that has read 16 GB of weights on the day 0.
pub(super) struct Scene {
    pub(super) line: Line,
    _rules: tempfile::TempDir,
}

pub(super) const CGROUP: CgroupKey = CgroupKey { hierarchy: 0, id: 4242 };

impl Scene {
    /// With these entries of declared destinations.
    pub(super) fn new(declared: &str) -> Scene {
        let rules = tempfile::tempdir().unwrap();
        std::fs::create_dir(rules.path().join("lists")).unwrap();
        std::fs::write(rules.path().join("lists/declared_destinations.txt"), declared).unwrap();
        let set = RuleSet::load_dir(rules.path()).unwrap();
        let mut scene =
            Scene { line: Line::new(set, ClassTable::load(None).unwrap(), Limits::default()), _rules: rules };
        let path = format!("/system.slice/docker-{}.scope", "3f4e5a6b".repeat(8));
        scene.happens(0, Body::Cgroup(Cgroup { key: CGROUP, path: path.into() }));
        let id = Some(FileId { device: 1, inode: 2 });
        let file = File { id, path: MODEL.into(), size: 16_000_000_000, links: 1, ..File::default() };
        scene.happens(
            0,
            Body::Open(Open {
                file,
                access: Access::Read,
                flags: 0,
                io_uring: false,
                candidate: false,
                carrier: false,
                created: false,
            }),
        );
        scene
    }

    pub(super) fn happens(&mut self, seconds: u64, body: Body) -> Vec<Alert> {
        // What only the kernel's counters tell has no process.
        let process = (!matches!(body, Body::Egress(_))).then_some(ProcessKey { pid: 7, start_ticks: 1 });
        let actor = Actor { process, cgroup: CGROUP, ..Actor::default() };
        let (_, notices) = self.line.push(Event::new(BootTime(seconds * 1_000_000_000), None, actor, body));
        let alert = |notice| if let Notice::Alert(alert) = notice { Some(*alert) } else { None };
        notices.into_iter().filter_map(alert).collect()
    }

    /// The names and levels of the alerts when so much more has left.
    pub(super) fn sent(&mut self, seconds: u64, peer: &str, grown: u64) -> Vec<(String, &'static str)> {
        let peer = Some(peer.parse().unwrap());
        let body = EgressGrown { peer, transport: Transport::Udp, initiated: true, bytes: grown, grown };
        let alerts = self.happens(seconds, Body::Egress(body));
        for alert in &alerts {
            assert!(alert.sentence.contains("container 3f4e5a6b3f4e"), "{}", alert.sentence);
        }
        alerts.iter().map(|alert| (alert.rule.name.to_string(), alert.rule.level.name())).collect()
    }
}

fn names<'a>(alerts: &'a [(String, &'static str)]) -> Vec<(&'a str, &'static str)> {
    alerts.iter().map(|(name, level)| (name.as_str(), *level)).collect()
}

#[test]
fn a_drip_of_forty_days_is_told_by_the_long_clock_alone() {
    let mut scene = Scene::new("10.0.0.0/8\n");
    let mut told = Vec::new();
    for hour in 0..40 * 24 {
        // 90 KiB an hour, each to another address: 2.1 MiB a day, far below what the shorter clocks take for much.
        let peer = format!("203.0.113.{}", hour % 250);
        let alerts = scene.sent(hour * 3_600, &peer, 90 * 1024);
        told.extend(
            alerts.into_iter().filter(|(_, level)| *level != "low").map(|(name, level)| (hour / 24, name, level)),
        );
    }
    // 63.3 MiB are what is in 30 days of this; so it is never 64 MiB of 16 GB.
    assert_eq!(told, []);
    let mut scene = Scene::new("10.0.0.0/8\n");
    for hour in 0..40 * 24 {
        let alerts = scene.sent(hour * 3_600, &format!("203.0.113.{}", hour % 250), 120 * 1024);
        told.extend(
            alerts.into_iter().filter(|(_, level)| *level != "low").map(|(name, level)| (hour / 24, name, level)),
        );
    }
    assert_eq!(
        told.first().map(|(day, name, level)| (*day, name.as_str(), *level)),
        Some((22, "egress_month", "critical"))
    );
    // It goes on to 84 MiB: said at each fiftieth more.
    assert!(told.iter().all(|(_, name, _)| name == "egress_month") && told.len() <= 15, "{} {told:?}", told.len());
}

#[test]
fn a_burst_a_day_and_a_month_each_raise_it() {
    let mut scene = Scene::new("10.0.0.0/8\n");
    assert_eq!(names(&scene.sent(1, "203.0.113.9", MIB - 1)), [("egress_first_destination", "low")]);
    // That it is a new destination goes without saying: the burst has named it.
    assert_eq!(names(&scene.sent(2, "203.0.113.10", 1)), [("egress_burst", "medium")]);
    assert_eq!(names(&scene.sent(3, "203.0.113.9", 4 * MIB)), [("egress_day", "high")]);
    assert_eq!(names(&scene.sent(4, "203.0.113.9", 59 * MIB)), [("egress_month", "critical")]);
    assert_eq!(names(&scene.sent(5, "203.0.113.9", 1)), [], "told");
}

#[test]
fn checkpoints_to_a_declared_bucket_are_silent_from_the_first_day_on_and_four_times_as_much_is_not() {
    let mut scene = Scene::new("203.0.113.0/24 500GB/day\n198.51.100.0/24 unlimited\n192.0.2.0/24\n");
    for day in 0..3 {
        assert_eq!(names(&scene.sent(day * DAY, "203.0.113.9", 400_000_000_000)), []);
        assert_eq!(names(&scene.sent(day * DAY, "198.51.100.9", 400_000_000_000)), []);
        assert_eq!(names(&scene.sent(day * DAY, "192.0.2.9", MIB)), []);
    }
    assert_eq!(names(&scene.sent(3 * DAY, "203.0.113.9", 500_000_000_001)), [("egress_over_budget", "high")]);
    // The one that usually gets 1 MiB a day.
    assert_eq!(names(&scene.sent(3 * DAY, "192.0.2.9", 67 * MIB)), []);
    assert_eq!(names(&scene.sent(3 * DAY, "192.0.2.10", 4_000 * MIB)), [("egress_over_budget", "high")]);
}

#[test]
fn what_a_sum_came_to_is_told_with_what_comes_next_or_with_a_tick() {
    let bytes = |alerts: &[Alert]| -> Vec<(String, u64)> {
        let exfil = |alert: &Alert| alert.decisive.egress.as_ref().unwrap().exfil.as_ref().unwrap().bytes;
        alerts.iter().map(|alert| (alert.rule.name.to_string(), exfil(alert))).collect()
    };
    let burst = |bytes| ("egress_burst".to_string(), bytes);
    let mut scene = Scene::new("10.0.0.0/8\n");
    scene.sent(1, "203.0.113.9", MIB);
    assert_eq!(names(&scene.sent(1, "203.0.113.9", MIB / 4)), []);
    assert_eq!(names(&scene.sent(1, "203.0.113.9", MIB / 4)), []);
    // What correlations wait for, to have it in order.
    let tick = Event::new(BootTime(1_100_000_000), None, Actor::default(), Body::Tick(Tick::default()));
    assert!(scene.line.push(tick).1.is_empty());
    assert!(!scene.line.is_due(BootTime(1_999_999_999)) && scene.line.is_due(BootTime(2_000_000_000)));
    assert_eq!(bytes(&scene.happens(2, Body::Tick(Tick::default()))), [burst(MIB * 3 / 2)]);
    // Anything tells the time.
    assert_eq!(names(&scene.sent(3, "203.0.113.9", MIB / 4)), []);
    let path = "/system.slice/other.service".into();
    let other = Body::Cgroup(Cgroup { key: CgroupKey { hierarchy: 0, id: 1 }, path });
    assert_eq!(bytes(&scene.happens(4, other.clone())), []);
    assert_eq!(bytes(&scene.happens(5, other)), [burst(MIB * 7 / 4)]);
    // And with the last one all is said.
    assert_eq!(names(&scene.sent(6, "203.0.113.9", MIB / 4)), []);
    assert_eq!(bytes(&scene.happens(6, Body::Tick(Tick::default()))), []);
    assert_eq!(bytes(&scene.happens(6, Body::Tick(Tick { last: true }))), [burst(2 * MIB)]);
    assert!(!scene.line.is_due(BootTime(u64::MAX)));
}
