//! The numbers: as tables for people, as JSON for programs, and against the aims.

mod table;

use super::agent::Used;
use super::decode::Rate;
use super::load::{Load, Played, Storm};
use super::machine::{Cpus, Machine};
use super::rules::Rules;
use super::spool::Number;
use super::statistics::{Spread, median};
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use table::Table;

/// Everything that was measured.
pub struct Report {
    pub machine: Machine,
    rounds: u32,
    pub costs: Vec<Cost>,
    pub consumption: Vec<Consumption>,
    /// Events lost during all rounds.
    pub lost: u64,
    pub storm: Option<Storm>,
    pub decode: Vec<Rate>,
    pub rules: Rules,
    pub spool: Vec<Number>,
    pub evidence: Vec<Number>,
    pub wire: Vec<Number>,
    pub idle: Option<Used>,
}

/// What the watched pay: nanoseconds of each batch of each round.
pub struct Cost {
    name: &'static str,
    about: &'static str,
    matches_nothing: bool,
    pub without: Vec<Vec<f64>>,
    pub with: Vec<Vec<f64>>,
    unit: Option<&'static str>,
    /// How many a second, in each round.
    pub rate_without: Vec<f64>,
    pub rate_with: Vec<f64>,
}

impl Cost {
    pub fn new(load: &Load) -> Cost {
        Cost {
            name: load.name,
            about: load.about,
            matches_nothing: load.matches_nothing,
            without: Vec::new(),
            with: Vec::new(),
            unit: load.unit,
            rate_without: Vec::new(),
            rate_with: Vec::new(),
        }
    }

    /// Between the medians of the two halves of each round.
    fn added(&self) -> Spread {
        Spread::of(self.without.iter().zip(&self.with).map(|(without, with)| median(with) - median(without)).collect())
    }
}

/// What the agent uses under a load, over all rounds.
pub struct Consumption {
    name: &'static str,
    about: &'static str,
    operations: f64,
    /// Seconds in which operations were made.
    seconds: f64,
    percent: Vec<f64>,
    cpu_nanoseconds: f64,
    peak: u64,
    proportional: u64,
}

impl Consumption {
    pub fn new(load: &Load) -> Consumption {
        Consumption {
            name: load.name,
            about: load.about,
            operations: 0.0,
            seconds: 0.0,
            percent: Vec::new(),
            cpu_nanoseconds: 0.0,
            peak: 0,
            proportional: 0,
        }
    }

    pub fn add(&mut self, used: &Used, played: &Played) {
        self.operations += played.operations;
        self.seconds += played.seconds;
        self.percent.push(used.percent());
        self.cpu_nanoseconds += used.cpu.as_nanos() as f64;
        self.peak = self.peak.max(used.peak);
        self.proportional = self.proportional.max(used.proportional);
    }

    fn per_second(&self) -> f64 {
        self.operations / self.seconds.max(1e-9)
    }

    fn per_operation(&self) -> f64 {
        self.cpu_nanoseconds / self.operations.max(1.0)
    }
}

/// One of the aims and what was found.
struct Aim {
    what: String,
    aim: String,
    found: String,
    met: bool,
}

const ADDED: f64 = 250.0;
const DECODED: f64 = 2.0;
const FLOOD_MEGABYTES: f64 = 32.0;
const IDLE_PERCENT: f64 = 0.2;
const IDLE_MEGABYTES: f64 = 25.0;
const LOAD_MEGABYTES: f64 = 40.0;

impl Report {
    pub fn new(rounds: u32, cpus: &Cpus) -> Result<Report> {
        Ok(Report {
            machine: Machine::look(cpus)?,
            rounds,
            costs: Vec::new(),
            consumption: Vec::new(),
            lost: 0,
            storm: None,
            decode: Vec::new(),
            rules: Rules::default(),
            spool: Vec::new(),
            evidence: Vec::new(),
            wire: Vec::new(),
            idle: None,
        })
    }

