//! Feeds changed bytes to the readers of outside bytes, for as long as it is told.
//!
//! ```text
//! cargo run --release -p sensor --example fuzz -- TARGET [SECONDS [SEED]]
//! ```
//! TARGET is `decode` (ring records), `btf` (kernel type information), `content` (files told by their content), `dns` (messages), `tls` (what TCP
//! flows begin with), `quic` (Initial packets, and what is in them), `policy` (policy.yml), `recording` (files of frames), `replay`
//! (lines of a recording, and what they make of the event line) or `spool` (segments). It prints how many inputs it tried and what became
//! of them. An input that panics, or breaks a promise, is printed in hexadecimal, and the exit status is 1.

use sensor::delivery::spool::{self, Draft, Kind};
use sensor::detection::RuleSet;
use sensor::event::{Body, Event};
use sensor::evidence::recording::{Frames, Reader, Record, pack, parse};
use sensor::kernel::btf::Btf;
use sensor::kernel::decode::{decode, message, samples};
use sensor::kernel::object;
use sensor::line::{Limits, Line};
use sensor::policy::{Policy, PolicyError};
use sensor::provenance::ClassTable;
use sensor::provenance::content::{self, HEAD_MAX, Sample, TAIL_MAX, sniff};
use sensor::provenance::names::hello::{Assembly, Found, HELLO_MAX, tls};
use sensor::provenance::names::registered_domain;
use sensor::provenance::names::samples::{QUIC_2, client_hello, crypto, initial, records};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::process::ExitCode;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let target = arguments.next().unwrap_or_default();
    let seconds = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(10);
    let seed = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(0x9e37_79b9_7f4a_7c15);
    let (seeds, run): (_, fn(&[u8]) -> String) = match target.as_str() {
        "decode" => (samples::all(), run_decode),
        "btf" => (vec![object_types()], run_btf),
        "content" => (content::samples::all().into_iter().map(|(.., file)| file).collect(), run_content),
        "dns" => (samples::MESSAGES.map(<[u8]>::to_vec).to_vec(), run_dns),
        "tls" => (hellos(), run_tls),
        "quic" => (initials(), run_quic),
        "policy" => (vec![include_bytes!("../../rules/policy.example.yml").to_vec()], run_policy),
        "recording" => (recordings(), run_recording),
        "replay" => (lines(), run_replay),
        "spool" => (vec![segment(1), segment(4)], run_spool),
        _ => {
            eprintln!("usage: fuzz decode|btf|content|dns|tls|quic|policy|recording|replay|spool [SECONDS [SEED]]");
            return ExitCode::from(2);
        }
    };
    // What panics is shown with its input below; the message is enough here.
    std::panic::set_hook(Box::new(|info| eprintln!("{info}")));

    let mut random = Random(seed | 1);
    let mut outcomes = BTreeMap::<String, u64>::new();
    let (end, mut executions) = (Instant::now() + Duration::from_secs(seconds), 0u64);
    while Instant::now() < end {
        for _ in 0..256 {
            let input = mutated(&seeds, &mut random);
            match std::panic::catch_unwind(|| run(&input)) {
                Ok(outcome) => *outcomes.entry(outcome).or_default() += 1,
                Err(_) => {
                    eprintln!("input {executions} of seed {seed}: {}", hexadecimal(&input));
                    return ExitCode::FAILURE;
                }
            }
            executions += 1;
        }
    }
    println!("{target}: {executions} inputs in {seconds} s, none panicked");
    for (outcome, count) in outcomes {
        println!("{count:>12} {outcome}");
    }
    ExitCode::SUCCESS
}

fn run_decode(input: &[u8]) -> String {
    match decode(input) {
        Ok(event) => {
            assert!(text_bytes(&event) <= 4 * input.len() + 2, "text grew beyond escaping");
            assert_eq!(decode(input).as_ref(), Ok(&event), "the same bytes gave another event");
            event.body.kind_name().to_owned()
        }
        Err(malformed) => {
            assert!(!malformed.to_string().is_empty());
            malformed.name().to_owned()
        }
    }
}

