//! Only the deeds of its own round are a canary's.

use crate::delivery::health::canary::{Deed, Done, Fate, Nonce, Round, act, clean_up};
use crate::event::{Access, Actor, Body, BootTime, Connect, Endpoints, Event, Exec, File, Open, ProcessKey, Transport};
use crate::event::{Label, Stream};
use std::fs;
use std::net::IpAddr;
use std::time::Duration;

const AGENT: u32 = 100;
const CHILD: ProcessKey = ProcessKey { pid: 200, start_ticks: 7 };
const OTHER: ProcessKey = ProcessKey { pid: 300, start_ticks: 8 };
const HAPPENED: BootTime = BootTime(1_000_000_000);

fn nonce(text: char) -> Nonce {
    Nonce::parse(&text.to_string().repeat(32)).expect("32 digits")
}

fn event(process: ProcessKey, body: Body) -> Event {
    Event::new(HAPPENED, None, Actor { process: Some(process), ..Actor::default() }, body)
}

fn exec(process: ProcessKey, parent: u32, nonce: Nonce) -> Event {
    let args = ["weir", "canary", &nonce.text(), "/somewhere"].map(Box::from);
    event(
        process,
        Body::Exec(Exec {
            file: File::default(),
            parent: Some(ProcessKey { pid: parent, start_ticks: 1 }),
            args: Box::new(args),
            args_cut: false,
            working_directory: "/".into(),
            streams: [Stream::default(); 3],
            setuid: false,
        }),
    )
}

fn open(process: ProcessKey, nonce: Nonce) -> Event {
    let path = format!("/var/lib/weir/{}.weir-canary", nonce.text()).into();
    let file = File { path, ..File::default() };
    let open = Open {
        file,
        access: Access::Read,
        flags: 0,
        io_uring: false,
        candidate: false,
        carrier: false,
        created: false,
    };
    event(process, Body::Open(open))
}

fn connect(process: ProcessKey, address: [u8; 4], port: u16) -> Event {
    let endpoints = Endpoints {
        local_address: None,
        local_port: None,
        peer_address: IpAddr::from(address),
        peer_port: port,
        transport: Transport::Udp,
    };
    event(process, Body::Connect(Connect { endpoints, socket_cookie: 1, label: Label::default() }))
}

fn all() -> Done {
    Done::of(&Deed::ALL)
}

fn after(round: &mut Round, events: &[Event]) -> [Fate; 3] {
    events.iter().for_each(|event| round.see(event, || HAPPENED.plus(Duration::from_millis(30))));
    round.fates()
}

#[test]
fn what_is_done_comes_out_and_the_round_is_over_then_and_not_before() {
    let own = nonce('a');
    let mut round = Round::new(own, AGENT);
    let deeds = [exec(CHILD, AGENT, own), open(CHILD, own)];
    assert_eq!(after(&mut round, &deeds), [Fate::Seen, Fate::Seen, Fate::NotDone], "the child may be at it still");
    assert!(!round.is_over());
    round.done(all());
    assert!(!round.is_over());
    assert_eq!(round.fates(), [Fate::Seen, Fate::Seen, Fate::Missing]);
    // 0xaa & 0x7f, and a port above 0x8000.
    let fates = after(&mut round, &[connect(CHILD, [0x2a, 0xaa, 0xaa, 0xaa], 0xaaaa)]);
    assert_eq!(fates[2], Fate::Missing, "it is in 127.0.0.0/8");
    assert_eq!(after(&mut round, &[connect(CHILD, [127, 0x2a, 0xaa, 0xaa], 0xaaaa)]), [Fate::Seen; 3]);
    assert!(round.is_over());
    assert_eq!(round.latency(), Duration::from_millis(30));
}

#[test]
fn nobody_else_s_deeds_are_taken_for_it() {
    let (own, old) = (nonce('a'), nonce('b'));
    let mut round = Round::new(own, AGENT);
    round.done(all());
    let strange = [
        exec(CHILD, AGENT, old),
        exec(OTHER, 999, own),
        open(CHILD, old),
        connect(CHILD, [127, 0x2a, 0xaa, 0xaa], 0xaaab),
    ];
    assert_eq!(after(&mut round, &strange), [Fate::Missing; 3]);
    // From its exec on it is known who it is: whoever read the nonce meanwhile is not.
    let copied = [exec(CHILD, AGENT, own), open(OTHER, own), connect(OTHER, [127, 0x2a, 0xaa, 0xaa], 0xaaaa)];
    assert_eq!(after(&mut round, &copied), [Fate::Seen, Fate::Missing, Fate::Missing]);
}

#[test]
fn what_could_not_be_done_is_not_missing() {
    let own = nonce('a');
    let mut round = Round::new(own, AGENT);
    round.done(Done::of(&[Deed::Exec, Deed::Connect]));
    let deeds = [exec(CHILD, AGENT, own), connect(CHILD, [127, 0x2a, 0xaa, 0xaa], 0xaaaa)];
    assert_eq!(after(&mut round, &deeds), [Fate::Seen, Fate::NotDone, Fate::Seen]);
    assert!(round.is_over(), "nothing more is to come");
    let mut nothing = Round::new(own, AGENT);
    nothing.done(Done::default());
    assert_eq!(nothing.fates(), [Fate::NotDone; 3]);
}

#[test]
fn the_child_says_what_it_could_not_do() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("here");
    fs::write(&file, "").expect("a file");
    assert_eq!(act(nonce('a'), Some(&file)), 0);
    assert_eq!(act(nonce('a'), None), 1 << Deed::Open as u8);
    assert_eq!(act(nonce('a'), Some(&directory.path().join("gone"))), 1 << Deed::Open as u8);
}

#[test]
fn only_what_a_canary_left_is_cleaned_up() {
    let directory = tempfile::tempdir().expect("a directory");
    let left = format!("{}.weir-canary", nonce('c').text());
    for name in [left.as_str(), "ledger", "x.weir-canary", &nonce('c').text()] {
        fs::write(directory.path().join(name), "").expect("a file");
    }
    clean_up(directory.path());
    let mut names: Vec<_> = fs::read_dir(directory.path())
        .expect("the directory")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("text"))
        .collect();
    names.sort();
    assert_eq!(names, [nonce('c').text(), "ledger".to_owned(), "x.weir-canary".to_owned()]);
}

#[test]
fn a_nonce_is_32_digits_and_another_one_each_time() {
    assert_eq!(Nonce::parse("0"), None);
    assert_eq!(Nonce::parse(&"g".repeat(32)), None);
    assert_eq!(Nonce::parse(&format!("+{}", "1".repeat(31))), None);
    let (one, two) = (Nonce::new().expect("random"), Nonce::new().expect("random"));
    assert_ne!(one, two);
    assert_eq!(Nonce::parse(&one.text()), Some(one));
}