    fn aims(&self) -> Vec<Aim> {
        let mut aims = Vec::new();
        for cost in self.costs.iter().filter(|cost| cost.matches_nothing) {
            let added = cost.added().median;
            aims.push(Aim {
                what: cost.about.into(),
                aim: format!("at most {ADDED} ns added"),
                found: format!("{added:.0} ns"),
                met: added <= ADDED,
            });
        }
        if let Some(slowest) = self.decode.iter().map(Rate::millions).min_by(f64::total_cmp) {
            aims.push(Aim {
                what: "decoding, the slowest kind of record".into(),
                aim: format!("{DECODED} M events/s on a core"),
                found: format!("{slowest:.1} M/s"),
                met: slowest >= DECODED,
            });
        }
        for (rate, aim) in self.rules.rates.iter().filter_map(|rate| Some((rate, rate.aim()?))) {
            aims.push(Aim {
                what: format!("rules, {}", rate.what),
                aim: format!("under {aim} ns an event"),
                found: format!("{:.0} ns", rate.nanoseconds),
                met: rate.nanoseconds < aim,
            });
        }
        let memory = |what: &str, aim: f64, bytes: u64| Aim {
            what: what.into(),
            aim: format!("under {aim} MB"),
            found: format!("{:.1} MB", megabytes(bytes)),
            met: megabytes(bytes) < aim,
        };
        if let Some(flood) = &self.rules.flood {
            aims.push(memory("a correlation under a million groups", FLOOD_MEGABYTES, flood.bytes));
        }
        if let Some(idle) = self.idle {
            aims.push(Aim {
                what: "CPU of the idle agent".into(),
                aim: format!("under {IDLE_PERCENT} % of a core"),
                found: format!("{:.3} %", idle.percent()),
                met: idle.percent() < IDLE_PERCENT,
            });
            aims.push(memory("resident memory of the idle agent", IDLE_MEGABYTES, idle.peak));
        }
        let under_load = self.consumption.iter().map(|consumption| consumption.peak);
        if let Some(peak) = under_load.chain(self.storm.iter().map(|storm| storm.used.peak)).max() {
            aims.push(memory("resident memory under load, the highest", LOAD_MEGABYTES, peak));
        }
        aims
    }

    fn facts(&self) -> String {
        let machine = &self.machine;
        let mut text = format!(
            "Linux {}, {}, {} CPUs; {} rounds; load average {:.2} before, {:.2} after",
            machine.kernel, machine.cpu, machine.cpus, self.rounds, machine.load_before, machine.load_after
        );
        if machine.watchers > 0 {
            text += &format!("; {} other processes held eBPF programs", machine.watchers);
        }
        text + "."
    }