/// Bytes of all text in an event.
fn text_bytes(event: &Event) -> usize {
    let body = match &event.body {
        Body::Open(open) => open.file.path.len(),
        Body::Exec(exec) => {
            let args: usize = exec.args.iter().map(|arg| arg.len()).sum();
            exec.file.path.len() + exec.working_directory.len() + args
        }
        Body::Cgroup(cgroup) => cgroup.path.len(),
        Body::Dns(dns) => dns.message.as_ref().map_or(0, |message| message.name.len()),
        Body::Hello(hello) => hello.bytes.len(),
        _ => 0,
    };
    body + event.actor.comm.len()
}

fn run_btf(input: &[u8]) -> String {
    let btf = match Btf::parse(input) {
        Ok(btf) => btf,
        Err(error) => return error.to_string().split_whitespace().take(2).collect::<Vec<_>>().join(" "),
    };
    let mut found = 0;
    for (structure, path) in [
        ("Open", "header.process.start_time"),
        ("Exec", "path.len"),
        ("FlowValue", "counters.next_report"),
        ("Socket", "owner.comm"),
        ("no such", "member"),
    ] {
        found += usize::from(btf.offset(structure, path).is_ok());
    }
    let _ =
        (btf.enumerator("Seen"), btf.function("on_exec"), btf.has_typedef("none"), btf.tracepoint_arguments("none"));
    format!("parsed, {found} of 4 offsets found")
}

/// The input as a file, and as the ends of a large one, whose size the input says as well.
fn run_content(input: &[u8]) -> String {
    static CLASSES: LazyLock<ClassTable> =
        LazyLock::new(|| ClassTable::load(None).expect("the built-in file is right"));
    let file = Sample::of(input);
    let (found, classes) = CLASSES.by_content(&file);
    assert_eq!(sniff(&file), found, "the same bytes are something else");
    assert!(found.is_some() || classes.is_empty(), "a class without a format");
    // What is beyond the ends is not looked at.
    let more = Sample { head: input, tail: input, size: file.size };
    assert_eq!(sniff(&more), found, "more than {HEAD_MAX} or {TAIL_MAX} bytes are looked at");
    let size = input.last_chunk().map_or(u64::MAX, |bytes| u64::from_le_bytes(*bytes));
    let _ = sniff(&Sample { size, ..file });
    found.map_or("nothing", |found| found.format.name()).to_owned()
}

/// Every mistake is one line that begins with the file.
fn run_policy(input: &[u8]) -> String {
    let outcome = match Policy::parse(&String::from_utf8_lossy(input), &"policy.yml".into()) {
        Ok(_) => return "right".to_owned(),
        Err(error) => {
            let said = error.to_string();
            assert!(said.starts_with("policy.yml") && !said.contains('\n'), "{said}");
            error
        }
    };
    match outcome {
        PolicyError::Yaml { .. } => "not YAML",
        PolicyError::UnknownKey { .. } => "an unknown key",
        PolicyError::DuplicateName { .. } => "a name twice",
        _ => "a value that cannot be used",
    }
    .to_owned()
}

/// Records lie behind each other, their ids rise, and damage is counted where there is any.
fn run_spool(input: &[u8]) -> String {
    let found = spool::scan(input);
    let (mut end, mut last, mut gaps) = (0, None, 0);
    for record in &found.records {
        assert!(record.offset >= end && Some(record.id) > last, "records overlap, or their ids do not rise");
        gaps += u64::from(record.offset > end);
        (end, last) = (record.offset + record.length, Some(record.id));
    }
    assert!(end as usize <= input.len() && found.torn <= 1 && found.flipped >= gaps);
    assert_eq!(found.torn + found.flipped == 0, end as usize == input.len() && gaps == 0, "damage is not counted");
    format!("{} records, damaged: {}", found.records.len(), found.torn + found.flipped > 0)
}

/// So many records, some of them short.
fn segment(records: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    for id in 1..=records {
        let text = "{\"body\":\"\"}".repeat(id as usize);
        let draft = Draft { kind: Kind::Alert, severity: 9, time: id, uid: "0123456789abcdef", bytes: text.as_bytes() };
        spool::encode(&draft, id, &mut bytes);
    }
    bytes
}

