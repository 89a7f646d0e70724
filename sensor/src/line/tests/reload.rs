//! What a line keeps when other rules come into effect.

use super::super::*;
use super::sums::{CGROUP, Scene};
use crate::alert::Alert;
use crate::event::{Access, Actor, Classes, EgressGrown, FileId, Transport};
use std::net::IpAddr;

const MIB: u64 = 1 << 20;

/// The shipped rules with these declared destinations.
fn rules(declared: &str) -> RuleSet {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("lists")).unwrap();
    std::fs::write(directory.path().join("lists/declared_destinations.txt"), declared).unwrap();
    RuleSet::load_dir(directory.path()).unwrap()
}

fn sent(scene: &mut Scene, seconds: u64, peer: &str, grown: u64) -> Vec<Alert> {
    let peer: Option<IpAddr> = Some(peer.parse().unwrap());
    let body = EgressGrown { peer, transport: Transport::Udp, initiated: true, bytes: grown, grown };
    let alerts = scene.happens(seconds, Body::Egress(body));
    alerts.into_iter().filter(|alert| &*alert.rule.name != "egress_first_destination").collect()
}

fn reload(scene: &mut Scene, seconds: u64, reload: Reload) -> Event {
    let body = scene.line.reload(reload);
    let event = Event::new(BootTime(seconds * 1_000_000_000), None, Actor::default(), body);
    scene.line.push(event.clone());
    event
}

fn told(alerts: &[Alert]) -> Vec<(&str, u32, &str, u64)> {
    let bytes = |alert: &Alert| alert.decisive.egress.as_ref().unwrap().exfil.as_ref().unwrap().bytes;
    alerts.iter().map(|alert| (&*alert.rule.name, alert.revision, &*alert.ruleset, bytes(alert))).collect()
}

#[test]
fn what_has_left_and_what_was_said_stay_and_alerts_name_the_version_that_found_them() {
    let mut scene = Scene::new("10.0.0.0/8\n");
    let before = rules("10.0.0.0/8\n").digest().clone();
    let other = rules("10.0.0.0/8\n192.0.2.0/24 unlimited\n");
    let after = other.digest().clone();
    assert_ne!(before, after);
    assert_eq!(told(&sent(&mut scene, 1, "203.0.113.9", MIB)), [("egress_burst", 0, &*before, MIB)]);
    // Grown, and it waits to be said.
    assert_eq!(told(&sent(&mut scene, 1, "203.0.113.9", MIB / 2)), []);

    let event = reload(&mut scene, 1, Reload::new(other, Policy::default(), None, "classes"));
    let Body::Reloaded(reloaded) = &event.body else { panic!("{event:?}") };
    assert_eq!((&*reloaded.ruleset, &*reloaded.classes), (&*after, "classes"));
    // The total was found by the rules before, and says so.
    let next = sent(&mut scene, 2, "192.0.2.7", 4 * MIB);
    assert_eq!(told(&next), [("egress_burst", 1, &*before, MIB * 3 / 2)], "declared since: nothing more");
    // The sum goes on, and so does what was said: not as new.
    let next = sent(&mut scene, 3, "203.0.113.9", 4 * MIB);
    let day = ("egress_day", 0, &*after, MIB * 11 / 2);
    assert!(told(&next).contains(&day), "{:?}", told(&next));
    assert!(
        told(&next)
            .iter()
            .all(|(name, revision, version, _)| *version == &*after && (*name != "egress_burst" || *revision > 0))
    );
}

#[test]
fn other_classes_hold_from_then_on() {
    let mut scene = Scene::new("10.0.0.0/8\n");
    let opened = |scene: &mut Scene, seconds: u64, path: &str| {
        let file =
            File { id: Some(FileId { device: 1, inode: seconds }), path: path.into(), size: 1, ..File::default() };
        let open = Open {
            file,
            access: Access::Read,
            flags: 0,
            io_uring: false,
            candidate: false,
            carrier: false,
            created: false,
        };
        let actor = Actor { cgroup: CGROUP, ..Actor::default() };
        let (event, _) = scene.line.push(Event::new(BootTime(seconds * 1_000_000_000), None, actor, Body::Open(open)));
        match &event.body {
            Body::Open(open) => open.file.classes,
            _ => Classes::default(),
        }
    };
    let weights = Classes::default().with(crate::event::Class::Weights);
    assert_eq!(opened(&mut scene, 1, "/x/a.safetensors"), weights);
    assert_eq!(opened(&mut scene, 2, "/x/a.blob"), Classes::default());
    let classes = ClassTable::parse("weights:\n  suffixes: [blob]\n", "own.yml").unwrap();
    reload(&mut scene, 3, Reload::new(rules("10.0.0.0/8\n"), Policy::default(), Some(classes), "other"));
    assert_eq!(opened(&mut scene, 4, "/x/a.safetensors"), Classes::default());
    assert_eq!(opened(&mut scene, 5, "/x/a.blob"), weights);
}