    fn all(&self) -> Vec<Table> {
        let mut tables = Vec::new();
        if !self.costs.is_empty() {
            let mut table = Table::new(
                "What the watched pay, nanoseconds an operation: median, and 10th to 90th percentile",
                &["", "sensor off", "p10..p90", "sensor on", "p10..p90", "added", "p10..p90 of rounds", "added %"],
            );
            for cost in &self.costs {
                let [off, on] = [&cost.without, &cost.with].map(|rounds| Spread::of(rounds.concat()));
                let added = cost.added();
                let range = |spread: Spread| format!("{:.0}..{:.0}", spread.low, spread.high);
                table.row([
                    cost.about.to_owned(),
                    format!("{:.0}", off.median),
                    range(off),
                    format!("{:.0}", on.median),
                    range(on),
                    format!("{:.0}", added.median),
                    range(added),
                    format!("{:.1}", 100.0 * added.median / off.median.max(1e-9)),
                ]);
            }
            tables.push(table);
        }
        if self.costs.iter().any(|cost| cost.unit.is_some()) {
            tables.push(self.rates());
        }
        if !self.consumption.is_empty() || self.idle.is_some() {
            let mut table = Table::new(
                "What the agent uses",
                &["", "operations/s", "CPU % of a core", "CPU ns an operation", "RSS peak MB", "PSS MB"],
            );
            if let Some(idle) = &self.idle {
                let none = || "-".to_owned();
                let [peak, proportional] =
                    [idle.peak, idle.proportional].map(|bytes| format!("{:.1}", megabytes(bytes)));
                let name = format!("idle for {:.0} s", idle.wall.as_secs_f64());
                table.row([name, none(), format!("{:.3}", idle.percent()), none(), peak, proportional]);
            }
            for used in &self.consumption {
                table.row([
                    used.about.to_owned(),
                    format!("{:.0}", used.per_second()),
                    format!("{:.1}", median(&used.percent)),
                    format!("{:.0}", used.per_operation()),
                    format!("{:.1}", megabytes(used.peak)),
                    format!("{:.1}", megabytes(used.proportional)),
                ]);
            }
            tables.push(table);
        }
        if let Some(storm) = &self.storm {
            let mut table = Table::new("A storm of opens that match, through the kernel and the whole line", &["", ""]);
            let rows = [
                ("opens made", format!("{:.0}", storm.made)),
                ("nanoseconds an open", format!("{:.0}", storm.open)),
                ("opens made a second", format!("{:.0}", storm.made / storm.making)),
                ("events received", format!("{:.0}", storm.received())),
                ("events lost, the ring was full", format!("{:.0}", storm.lost)),
                ("events received a second", format!("{:.0}", storm.received() / storm.making)),
                ("agent's CPU, ns an event", format!("{:.0}", storm.nanoseconds())),
                ("so events a second on a core", format!("{:.0}", 1e9 / storm.nanoseconds().max(1e-9))),
                ("RSS peak, MB", format!("{:.1}", megabytes(storm.used.peak))),
            ];
            rows.into_iter().for_each(|(what, number)| table.row([what.to_owned(), number]));
            tables.push(table);
        }
        if !self.decode.is_empty() {
            let mut table = Table::new(
                "Records of the ring made into events, on one core",
                &["", "bytes", "ns an event", "M events/s"],
            );
            for rate in &self.decode {
                table.row([
                    rate.record.clone(),
                    rate.bytes.to_string(),
                    format!("{:.0}", rate.nanoseconds),
                    format!("{:.1}", rate.millions()),
                ]);
            }
            tables.push(table);
        }
        if !self.rules.rates.is_empty() {
            let mut table = Table::new("Rules held against events, on one core", &["", "rules", "ns an event"]);
            for rate in &self.rules.rates {
                table.row([rate.what.clone(), rate.rules.to_string(), format!("{:.0}", rate.nanoseconds)]);
            }
            if let Some(flood) = &self.rules.flood {
                let what = format!(
                    "a correlation flooded with a million groups: {} kept, in {:.1} MB",
                    flood.kept,
                    megabytes(flood.bytes)
                );
                table.row([what, "2".to_owned(), format!("{:.0}", flood.nanoseconds)]);
            }
            tables.push(table);
        }
        if !self.spool.is_empty() {
            let mut table =
                Table::new("The spool, each batch synced, taken and acknowledged; alerts of 2000 bytes", &["", ""]);
            self.spool.iter().for_each(|number| table.row([number.what.clone(), number.found.clone()]));
            tables.push(table);
        }
        if !self.evidence.is_empty() {
            let mut table = Table::new("Evidence: synthetic events, with what is needed to replay them", &["", ""]);
            self.evidence.iter().for_each(|number| table.row([number.what.clone(), number.found.clone()]));
            tables.push(table);
        }
        if !self.wire.is_empty() {
            let mut table = Table::new("What a sensor sends to a collector, OTLP over gRPC", &["", ""]);
            self.wire.iter().for_each(|number| table.row([number.what.clone(), number.found.clone()]));
            tables.push(table);
        }
        let mut table = Table::new("Against the aims", &["", "aim", "found", ""]);
        for aim in self.aims() {
            table.verdict([aim.what, aim.aim, aim.found], aim.met);
        }
        tables.push(table);
        tables
    }

    /// What whole loads come to, a second.
    fn rates(&self) -> Table {
        let mut table = Table::new(
            "Loads, a second: median, and 10th to 90th percentile of the rounds",
            &["", "", "sensor off", "p10..p90", "sensor on", "p10..p90", "fewer %", "p10..p90 of rounds"],
        );
        for (cost, unit) in self.costs.iter().filter_map(|cost| Some((cost, cost.unit?))) {
            let [off, on] = [&cost.rate_without, &cost.rate_with].map(|rates| Spread::of(rates.clone()));
            let pairs = cost.rate_without.iter().zip(&cost.rate_with);
            let fewer = Spread::of(pairs.map(|(off, on)| 100.0 * (off - on) / off.max(1e-9)).collect());
            table.row([
                cost.about.to_owned(),
                unit.to_owned(),
                format!("{:.0}", off.median),
                format!("{:.0}..{:.0}", off.low, off.high),
                format!("{:.0}", on.median),
                format!("{:.0}..{:.0}", on.low, on.high),
                format!("{:.1}", fewer.median),
                format!("{:.1}..{:.1}", fewer.low, fewer.high),
            ]);
        }
        table
    }

