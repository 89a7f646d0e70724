//! What keeping evidence costs and takes, of synthetic events that go through the whole line: jobs in fifty containers, each a process
//! that is forked, runs a program, opens files and weights, sends, and ends.
//!
//! ```text
//! cargo run --release -p sensor --example evidence_rate -- DIRECTORY [EVENTS]
//! ```
//! DIRECTORY must be on the disk that is meant, and not be there yet; it is removed afterwards. Times are the threads' CPU time, since
//! they share the machine with each other: a second of one core is what handing over and writing take together.

use rusqlite::Connection;
use rustix::time::{ClockId, clock_gettime};
use sensor::detection::RuleSet;
use sensor::event::{
    Access, Actor, Body, BootTime, Carrier, Cgroup, CgroupKey, Classes, Connect, Direction, Endpoints, Event, Exec,
    Exit, File, FileId, Flow, FlowReason, Fork, Hook, Label, Open, ProcessKey, Stream, Transfer, Transport, WallClock,
};
use sensor::evidence::parquet;
use sensor::evidence::recording::{Header, Limits as RecordedLimits, VERSION};
use sensor::evidence::source::{Filter, Source as _};
use sensor::evidence::store::{Limits, Reader, Settings, Store};
use sensor::line::{Limits as LineLimits, Line};
use sensor::provenance::ClassTable;
use std::collections::BTreeSet;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const CONTAINERS: u64 = 50;
/// Between two events: ten million are three hours.
const STEP: u64 = 1_000_000;
/// Events that may be on their way to the disk.
const AHEAD: u64 = 8_192;
const CLOCK: WallClock = WallClock { boot_unix_nanos: 1_795_000_000_000_000_000 };

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let directory = PathBuf::from(arguments.next().ok_or("usage: evidence_rate DIRECTORY [EVENTS]")?);
    let events = arguments.next().map_or(Ok(10_000_000), |text| text.parse())?;
    std::fs::create_dir(&directory)?;
    let measured = measure(&directory, events);
    std::fs::remove_dir_all(&directory)?;
    measured
}

fn measure(directory: &Path, wanted: u64) -> Result<(), Box<dyn Error>> {
    let mut line = Line::new(RuleSet::load::<&Path>(&[])?, ClassTable::load(None)?, LineLimits::default());
    let limits = Limits { segment_events: 1_000_000, segment_bytes: 256 << 20, ..Limits::new(1 << 40) };
    let header = Header {
        format: VERSION,
        sensor: "0".into(),
        clock: CLOCK,
        rules: "".into(),
        policy: None,
        classes: "".into(),
        limits: RecordedLimits { processes: 1, workloads: 1 },
    };
    let mut store = Store::open(Settings { directory: directory.to_owned(), limits }, header)?;
    let mut jobs = Jobs::default();
    let (mut before, mut behind) = (Duration::ZERO, Duration::ZERO);
    let start = Instant::now();
    while jobs.events < wanted {
        let job = jobs.next_job();
        let began = cpu(ClockId::ThreadCPUTime);
        job.iter().for_each(|event| store.before_line(event));
        before += cpu(ClockId::ThreadCPUTime) - began;
        let out: Vec<_> = job.into_iter().map(|event| line.push(event).0).collect();
        line.take_derived();
        line.take_unlooked();
        line.take_unknown();
        line.take_marks();
        let began = cpu(ClockId::ThreadCPUTime);
        out.iter().for_each(|event| store.behind_line(event));
        behind += cpu(ClockId::ThreadCPUTime) - began;
        while jobs.events - store.counts().events > AHEAD {
            std::thread::sleep(Duration::from_micros(200));
        }
    }
    let writer = thread_cpu("weir-evidence")?;
    store.finish();
    let (elapsed, events) = (start.elapsed(), jobs.events as f64);
    let counts = store.counts();
    if counts.events != jobs.events {
        return Err(format!("{} of {} events were kept", counts.events, jobs.events).into());
    }
    let each = |time: Duration| time.as_nanos() as f64 / events;
    let all = each(before) + each(behind) + each(writer);
    println!("into the store, on one core: {:.0} events/s ({all:.0} ns an event)", 1e9 / all);
    println!(
        "of that, on the line's task: {:.0} ns an event ({:.0} to write the line down)",
        each(before + behind),
        each(before)
    );
    println!("of that, on the writer's thread: {:.0} ns an event, {:.0} events/s", each(writer), 1e9 / each(writer));
    println!("with the line and the events' making, two threads: {:.0} events/s", events / elapsed.as_secs_f64());
    closed(directory)?;
    sizes(directory, events)?;
    cut(directory)?;
    drop(line);
    exported(directory)
}

