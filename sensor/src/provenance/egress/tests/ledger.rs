use super::super::{Limits, account_of};
use super::scene::{DAY, FAR, MIB, Scene, flow, grown_body};
use crate::event::{Body, EgressGrown, Flow, FlowReason, Transport, Workload};

#[test]
fn what_leaves_is_summed_over_flows_and_reports() {
    let mut scene = Scene::new(Limits::default());
    assert_eq!(scene.stand("other").exfil, None, "nothing is held");
    for (flow, sent) in [
        (flow(1, FAR, 500), 500),
        (flow(1, FAR, 500), 500),
        (Flow { reason: FlowReason::Closed, ..flow(1, FAR, 600) }, 600),
        // Another socket, and another peer of an unconnected one.
        (flow(2, FAR, 30), 630),
        (flow(2, "203.0.113.10", 7), 637),
        // Declared, and accepted.
        (flow(3, "10.1.2.3", 9_000), 637),
        (Flow { initiated: false, ..flow(5, FAR, 9_000) }, 637),
        // Peers for which there was no room: the one that is named says nothing.
        (Flow { peers_merged: true, ..flow(6, "10.1.2.3", 3) }, 640),
        (Flow { peers_merged: true, ..flow(6, FAR, 5) }, 642),
        // A socket's number that came back.
        (flow(2, FAR, 8), 650),
    ] {
        let body = format!("{flow:?}");
        let egress = scene.flow("holder", flow).expect("they leave");
        assert_eq!(egress.exfil.map(|exfil| exfil.bytes), Some(sent), "{body}");
    }
    for here in ["127.0.0.1", "::1", "::ffff:127.0.0.1", "0.0.0.0"] {
        assert_eq!(scene.flow("holder", flow(4, here, 9_000)), None, "{here} is this host");
    }
    let stand = scene.stand("holder");
    assert_eq!(stand.exfil.map(|exfil| (exfil.bytes, exfil.accepted_bytes)), Some((650, 9_000)));
    assert_eq!(scene.counts().flows, 5, "closed flows are forgotten");
}

#[test]
fn bytes_from_before_weights_were_held_are_usual_and_no_exfiltration() {
    let mut scene = Scene::new(Limits::default());
    let first = scene.flow("a", flow(1, FAR, 4_000_000)).unwrap();
    assert_eq!((first.exfil, first.destination.bytes, first.destination.first), (None, 4_000_000, true));
    scene.grown("a", FAR, 4_000_000);
    // It comes to hold.
    let mut event = scene.happens("a", Body::Flow(flow(1, FAR, 4_000_000)));
    event.egress = None;
    scene.ledger.charge(&mut event, Some(&super::scene::holding()), &scene.declared);
    let egress = event.egress.unwrap();
    assert_eq!((egress.exfil.map(|exfil| exfil.bytes), egress.destination.bytes), (Some(0), 4_000_000));
}

#[test]
fn what_the_counters_tell_of_one_who_holds_what_others_opened_counts_too() {
    let mut scene = Scene::new(Limits::default());
    // Its sender read another workload's memory: only a flow, which has a process, shows that.
    let flows = |scene: &mut Scene, bytes| {
        let mut event = scene.happens("a", Body::Connect(super::scene::connect()));
        event.body = Body::Flow(flow(1, FAR, bytes));
        scene.ledger.hold(&event, &super::scene::holding());
        scene.ledger.charge(&mut event, Some(&super::scene::holding()), &scene.declared);
        event.egress.and_then(|egress| egress.exfil).map(|exfil| exfil.bytes)
    };
    assert_eq!(flows(&mut scene, 100), Some(100));
    scene.now += 1;
    scene.grown("a", FAR, 700);
    scene.now -= 1;
    // Told by the flow when the counter had told it.
    assert_eq!(flows(&mut scene, 800), Some(800));
}

#[test]
fn the_counters_and_the_flows_count_each_byte_once_whoever_is_ahead() {
    let mut scene = Scene::new(Limits::default());
    let mut total = |flows: u64, counter: u64| {
        if flows > 0 {
            scene.flow("holder", flow(1, FAR, flows));
        }
        if counter > 0 {
            scene.grown("holder", FAR, counter);
        }
        scene.sent("holder").unwrap()
    };
    // (cumulative of the flow, growth of the counter): the maximum of both counts.
    assert_eq!(total(100, 0), 100);
    assert_eq!(total(0, 100), 100, "the counter has caught up");
    assert_eq!(total(0, 500), 600, "no report of the flow is due yet, or it was lost");
    assert_eq!(total(550, 0), 600);
    assert_eq!(total(700, 0), 700);
    assert_eq!(total(0, 300), 900);
    assert_eq!(total(900, 0), 900);
    // Another protocol and another direction are other counters.
    let grown = |transport, initiated| {
        let peer = Some(FAR.parse().unwrap());
        Body::Egress(EgressGrown { peer, transport, initiated, bytes: 50, grown: 50 })
    };
    scene.happens("holder", grown(Transport::Udp, true));
    assert_eq!(scene.sent("holder"), Some(950));
    scene.happens("holder", grown(Transport::Tcp, false));
    assert_eq!(scene.sent("holder"), Some(950));
}

#[test]
fn a_counter_names_whoever_was_last_seen_to_send_there() {
    let mut scene = Scene::new(Limits::default());
    let alone = scene.happens("holder", grown_body(FAR, 10));
    assert_eq!(alone.actor.process, None);
    scene.flow("holder", flow(1, FAR, 10));
    assert_eq!(scene.happens("holder", grown_body(FAR, 10)).actor.process.map(|process| process.pid), Some(7));
}

