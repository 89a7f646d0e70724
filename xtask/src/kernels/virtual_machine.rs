//! Starts a kernel under qemu, hears what the guest says, and does not wait for ever.
//!
//! Of the two serial lines the first is the kernel's console, kept in a file; the second is what the guest and its commands say.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use ::tests::guest::{Ended, Job, Said};
use anyhow::{Context, Result, bail, ensure};

use crate::ui;

/// The program.
const QEMU: &str = "qemu-system-x86_64";
/// What every machine has.
const MACHINE: [&str; 10] =
    ["-m", "1536", "-smp", "2", "-display", "none", "-monitor", "none", "-no-reboot", "-nodefaults"];

/// How the guest's processor is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Accelerator {
    /// By this machine's own (/dev/kvm).
    Kvm,
    /// By a program: everywhere, and ten to thirty times as slow.
    Tcg,
}

impl Accelerator {
    /// The best that works here, as seen by whether this kernel comes up: that /dev/kvm is there does not say that it works.
    pub fn choose(image: &Path) -> Accelerator {
        if fs::File::options().read(true).write(true).open("/dev/kvm").is_err() {
            return Accelerator::Tcg;
        }
        let works = ui::step("trying /dev/kvm", || {
            // Without a file system it panics at once, which ends the machine.
            let mut probe = Command::new("timeout");
            probe.args(["20", QEMU]).args(Accelerator::Kvm.options("")).args(MACHINE).args(["-serial", "none"]);
            probe.arg("-kernel").arg(image).args(["-append", "panic=-1 quiet"]);
            let status = probe.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
            ensure!(status.is_ok_and(|status| status.success()), "no kernel comes up by it in 20 s");
            Ok(())
        });
        match works {
            Ok(()) => Accelerator::Kvm,
            Err(why) => {
                ui::note(format!("{why:#}: emulating the processor, which is slow"));
                Accelerator::Tcg
            }
        }
    }

    /// What qemu is told; `processor`: what it emulates, if it has to.
    fn options(self, processor: &'static str) -> [&'static str; 4] {
        match self {
            // A hypervisor in a virtual machine may not set what this feature would have to.
            Accelerator::Kvm => ["-accel", "kvm", "-cpu", "max,-arch-capabilities"],
            Accelerator::Tcg => ["-accel", "tcg", "-cpu", processor],
        }
    }

    /// How many times as long as on a machine of its own anything may take.
    pub fn slowness(self) -> u32 {
        match self {
            Accelerator::Kvm => 3,
            Accelerator::Tcg => 20,
        }
    }

    /// For the table.
    pub fn name(self) -> &'static str {
        match self {
            Accelerator::Kvm => "KVM",
            Accelerator::Tcg => "TCG",
        }
    }
}

/// A machine that is to be.
pub struct Machine<'a> {
    pub image: &'a Path,
    pub initramfs: &'a Path,
    /// Where the kernel's console is kept.
    pub console: PathBuf,
    pub accelerator: Accelerator,
    /// What is emulated, if it has to be.
    pub processor: &'static str,
}

