//! Names that come after the alert.

use super::super::enrichment::{KEPT, Unnamed};
use super::*;
use crate::event::{Identity, WorkloadIdentified};
use std::sync::LazyLock;

/// An alert of this container, number `number`.
fn alert(number: u32, container: &str, time: u64, named: bool) -> Alert {
    static RULE: LazyLock<Arc<Rule>> =
        LazyLock::new(|| Arc::clone(RuleSet::embedded().unwrap().rules().next().unwrap()));
    let mut event = Event::clone(&opened(time, "/usr/bin/python3", container, "/models/a.safetensors"));
    if named && let Some(workload) = &mut event.workload {
        Arc::make_mut(workload).identity = Some(Arc::default());
    }
    let decisive = Arc::new(event);
    Alert {
        uid: Uid::from_digest(&[[0; 12].as_slice(), &number.to_be_bytes()].concat()),
        revision: 0,
        rule: Arc::clone(&RULE),
        ruleset: "".into(),
        time: BootTime(time),
        begun: BootTime(time),
        sentence: String::new(),
        evidence: Vec::new(),
        decisive,
        group: Arc::default(),
        suppressed: 0,
        incident: None,
    }
}

fn named(container: &str, time: u64) -> Arc<Event> {
    let identity = Identity {
        container_name: Some("server".into()),
        pod_name: Some("llama\u{1b}[31m-0".into()),
        namespace: Some("prod".into()),
        ..Identity::default()
    };
    let told = WorkloadIdentified { container_id: container.into(), identity: Arc::new(identity) };
    let mut event = Event::new(BootTime(time), None, Actor::default(), Body::WorkloadIdentified(told));
    crate::workload::Table::new(4).identify(&mut event);
    Arc::new(event)
}

/// The alerts that are enriched when the container is named.
fn enriched(unnamed: &mut Unnamed, container: &str, time: u64) -> Vec<Uid> {
    unnamed.named(&named(container, time)).into_iter().map(|enrichment| enrichment.alert).collect()
}

#[test]
fn an_alert_of_a_container_without_a_name_is_enriched_once() {
    let mut unnamed = Unnamed::default();
    let (first, second) = (alert(1, "c1", SECOND, false), alert(2, "c1", 2 * SECOND, false));
    for alert in [&first, &first, &second, &alert(3, "c1", SECOND, true), &alert(4, "c2", SECOND, false)] {
        unnamed.said(alert);
    }
    let told = unnamed.named(&named("c1", 3 * SECOND));
    assert_eq!(told.iter().map(|enrichment| enrichment.alert).collect::<Vec<_>>(), [first.uid, second.uid]);
    assert_eq!(enriched(&mut unnamed, "c1", 4 * SECOND), [], "said once");
    let sentence = told[0].sentence();
    assert!(sentence.starts_with("container c1 is server, pod llama") && !sentence.contains('\u{1b}'), "{sentence}");
    let record = serde_json::to_value(told[0].record(WallClock { boot_unix_nanos: 0 })).unwrap();
    assert_eq!((&record["event_name"], &record["severity_number"]), (&"weir.enrichment".into(), &9.into()));
    let attributes = &record["attributes"];
    assert_eq!(attributes["weir.alert.uid"], first.uid.to_string());
    assert_eq!(attributes["log.record.uid"], format!("{}/identity", first.uid));
    assert_eq!((&attributes["k8s.namespace.name"], &attributes["container.id"]), (&"prod".into(), &"c1".into()));
    // That of the other container is too old by then.
    assert_eq!(enriched(&mut unnamed, "c2", SECOND + KEPT.as_nanos() as u64), []);
    assert_eq!((unnamed.statistics().unnamed, unnamed.statistics().enriched), (3, 2));
}

#[test]
fn what_waits_for_names_is_bounded() {
    let mut unnamed = Unnamed::default();
    (0..40).for_each(|number| unnamed.said(&alert(number, "c", SECOND, false)));
    assert_eq!(unnamed.statistics().refused, 8);
    assert_eq!(enriched(&mut unnamed, "c", SECOND).len(), 32);
}