fn run_dns(input: &[u8]) -> String {
    let Some(said) = message(input) else { return "no message".to_owned() };
    assert!(said.name.len() <= 4 * 255 && said.addresses.len() <= 64, "beyond the bounds");
    assert!(said.response || said.addresses.is_empty(), "a question answers nothing");
    let domain = registered_domain(&said.name);
    assert!(said.name.ends_with(domain), "{domain} is not the end of {}", said.name);
    format!("{} addresses", said.addresses.len())
}

/// In one piece, and in two at a place that the input says.
fn run_tls(input: &[u8]) -> String {
    let found = tls(input);
    let at = input.last().map_or(0, |byte| usize::from(*byte) % input.len());
    let (first, second) = input.split_at(at);
    let mut assembly = Assembly::new(false);
    let early = assembly.add(0, first);
    let offset = u32::try_from(at).unwrap_or(u32::MAX);
    let whole = if early == Found::More { assembly.add(offset, second) } else { early };
    assert!(whole == found || input.len() > HELLO_MAX, "{whole:?} in two pieces, {found:?} in one");
    found_name(&found)
}

/// As a datagram, which nearly never opens; and as frames in one that does.
fn run_quic(input: &[u8]) -> String {
    let datagram = Assembly::new(true).add(0, input);
    let id = input.get(..8).unwrap_or_default();
    let frames = input.get(..1162).unwrap_or(input);
    let version = if input.len().is_multiple_of(2) { 1 } else { QUIC_2 };
    let packet = initial(version, id, id, 0, frames).expect("it fits");
    let framed = Assembly::new(true).add(0, &packet);
    format!("{} as a datagram, {} as frames", found_name(&datagram), found_name(&framed))
}

fn found_name(found: &Found) -> String {
    match found {
        Found::More => "more".to_owned(),
        Found::Nothing => "nothing".to_owned(),
        Found::Name(name) => {
            assert!(!name.is_empty() && name.len() <= 4 * 255, "{name:?} is no name");
            "a name".to_owned()
        }
    }
}

fn hellos() -> Vec<Vec<u8>> {
    let hello = client_hello("models.example.org", 300);
    [50, 16_384].into_iter().map(|size| records(&hello, size)).collect()
}

fn initials() -> Vec<Vec<u8>> {
    let hello = client_hello("models.example.org", 100);
    let (first, second) = hello.split_at(80);
    let frames = [crypto(80, second), vec![1, 0, 2, 9, 5, 1, 0, 2, 3], crypto(0, first)].concat();
    let packet = initial(1, &[8; 8], &[8; 8], 0, &frames).expect("it fits");
    vec![frames, packet]
}

/// A line of a recording of each kind.
fn lines() -> Vec<Vec<u8>> {
    include_str!("../src/evidence/recording/samples/version-1.jsonl").lines().map(|line| line.into()).collect()
}

/// Recordings of some frames.
fn recordings() -> Vec<Vec<u8>> {
    let frames = |size: usize| lines().chunks(size).map(|lines| pack(&lines.join(&b'\n')).expect("it packs")).collect();
    [1, 5, 100].map(frames).map(|frames: Vec<_>| frames.concat()).into()
}

/// As a file; and each of its frames as the one that can be read.
fn run_recording(input: &[u8]) -> String {
    let mut frames = Frames::new(input);
    let mut contents = 0;
    while let Ok(Some(content)) = frames.next_content() {
        contents += content.len();
    }
    let damage = frames.damage();
    assert!(damage.bytes <= input.len() as u64 && frames.taken() <= input.len() as u64, "more than there is");
    assert!(damage.frames > 0 || damage.torn || contents > 0 || input.is_empty(), "nothing, and no word of it");
    let mut reader = match Reader::new(input, "x".into(), None) {
        Ok(reader) => reader,
        Err(error) => return error.to_string().split_whitespace().take(7).collect::<Vec<_>>().join(" "),
    };
    loop {
        match reader.next() {
            Ok(Some(_)) => {}
            Ok(None) => return "read to the end".to_owned(),
            Err(_) => return "read to a line that means nothing".to_owned(),
        }
    }
}