/// What comes from a guest.
pub enum Heard<'a> {
    /// A word of its own.
    Said(&'a Said),
    /// A line of the command of this number.
    Line(usize, &'a str),
}

impl Machine<'_> {
    /// Has the guest do its job; `hear` gets everything it says. Whether it came to its end before `deadline`; an error if it
    /// did not come to it at all.
    pub fn run(&self, job: &Job, deadline: Option<Instant>, mut hear: impl FnMut(Heard<'_>)) -> Result<bool> {
        let mut qemu = self.start()?;
        let output = qemu.0.stdout.take().context("qemu has no output")?;
        let (tell, told) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).split(b'\n').map_while(|line| line.ok()) {
                let line = String::from_utf8_lossy(&line).trim_end_matches('\r').to_owned();
                if tell.send(line).is_err() {
                    return;
                }
            }
        });
        let short = Duration::from_secs(60) * self.accelerator.slowness().div_ceil(3);
        let (mut patience, mut current, mut last) = (short, None, "its start".to_owned());
        let mut begun = Instant::now();
        loop {
            let until = deadline.map_or(begun + patience, |deadline| deadline.min(begun + patience));
            let line = match told.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(line) => line,
                Err(RecvTimeoutError::Timeout) if deadline.is_some_and(|deadline| deadline <= Instant::now()) => {
                    return Ok(false);
                }
                Err(RecvTimeoutError::Timeout) => {
                    bail!("nothing happened for {} after {last}{}", ui::seconds(patience), self.last_words())
                }
                Err(RecvTimeoutError::Disconnected) => {
                    bail!("it ended before its work was done, after {last}{}", self.last_words())
                }
            };
            let Ok(said) = line.parse::<Said>() else {
                if let Some(number) = current {
                    hear(Heard::Line(number, &line));
                }
                continue;
            };
            hear(Heard::Said(&said));
            match said {
                Said::Up(_) => {}
                Said::Begin(number) => {
                    let command = job.commands.get(number).context("the guest does what it was not asked to")?;
                    // The guest itself ends what takes too long.
                    patience = Duration::from_secs(command.seconds) + short;
                    (current, last) = (Some(number), format!("the start of `{}`", command.words.join(" ")));
                }
                Said::End { number, ended, .. } => {
                    let what = job.commands.get(number).map(|command| command.words.join(" ")).unwrap_or_default();
                    (patience, current, last) = (short, None, format!("the end of `{what}`"));
                    if let Ended::NotStarted(why) = ended {
                        bail!("the guest could not start a command: {why}");
                    }
                }
                Said::Done => return Ok(true),
                Said::Broken(why) => bail!("the guest could not go on: {why}{}", self.last_words()),
            }
            begun = Instant::now();
        }
    }

    fn start(&self) -> Result<Qemu> {
        // By util-linux's setpriv: the machine goes when whoever started it does.
        let mut qemu = Command::new("setpriv");
        qemu.args(["--pdeathsig", "KILL", QEMU]).args(self.accelerator.options(self.processor)).args(MACHINE);
        qemu.arg("-serial").arg(format!("file:{}", self.console.display())).args(["-serial", "stdio"]);
        qemu.arg("-kernel").arg(self.image).arg("-initrd").arg(self.initramfs);
        qemu.args(["-append", "console=ttyS0 panic=-1 quiet lsm=lockdown,capability,landlock,bpf"]);
        let child = qemu.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
        Ok(Qemu(child.context("qemu did not start through setpriv: install qemu-system-x86 and util-linux")?))
    }

    /// For errors: what the kernel complained of on its console, or the end of that.
    fn last_words(&self) -> String {
        let text = fs::read(&self.console).unwrap_or_default();
        let words = last_words(&String::from_utf8_lossy(&text));
        if words.is_empty() { words } else { format!("; the kernel's last words:{words}") }
    }
}

fn last_words(console: &str) -> String {
    let lines: Vec<&str> = console.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
    let complaint =
        lines.iter().position(|line| ["Kernel panic", "BUG: ", "Oops"].iter().any(|word| line.contains(word)));
    let from = complaint.unwrap_or(lines.len().saturating_sub(15));
    lines.iter().skip(from).take(15).map(|line| format!("\n  {line}")).collect()
}

/// A running qemu; dropping it ends it.
struct Qemu(Child);

impl Drop for Qemu {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_found_before_its_registers() {
        let registers = "RAX: 0\n".repeat(40);
        let words = last_words(&format!("hello\r\n\n[ 1.0] Kernel panic - not syncing\r\n{registers}"));
        assert!(words.starts_with("\n  [ 1.0] Kernel panic - not syncing\n  RAX: 0\n"), "{words}");
        assert_eq!(words.lines().count(), 16);
        assert_eq!(last_words("one\n\ntwo\n"), "\n  one\n  two");
        assert_eq!(last_words(""), "");
    }
}
