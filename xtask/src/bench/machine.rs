//! The machine that is measured on, and which of its CPUs does what.

use crate::ui;
use anyhow::{Context, Result};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use std::fs;

/// What a number means little without.
pub struct Machine {
    /// Release of the kernel.
    pub kernel: String,
    /// Model of the CPU.
    pub cpu: String,
    /// How many CPUs this process may use.
    pub cpus: usize,
    /// Load average of one minute when the measuring began.
    pub load_before: f64,
    /// And when it ended; what is measured is one of it.
    pub load_after: f64,
    /// Processes that had eBPF programs loaded before: their cost is in every number.
    pub watchers: usize,
}

impl Machine {
    pub fn look(cpus: &Cpus) -> Result<Machine> {
        let info = fs::read_to_string("/proc/cpuinfo").context("/proc/cpuinfo")?;
        let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
        Ok(Machine {
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease").context("the kernel's release")?.trim().into(),
            cpu: model.map_or_else(|| std::env::consts::ARCH.into(), |(_, model)| model.into()),
            cpus: cpus.count,
            load_before: 0.0,
            load_after: 0.0,
            watchers: 0,
        })
    }

    /// Notes the state before the measuring, and says what will be in the way of it.
    pub fn begin(&mut self) -> Result<()> {
        self.load_before = load()?;
        self.watchers = watchers();
        if self.watchers > 0 {
            ui::note(format!(
                "{} other processes hold eBPF programs: what these cost is in every number",
                self.watchers
            ));
        }
        if self.load_before > 0.5 {
            ui::note(format!("the load average is {:.2}: other work disturbs the measuring", self.load_before));
        }
        Ok(())
    }

    /// Notes the state after it.
    pub fn end(&mut self) -> Result<()> {
        self.load_after = load()?;
        self.watchers = self.watchers.max(watchers());
        Ok(())
    }
}

/// How many processes hold an attached eBPF program.
fn watchers() -> usize {
    let holds = |directory: &fs::DirEntry| {
        fs::read_dir(directory.path().join("fd")).into_iter().flatten().flatten().any(|descriptor| {
            fs::read_link(descriptor.path()).is_ok_and(|target| {
                target.to_string_lossy().starts_with("anon_inode:") && target.to_string_lossy().contains("bpf")
            })
        })
    };
    fs::read_dir("/proc").into_iter().flatten().flatten().filter(holds).count()
}

/// Load average of one minute.
fn load() -> Result<f64> {
    let text = fs::read_to_string("/proc/loadavg").context("/proc/loadavg")?;
    text.split(' ').next().and_then(|number| number.parse().ok()).context("/proc/loadavg does not begin with a number")
}

/// Who runs where.
pub struct Cpus {
    /// How many there are.
    pub count: usize,
    /// The one for what is measured: the last, since the first takes most interrupts.
    pub load: usize,
    /// The others, for the agent; the same one if there is no other.
    others: CpuSet,
}

impl Cpus {
    pub fn choose() -> Result<Cpus> {
        let mut others = sched_getaffinity(None).context("which CPUs there are")?;
        let count = others.count() as usize;
        let load = (0..CpuSet::MAX_CPU).rev().find(|cpu| others.is_set(*cpu)).context("no CPU may be used")?;
        if count > 1 {
            others.unset(load);
        }
        Ok(Cpus { count, load, others })
    }

    /// Keeps this process away from what is measured.
    pub fn keep_apart(&self, pid: u32) -> Result<()> {
        let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw).context("no pid")?;
        sched_setaffinity(Some(pid), &self.others).context("giving the agent its CPU")
    }
}