/// Waits until all segments but the last are closed.
fn closed(directory: &Path) -> Result<(), Box<dyn Error>> {
    let end = Instant::now() + Duration::from_secs(300);
    while Instant::now() < end {
        let names: Vec<PathBuf> = std::fs::read_dir(directory.join("segments"))?
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<Result<_, _>>()?;
        let count =
            |extension: &str| names.iter().filter(|name| name.extension().is_some_and(|own| own == extension)).count();
        if count("sig") + 1 >= count("db") {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Err("segments are not closed".into())
}

fn sizes(directory: &Path, events: f64) -> Result<(), Box<dyn Error>> {
    let reader = Reader::open(directory)?;
    let (mut bytes, mut raw) = (0, 0);
    for part in reader.parts() {
        bytes += std::fs::metadata(&part.path)?.len();
        let connection = Connection::open(&part.path)?;
        raw += connection.query_row("SELECT sum(length(raw)) FROM batches", [], |row| row.get::<_, i64>(0))?;
    }
    println!("on disk: {:.1} bytes an event, {:.1} of them to replay it", bytes as f64 / events, raw as f64 / events);
    let Some(part) = reader.parts().first() else { return Ok(()) };
    let connection = Connection::open(&part.path)?;
    let rows: i64 = connection.query_row("SELECT count(*) FROM events", [], |row| row.get(0))?;
    let file = std::fs::read(&part.path)?;
    let packed = zstd::bulk::compress(&file, 3)?.len();
    println!("a closed segment, as zstd packs it: {:.1} bytes an event", packed as f64 / rows as f64);
    let bare = directory.join("bare.db");
    connection.execute("VACUUM INTO ?1", [bare.to_string_lossy()])?;
    let without = Connection::open(&bare)?;
    without.execute_batch("UPDATE batches SET raw = NULL; VACUUM")?;
    drop(without);
    let file = std::fs::read(&bare)?;
    let packed = zstd::bulk::compress(&file, 3)?.len();
    let each = |bytes: usize| bytes as f64 / rows as f64;
    println!("without what a replay needs: {:.1} bytes an event, {:.1} packed", each(file.len()), each(packed));
    let tables = "SELECT name, sum(pgsize) FROM dbstat GROUP BY name ORDER BY 2 DESC LIMIT 7";
    let mut statement = connection.prepare(tables)?;
    let tables = statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?)))?;
    let tables: Result<Vec<String>, rusqlite::Error> =
        tables.map(|table| table.map(|(name, bytes)| format!("{name} {:.1}", bytes as f64 / rows as f64))).collect();
    println!("of that: {}", tables?.join(", "));
    Ok(std::fs::remove_file(bare)?)
}