/// A line as a recording has it, and one with other values that the input chooses; what they say, twice through the line.
fn run_replay(input: &[u8]) -> String {
    thread_local! {
        static LINE: std::cell::RefCell<Line> = std::cell::RefCell::new(Line::new(
            RuleSet::embedded().expect("the built-in rules are right"),
            ClassTable::load(None).expect("the built-in file is right"),
            Limits { processes: 64, workloads: 16 },
        ));
    }
    let seed = input
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3));
    let (lines, mut random) = (lines(), Random(seed | 1));
    let line = &lines[random.below(lines.len())];
    let mut value = serde_json::from_slice(line).expect("a line is JSON");
    bend(&mut value, &mut random);
    match parse(input).or_else(|_| parse(value.to_string().as_bytes())) {
        Ok(Record::Event(event)) => {
            let kind = event.body.kind_name();
            LINE.with_borrow_mut(|line| {
                sensor::replay::tell(line, (*event).clone());
                sensor::replay::tell(line, *event);
                line.save_ledger();
            });
            format!("{kind} through the line")
        }
        Ok(_) => "something else".to_owned(),
        Err(_) => "no record".to_owned(),
    }
}

/// Puts other values in the place of some.
fn bend(value: &mut serde_json::Value, random: &mut Random) {
    use serde_json::Value;
    let wild = INTERESTING[random.below(INTERESTING.len())];
    match value {
        Value::Object(map) => map.values_mut().for_each(|value| bend(value, random)),
        Value::Array(list) => list.iter_mut().for_each(|value| bend(value, random)),
        Value::Number(_) if random.below(3) == 0 => *value = (u64::from(wild) << random.below(33)).into(),
        Value::Bool(flag) => *flag ^= random.below(3) == 0,
        // Most are names of which there are few.
        Value::String(text) if random.below(24) == 0 => {
            let other =
                ["", "/", "a\u{202e}\n", "203.0.113.9", "::", &text.repeat(random.below(64))][random.below(6)].into();
            *text = other;
        }
        _ => {}
    }
}

/// The type information of the embedded object: small, and of the same making as a kernel's.
fn object_types() -> Vec<u8> {
    let object = object::read(None).expect("the embedded object needs no file");
    let magic = [0x9f, 0xeb, 1, 0, 24, 0, 0, 0];
    let start = object.windows(magic.len()).position(|window| window == magic).expect("the object has BTF");
    let word =
        |at: usize| u32::from_le_bytes(object[start + at..start + at + 4].try_into().expect("four bytes")) as usize;
    let len = 24 + (word(8) + word(12)).max(word(16) + word(20));
    object[start..start + len].to_vec()
}

/// xorshift64*
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() >> 16) as usize % bound.max(1)
    }
}

const INTERESTING: [u32; 12] =
    [0, 1, 2, 4, 0x7f, 0x80, 0xff, 0xffff, 0x7fff_ffff, 0x8000_0000, 0xffff_fffe, 0xffff_ffff];

/// A seed with one to eight changes; sometimes noise instead.
fn mutated(seeds: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    if random.below(64) == 0 {
        let len = random.below(512);
        return (0..len).map(|_| random.next() as u8).collect();
    }
    let mut input = seeds[random.below(seeds.len())].clone();
    for _ in 0..=random.below(8) {
        if input.is_empty() {
            break;
        }
        let at = random.below(input.len());
        match random.below(8) {
            0 | 1 => input[at] ^= 1 << random.below(8),
            2 => input[at] = random.next() as u8,
            3 => {
                let value = INTERESTING[random.below(INTERESTING.len())].to_ne_bytes();
                let width = [1, 2, 4][random.below(3)];
                for (byte, value) in input[at..].iter_mut().zip(&value[..width]) {
                    *byte = *value;
                }
            }
            4 => input.truncate(at),
            5 => input.extend((0..random.below(64)).map(|_| 0xff)),
            6 => {
                let other = &seeds[random.below(seeds.len())];
                let from = random.below(other.len());
                let len = random.below(64).min(other.len() - from).min(input.len() - at);
                input[at..at + len].copy_from_slice(&other[from..from + len]);
            }
            _ => {
                // A lie about a length must not hide behind the check of the record's own.
                if let Ok(size) = u32::try_from(input.len())
                    && let Some(field) = input.get_mut(4..8)
                {
                    field.copy_from_slice(&size.to_ne_bytes());
                }
            }
        }
    }
    input
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