    /// For people.
    pub fn tables(&self) -> String {
        let mut text = format!("{}\n", self.facts());
        for table in self.all() {
            text += &table.text();
        }
        if !self.costs.is_empty() {
            text += &format!("\n{} events were lost in all rounds.\n", self.lost);
        }
        text
    }

    /// Puts the tables between the markers of a Markdown file.
    pub fn write(&self, file: &Path) -> Result<()> {
        const BEGIN: &str = "<!-- numbers: written by the command below -->\n";
        const END: &str = "<!-- end of numbers -->";
        let name = || file.display().to_string();
        let old = fs::read_to_string(file).with_context(name)?;
        let (before, rest) = old.split_once(BEGIN).with_context(|| format!("{} has no line {BEGIN}", name()))?;
        let (_, after) = rest.split_once(END).with_context(|| format!("{} has no line {END}", name()))?;
        let mut text = format!("`cargo xtask bench --rounds {}`\n\n{}\n", self.rounds, self.facts());
        self.all().iter().for_each(|table| text += &table.markdown());
        text += &format!("\nEvents lost in all rounds, the storm aside: {}.\n", self.lost);
        fs::write(file, format!("{before}{BEGIN}{text}{END}{after}")).with_context(name)
    }

    /// For programs. Times are in nanoseconds, sizes in bytes.
    pub fn json(&self) -> Value {
        let spread = |spread: Spread| json!({ "p10": spread.low, "p50": spread.median, "p90": spread.high });
        let used = |used: &Used| {
            json!({ "wall_seconds": used.wall.as_secs_f64(), "cpu_percent": used.percent(), "rss_peak": used.peak,
                "rss": used.resident, "pss": used.proportional, "anonymous": used.anonymous })
        };
        let costs = self.costs.iter().map(|cost| {
            json!({ "name": cost.name, "off": spread(Spread::of(cost.without.concat())),
                "on": spread(Spread::of(cost.with.concat())), "added": spread(cost.added()),
                "off_per_second": spread(Spread::of(cost.rate_without.clone())),
                "on_per_second": spread(Spread::of(cost.rate_with.clone())) })
        });
        let consumption = self.consumption.iter().map(|used| {
            json!({ "name": used.name, "operations_per_second": used.per_second(), "cpu_percent": median(&used.percent),
                "cpu_per_operation": used.per_operation(), "rss_peak": used.peak, "pss": used.proportional })
        });
        let decode = self
            .decode
            .iter()
            .map(|rate| json!({ "record": rate.record, "bytes": rate.bytes, "nanoseconds": rate.nanoseconds }));
        let numbers = |numbers: &[Number]| -> Vec<serde_json::Value> {
            numbers.iter().map(|number| json!({ "what": number.what, "found": number.found })).collect()
        };
        let storm = self.storm.as_ref().map(|storm| {
            json!({ "made": storm.made, "received": storm.received(), "lost": storm.lost,
                "making_seconds": storm.making, "open": storm.open, "cpu_per_event": storm.nanoseconds(), "agent": used(&storm.used) })
        });
        let rules = self.rules.rates.iter();
        let rules =
            rules.map(|rate| json!({ "what": rate.what, "rules": rate.rules, "nanoseconds": rate.nanoseconds }));
        let flood = self.rules.flood.as_ref();
        let flood =
            flood.map(|flood| json!({ "groups": flood.kept, "bytes": flood.bytes, "nanoseconds": flood.nanoseconds }));
        let aims = self.aims();
        let aims =
            aims.iter().map(|aim| json!({ "what": aim.what, "aim": aim.aim, "found": aim.found, "met": aim.met }));
        json!({
            "machine": { "kernel": self.machine.kernel, "cpu": self.machine.cpu, "cpus": self.machine.cpus,
                "load_before": self.machine.load_before, "load_after": self.machine.load_after,
                "other_watchers": self.machine.watchers },
            "rounds": self.rounds,
            "costs": costs.collect::<Vec<_>>(),
            "agent": consumption.collect::<Vec<_>>(),
            "lost": self.lost,
            "idle": self.idle.as_ref().map(used),
            "storm": storm,
            "decode": decode.collect::<Vec<_>>(),
            "rules": rules.collect::<Vec<_>>(),
            "flood": flood,
            "spool": numbers(&self.spool),
            "evidence": numbers(&self.evidence),
            "wire": numbers(&self.wire),
            "aims": aims.collect::<Vec<_>>(),
        })
    }
}

/// 10^6 bytes.
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