/// One workload's ten minutes, in the middle.
fn cut(directory: &Path) -> Result<(), Box<dyn Error>> {
    let mut reader = Reader::open(directory)?;
    let Some((first, last)) = reader.span()? else { return Ok(()) };
    let middle = first + (last - first) / 2;
    let ten_minutes = 600_000_000_000;
    let id: Box<str> = format!("container:{}", container(7)).into();
    let filter = Filter {
        from: middle,
        to: middle + ten_minutes,
        workloads: BTreeSet::from([id.clone()]),
        limit: 1_000_000,
        ..Filter::default()
    };
    let time = |filter: &Filter| -> Result<_, Box<dyn Error>> {
        let start = Instant::now();
        let rows = Reader::open(directory)?.rows(filter)?;
        Ok((start.elapsed().as_secs_f64() * 1e3, rows.rows))
    };
    let (milliseconds, rows) = time(&filter)?;
    println!("a container's ten minutes: {milliseconds:.0} ms, {} events", rows.len());
    let process = rows.iter().find_map(|row| row.attributes.get("weir.process.id")?.as_str().map(Box::from));
    let processes = process.into_iter().collect();
    let (milliseconds, rows) = time(&Filter { workloads: BTreeSet::new(), processes, ..filter })?;
    println!("a process's ten minutes: {milliseconds:.0} ms, {} events", rows.len());
    Ok(())
}

/// Everything as Parquet, as `weir evidence export --format parquet` writes it.
fn exported(directory: &Path) -> Result<(), Box<dyn Error>> {
    let out = directory.join("parquet");
    let memory = |name: &str| -> Result<String, Box<dyn Error>> {
        let status = std::fs::read_to_string("/proc/self/status")?;
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        Ok(line.trim_start_matches(':').trim().to_owned())
    };
    // 5: the peak is what it is now (proc(5), clear_refs).
    std::fs::write("/proc/self/clear_refs", "5")?;
    let (before, began) = (memory("VmRSS")?, cpu(ClockId::ThreadCPUTime));
    let report = parquet::export(directory, &out, parquet::Options { host: Some("node"), open: true })?;
    let seconds = (cpu(ClockId::ThreadCPUTime) - began).as_secs_f64();
    let (mut bytes, mut places) = (0, vec![out]);
    while let Some(place) = places.pop() {
        for entry in std::fs::read_dir(place)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() { places.push(entry.path()) } else { bytes += entry.metadata()?.len() }
        }
    }
    let events = report.events as f64;
    println!("as Parquet: {:.0} events/s on one core, {:.1} bytes an event", events / seconds, bytes as f64 / events);
    println!("memory: {before} before it, at most {}", memory("VmHWM")?);
    Ok(())
}