#[test]
fn three_clocks_run() {
    let mut scene = Scene::new(Limits::default());
    let mut at = |now: u64, grown: u64| {
        scene.now = now;
        if grown > 0 {
            scene.grown("holder", FAR, grown);
        }
        let exfil = scene.stand("holder").exfil.unwrap();
        (exfil.burst_bytes, exfil.day_bytes, exfil.bytes)
    };
    assert_eq!(at(0, 100), (100, 100, 100));
    assert_eq!(at(9 * 60, 10), (110, 110, 110));
    assert_eq!(at(10 * 60, 0), (10, 110, 110));
    assert_eq!(at(3_600 * 23, 1), (1, 111, 111));
    assert_eq!(at(3_600 * 24, 0), (0, 1, 111));
    assert_eq!(at(DAY * 29, 0), (0, 0, 111));
    assert_eq!(at(DAY * 30, 0), (0, 0, 0));
    assert_eq!(at(DAY * 3, 5), (5, 5, 5), "time does not go back");
}

#[test]
fn a_declared_destination_has_a_budget_that_follows_what_is_usual_or_what_is_declared() {
    let mut scene = Scene::new(Limits::default());
    let day = |scene: &mut Scene, day: u64, peer: &str, bytes: u64| {
        scene.now = day * DAY;
        let sums = scene.grown("holder", peer, bytes).unwrap().destination;
        assert!(sums.declared);
        (sums.budget_day_bytes, sums.usual_day_bytes, sums.over_budget())
    };
    // No budget is declared: on the first day 64 MiB.
    assert_eq!(day(&mut scene, 0, "10.1.1.1", 64 * MIB), (Some(64 * MIB), None, Some(false)));
    assert_eq!(day(&mut scene, 0, "10.1.1.2", 1), (Some(64 * MIB), None, Some(true)), "the whole network is one");
    // From then on three times the most of a complete day, and that.
    let usual = 64 * MIB + 1;
    assert_eq!(day(&mut scene, 2, "10.1.1.1", MIB), (Some(3 * usual + 64 * MIB), Some(usual), Some(false)));
    assert_eq!(day(&mut scene, 3, "10.1.1.1", 4_000 * MIB).2, Some(true), "it usually gets 64 MiB");
    // A budget is declared: the first day is as good as any.
    assert_eq!(day(&mut scene, 0, "192.0.2.7", 1_000_000_000), (Some(1_000_000_000), None, Some(false)));
    assert_eq!(day(&mut scene, 0, "192.0.2.7", 1).2, Some(true));
    assert_eq!(
        day(&mut scene, 3, "10.9.1.1", u64::MAX / 2),
        (None, None, Some(false)),
        "the nearer entry says unlimited"
    );
    let undeclared = scene.grown("holder", FAR, 1).unwrap().destination;
    assert_eq!((undeclared.over_budget(), undeclared.budget_day_bytes), (None, None));
}

#[test]
fn what_a_destination_is_called_and_when_it_is_new() {
    let mut scene = Scene::new(Limits::default());
    let mut sums = |peer: &str| scene.grown("holder", peer, 5).unwrap().destination;
    let first = sums(FAR);
    assert_eq!((&*first.id, first.first, first.public, first.declared), (FAR, true, true, false));
    assert!(!sums(FAR).first);
    let declared = sums("10.3.4.5");
    assert_eq!((&*declared.id, declared.first, declared.public), ("10.0.0.0/8", true, false));
    assert!(!sums("10.3.4.6").first, "of one entry");
    let others = sums("others");
    assert_eq!((&*others.id, others.first, others.declared), ("others", false, false));
}

#[test]
fn whose_account_it_is_outlives_a_container() {
    let workload = |container: &str, pod: Option<&str>, unit: Option<&str>, job: Option<&str>| Workload {
        id: format!("container:{container}").into(),
        container_id: Some(container.into()).filter(|_| !container.is_empty()),
        pod_uid: pod.map(Into::into),
        systemd_unit: unit.map(Into::into),
        slurm_job: job.map(Into::into),
        ..Workload::default()
    };
    assert_eq!(account_of(&workload("a", Some("p"), None, None)), account_of(&workload("b", Some("p"), None, None)));
    assert_ne!(account_of(&workload("a", Some("p"), None, None)), account_of(&workload("a", Some("q"), None, None)));
    assert_ne!(
        account_of(&workload("a", None, Some("docker"), None)),
        account_of(&workload("b", None, Some("docker"), None))
    );
    assert_eq!(&*account_of(&workload("", None, Some("x.service"), None)), "systemd:x.service");
    assert_eq!(&*account_of(&workload("", None, None, Some("77"))), "slurm:77");
}

#[test]
fn saving_changes_nothing_that_is_told() {
    let told = |saves: bool, destinations: usize| {
        let mut scene = Scene::new(Limits { destinations, ..Limits::default() });
        let mut told = Vec::new();
        for day in 0..130 {
            scene.now = day * DAY;
            // Each comes again when nothing of it is left in any sum.
            let peer = format!("203.0.113.{}", day % 40);
            told.push(scene.grown(if day % 3 == 0 { "holder" } else { "other" }, &peer, 1_000 + day * 7 % 11));
            if saves {
                scene.ledger.save();
            }
        }
        told
    };
    for destinations in [256, 8] {
        let without = told(false, destinations);
        assert_eq!(without, told(true, destinations));
        let first = |egress: &Option<Box<crate::event::Egress>>| egress.as_ref().unwrap().destination.first;
        assert!(without.iter().all(first), "after 40 days each is new again");
    }
}
