//! What the rules cost: nanoseconds an event, and memory of a correlation that is flooded with groups.
//!
//! ```text
//! cargo run --release -p sensor --example rules_rate
//! ```
//! Events are the examples of the shipped rules. The thread's own CPU time, best of several runs, since another process can only make
//! one slower.

use rustix::time::{ClockId, clock_gettime};
use sensor::detection::{Engine, RuleSet, correlation};
use sensor::event::{Actor, Body, BootTime, Event, Exec, File, Fork, Process, ProcessKey, Workload};
use std::fmt::Write as _;
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;

const RUNS: usize = 7;
const EVENTS: usize = 50_000;
/// So many rules beside the shipped ones make 500.
const MANY: usize = 500;
const KEYS: u32 = 1_000_000;

fn main() {
    let shipped = RuleSet::embedded().unwrap_or_else(|error| panic!("{error}"));
    let directory = std::env::temp_dir().join(format!("weir-rules-rate-{}", std::process::id()));
    let many = many(&shipped, &directory);
    let _ = std::fs::remove_dir_all(&directory);
    let (matching, others) = events(&shipped);
    for (name, set) in [("shipped", &shipped), ("500", &many)] {
        let rules = set.rules().count();
        let report = |what: &str, events: &[Arc<Event>]| {
            let nanoseconds = (0..RUNS).map(|_| evaluate(set, events)).min_by(f64::total_cmp).unwrap_or(0.0);
            println!("{:40} {rules:4} rules {nanoseconds:6.0} ns/event", format!("{name}: {what}"));
        };
        report("no rule asks", &[fork()]);
        report("nothing matches", &others);
        report("rules match", &matching);
        report("one in a hundred matches", &mixed(&others, &matching));
    }
    flood();
}

fn cpu() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}

/// Nanoseconds an event.
fn evaluate(set: &RuleSet, events: &[Arc<Event>]) -> f64 {
    let mut engine = Engine::new(set.clone());
    let start = cpu();
    for event in events.iter().cycle().take(EVENTS) {
        black_box(engine.evaluate(black_box(event)));
    }
    (cpu() - start) / EVENTS as f64
}

/// The examples of the rules: those that some rule matches, and those that none does.
fn events(set: &RuleSet) -> (Vec<Arc<Event>>, Vec<Arc<Event>>) {
    let engine = Engine::new(set.clone());
    let events = set.examples().flat_map(|(rule, examples)| {
        let category = match rule.logic {
            sensor::detection::Logic::Detection(category) => Some(category),
            sensor::detection::Logic::Correlation { .. } => None,
        };
        let all = examples.matching.iter().chain(&examples.not_matching);
        all.flat_map(move |example| example.events(category).unwrap_or_default())
    });
    events.map(Arc::new).partition(|event| engine.matching(event).next().is_some())
}

fn mixed(others: &[Arc<Event>], matching: &[Arc<Event>]) -> Vec<Arc<Event>> {
    let others = others.iter().cycle();
    matching.iter().flat_map(|one| others.clone().take(99).chain([one])).cloned().collect()
}

fn fork() -> Arc<Event> {
    let fork = Fork { child: ProcessKey::default(), child_vpid: 0 };
    Arc::new(Event::new(BootTime(0), None, Actor::default(), Body::Fork(fork)))
}

/// The shipped rules and as many as make 500, of the kinds that people write: names, paths, command lines, networks.
fn many(shipped: &RuleSet, directory: &Path) -> RuleSet {
    let categories = ["process_creation", "file_access", "file_event", "network_connection", "network_flow", "egress"];
    let mut text = String::new();
    for n in 0..MANY.saturating_sub(shipped.rules().count()) {
        let category = categories[n % categories.len()];
        let specific = match category {
            "process_creation" => {
                format!("process.command_line|contains: ['--token-{n}', 'curl -s http://{n}.example']")
            }
            "file_access" | "file_event" => format!("file.path|startswith: ['/srv/secret-{n}/', '/mnt/{n}/']"),
            _ => format!("network.peer.address|cidr: ['192.0.{}.0/24', '2001:db8:{n:x}::/48']", n % 256),
        };
        let _ = write!(
            text,
            "title: Rule {n}\nid: 00000000-0000-4000-8000-{n:012}\nlevel: low\nlogsource:\n  product: linux\n  category: {category}\n\
             detection:\n  program:\n    process.executable.path|endswith: ['/tool-{n}', '/bin/other{n}']\n  what:\n    {specific}\n  \
             except:\n    process.user.id: {n}\n  condition: program and what and not except\n---\n"
        );
    }
    let made = std::fs::create_dir_all(directory).and_then(|()| std::fs::write(directory.join("many.yml"), text));
    made.unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    RuleSet::load_dir(directory).unwrap_or_else(|error| panic!("{error}"))
}

/// A correlation by a value that an attacker chooses, a million times another one, by one workload.
fn flood() {
    let directory = std::env::temp_dir().join(format!("weir-rules-flood-{}", std::process::id()));
    let text = "title: Programs\nid: 00000000-0000-4000-8000-000000000001\nname: one\nlevel: low\nlogsource:\n  category: process_creation\n\
        detection:\n  a:\n    process.executable.path|startswith: /\n  condition: a\n---\ntitle: Flooded\n\
        id: 00000000-0000-4000-8000-000000000002\nlevel: low\ncorrelation:\n  type: event_count\n  rules: [one]\n  group-by:\n    \
        - weir.workload.id\n    - process.executable.path\n  timespan: 30d\n  condition:\n    gte: 1000000\n";
    let text = text.replace("gte: 1000000", "gte: 10000");
    let made = std::fs::create_dir_all(&directory).and_then(|()| std::fs::write(directory.join("flood.yml"), text));
    made.unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let set = RuleSet::load_dir(&directory).unwrap_or_else(|error| panic!("{error}"));
    let _ = std::fs::remove_dir_all(&directory);
    let mut engine = Engine::with_limits(&set, correlation::Limits::default());
    let before = resident();
    let start = cpu();
    for n in 0..KEYS {
        black_box(engine.evaluate(&exec(n)));
    }
    let nanoseconds = (cpu() - start) / f64::from(KEYS);
    let grown = resident().saturating_sub(before);
    let kept = engine.statistics().correlations.iter().map(|(_, counters)| counters.groups).max().unwrap_or(0);
    println!("flood of {KEYS} groups: {kept} kept {grown} bytes {nanoseconds:.0} ns/event");
}

fn exec(n: u32) -> Arc<Event> {
    let key = ProcessKey { pid: n, start_ticks: 1 };
    let exec = Exec {
        file: File::default(),
        parent: None,
        args: [].into(),
        args_cut: false,
        working_directory: "".into(),
        streams: Default::default(),
        setuid: false,
    };
    let actor = Actor { process: Some(key), ..Actor::default() };
    let mut event = Event::new(BootTime(u64::from(n) * 1_000_000), None, actor, Body::Exec(exec));
    let executable = format!("/tmp/{n:0200}").into();
    event.process = Some(Arc::new(Process { key, executable, ..Process::default() }));
    event.workload = Some(Arc::new(Workload { id: "container:flood".into(), ..Workload::default() }));
    Arc::new(event)
}

/// Bytes of this process in memory (`VmRSS`).
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok()).unwrap_or(0) * 1024
}