fn cpu(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// The CPU time of the thread of that name (proc(5), schedstat: nanoseconds).
fn thread_cpu(name: &str) -> Result<Duration, Box<dyn Error>> {
    for task in std::fs::read_dir("/proc/self/task")? {
        let task = task?.path();
        if std::fs::read_to_string(task.join("comm"))?.trim() == name {
            let text = std::fs::read_to_string(task.join("schedstat"))?;
            return Ok(Duration::from_nanos(text.split(' ').next().unwrap_or("0").parse()?));
        }
    }
    Err(format!("there is no thread {name}").into())
}

fn container(number: u64) -> String {
    format!("{:064x}", number + 0xabc)
}

/// Makes events.
#[derive(Default)]
struct Jobs {
    events: u64,
    jobs: u64,
    time: u64,
}

impl Jobs {
    fn next_job(&mut self) -> Vec<Event> {
        let number = self.jobs;
        self.jobs += 1;
        let place = number % CONTAINERS;
        let cgroup = CgroupKey { hierarchy: 0, id: 1_000 + place };
        let (parent, pid) = (100 + place as u32, 1_000 + (number % 4_000_000) as u32);
        let key = |pid: u32, start_ticks| ProcessKey { pid, start_ticks };
        let process = key(pid, self.time / 10_000_000);
        let actor = |process: ProcessKey, comm: &str| Actor {
            process: Some(process),
            vpid: process.pid % 30_000,
            tid: process.pid,
            comm: comm.into(),
            uid: 1_000,
            gid: 1_000,
            cgroup,
            mount_namespace: 4_026_532_000 + place as u32,
            pid_namespace: 4_026_533_000 + place as u32,
        };
        let by = |comm: &str| actor(process, comm);
        let file = |name: String, inode: u64, size: u64| File {
            id: Some(FileId { device: 48, inode }),
            path: name.into(),
            size,
            mode: 0o100_644,
            uid: 1_000,
            links: 1,
            changed_unix_nanos: 1_700_000_000_000_000_005,
            filesystem: 0x794c_7630,
            ..File::default()
        };
        let mut bodies: Vec<(Hook, Actor, Body)> = Vec::new();
        if number < CONTAINERS {
            let path =
                format!("/kubepods.slice/kubepods-pod{place:032x}.slice/cri-containerd-{}.scope", container(place));
            bodies.push((
                Hook::SchedProcessExec,
                Actor::default(),
                Body::Cgroup(Cgroup { key: cgroup, path: path.into() }),
            ));
        }
        let child = Body::Fork(Fork { child: process, child_vpid: pid % 30_000 });
        bodies.push((Hook::SchedProcessFork, actor(key(parent, 5), "supervisor"), child));
        let exec = Exec {
            file: file("/usr/local/bin/python3.11".into(), 77, 6_000_000),
            parent: Some(key(parent, 5)),
            args: ["python3", "-m", "serve", "--shard", &(number % 40).to_string(), "--port", "8080"]
                .map(Into::into)
                .into(),
            args_cut: false,
            working_directory: "/srv/app".into(),
            streams: [Stream::Null, Stream::Pipe, Stream::Pipe],
            setuid: false,
        };
        bodies.push((Hook::SchedProcessExec, by("python3"), Body::Exec(exec)));
        let open = |file: File| Open {
            file,
            access: Access::Read,
            flags: 0o100_000,
            io_uring: false,
            candidate: false,
            carrier: false,
            created: false,
        };
        for shard in 0..8 {
            let path = format!("/srv/models/llama-{place}/model-{:05}-of-00008.safetensors", shard + 1);
            let file = file(path, 5_000 + place * 100 + shard, 4_294_967_296 + shard);
            bodies.push((Hook::FileOpen, by("python3"), Body::Open(open(file))));
        }
        for part in 0..4 {
            let path = format!("/tmp/cache-{}/part-{part}.bin", number % 1_000);
            let transfer = Transfer {
                file: file(path, 90_000 + number * 4 + part, 1 << 20),
                carrier: Carrier::File,
                direction: Direction::Out,
                bytes: (1 << 20) + number % 977,
                until: 2 << 20,
                socket_cookie: None,
                mapped: false,
                bound: false,
                io_uring: false,
                classes: Classes::default(),
            };
            bodies.push((Hook::SysExit, by("python3"), Body::Transfer(transfer)));
        }
        let endpoints = Endpoints {
            local_address: Some([10, 0, 0, place as u8].into()),
            local_port: Some(32_768 + (number % 28_000) as u16),
            peer_address: [10, 1, 0, (number % 20) as u8].into(),
            peer_port: 443,
            transport: Transport::Tcp,
        };
        let label = Label::default();
        let connect = Connect { endpoints, socket_cookie: number, label };
        bodies.push((Hook::CgroupConnect, by("python3"), Body::Connect(connect)));
        for (report, reason) in [FlowReason::First, FlowReason::Grown, FlowReason::Closed].into_iter().enumerate() {
            let flow = Flow {
                endpoints,
                socket_cookie: number,
                bytes: 900 << (7 * report),
                packets: 3 << (4 * report),
                first_time: BootTime(self.time),
                reason,
                initiated: true,
                owner_guessed: false,
                peers_merged: false,
                label,
            };
            bodies.push((Hook::CgroupSkb, by("python3"), Body::Flow(flow)));
        }
        bodies.push((Hook::SchedProcessExit, by("python3"), Body::Exit(Exit { code: Some(0), signal: None })));
        self.events += bodies.len() as u64;
        let events = bodies.into_iter().map(|(hook, actor, body)| {
            self.time += STEP;
            Event::new(BootTime(self.time), Some(hook), actor, body)
        });
        events.collect()
    }
}
