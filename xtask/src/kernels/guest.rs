//! One kernel's run: a file system and a job are made, the machine is started, its words become verdicts.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tests::guest::{Ended, JOB, Job, Said};
use tests::wait::SLOWNESS;

use super::catalogue::Family;
use super::checks::{Check, Programs};
use super::initramfs::Initramfs;
use super::modules;
use super::packages::Unpacked;
use super::results::{Output, Verdict};
use super::table::{self, Column};
use super::virtual_machine::{Accelerator, Heard, Machine};
use crate::ui::{self, Outcome, Work};
use crate::{ebpf, host};

/// Where the programs are in a guest.
const HOME: &str = "/opt/weir";
/// Programs that tests and people run there, if this machine has them.
const TOOLS: &[&str] = &["sh", "ip", "cat", "cp", "dmesg", "grep", "head", "ls", "mount", "ps", "sleep", "tail"];
/// How long a check may take on a machine of its own, seconds.
const LIMIT: u64 = 120;

/// What all guests have in common.
pub struct Guest<'a> {
    pub programs: &'a Programs,
    /// The eBPF object that is loaded instead of the one in the sensor.
    pub object: Option<&'a Path>,
    pub accelerator: Accelerator,
    /// When all guests must be done.
    pub deadline: Option<Instant>,
}

/// What a command of a job is for.
enum Purpose {
    /// To see that the sensor starts with the family of this column.
    Start(usize),
    /// The check of this row, for the family of this column.
    Check(usize, usize),
}

impl Guest<'_> {
    /// Has the kernel's guest do all checks with each of the families: a column each. An error only if this machine cannot make it.
    pub fn check(&self, kernel: &Unpacked, families: &[Family], checks: &[Check]) -> Result<Vec<Column>> {
        let (mut commands, mut purposes, mut columns) = (Vec::new(), Vec::new(), Vec::new());
        for (at, family) in families.iter().enumerate() {
            let column = |cells| {
                let (kernel, release) = (kernel.name().to_owned(), String::new());
                Column { kernel, release, family: family.name(), cells }
            };
            if let Some((_, why)) = kernel.kernel.lacks.iter().find(|(lacking, _)| lacking == family) {
                columns.push(column(vec![Verdict::NotOffered((*why).into()); checks.len()]));
                continue;
            }
            let start = commands.len();
            let words = ["weir", "events", "--kind", "process_found", "-n", "1"];
            commands.push(self.command(&words, Some(*family), None));
            purposes.push(Purpose::Start(at));
            let mut cells = Vec::new();
            for (row, check) in checks.iter().enumerate() {
                // Once is enough, in the column of the family that a kernel may not have.
                if check.compares_families() && *family == Family::Portable {
                    cells.push(Verdict::Skipped("it compares both families: see the other column".into()));
                    continue;
                }
                cells.push(not_run());
                let words = [&*check.target, &check.name, "--exact", "--nocapture", "--test-threads=1"];
                let told = Some(*family).filter(|_| !check.compares_families());
                let mut command = self.command(&words, told, Some(start));
                // What a kernel lacks the sensor warns of at each start, and that is as it should be; some tests expect it to be quiet.
                command.environment.insert("WEIR_LOG".into(), "error".into());
                commands.push(command);
                purposes.push(Purpose::Check(at, row));
            }
            columns.push(column(cells));
        }
        if commands.is_empty() {
            return Ok(columns);
        }
        let machine = self.machine(kernel, commands)?;
        let work = Work::begin(format!("Debian's kernel {}, by {}", kernel.name(), self.accelerator.name()));
        let mut outputs: Vec<Output> = purposes.iter().map(|_| Output::default()).collect();
        let mut log = Log::new(&machine.folder)?;
        let end = machine.run(self, |heard| {
            log.write(&machine.job, &heard);
            match heard {
                Heard::Line(number, line) => drop(outputs.get_mut(number).map(|output| output.add(line))),
                Heard::Said(Said::Up(release)) => {
                    ui::note(format!("{release} is up"));
                    columns.iter_mut().for_each(|column| column.release.clone_from(release));
                }
                Heard::Said(Said::End { number, ended, milliseconds }) => {
                    let (Some(output), Some(purpose)) = (outputs.get(*number), purposes.get(*number)) else { return };
                    note(purpose, output, ended, Duration::from_millis(*milliseconds), checks, &mut columns);
                }
                Heard::Said(_) => {}
            }
        });
        let instead = match &end {
            Ok(true) => None,
            Ok(false) => Some(Verdict::Skipped("the time that all of this may take was over".into())),
            Err(error) => {
                ui::error(error);
                let why = first_line(&format!("{error:#}")).to_owned();
                Some(Verdict::Failed(format!("the guest did not come to its end: {why}")))
            }
        };
        if let Some(verdict) = instead {
            let cells = columns.iter_mut().flat_map(|column| &mut column.cells);
            cells.filter(|cell| **cell == not_run()).for_each(|cell| cell.clone_from(&verdict));
        }
        let good = columns.iter().flat_map(|column| &column.cells).all(|cell| !matches!(cell, Verdict::Failed(_)));
        work.end(if good { Outcome::Done } else { Outcome::Failed });
        Ok(columns)
    }

    /// Runs a shell command in the kernel's guest and shows what it prints; whether it succeeded.
    pub fn exec(&self, kernel: &Unpacked, command: &str, family: Option<Family>) -> Result<bool> {
        let mut command = self.command(&["/bin/sh", "-c", command], family, None);
        command.seconds *= 10;
        let machine = self.machine(kernel, vec![command])?;
        ui::note(format!("Debian's kernel {}, by {}", kernel.name(), self.accelerator.name()));
        let mut success = false;
        machine.run(self, |heard| match heard {
            Heard::Line(_, line) => println!("{line}"),
            Heard::Said(Said::Up(release)) => ui::note(format!("{release} is up")),
            Heard::Said(Said::End { ended, .. }) => {
                success = *ended == Ended::Exit(0);
                ui::note(format!("it ended: {ended:?}"));
            }
            Heard::Said(_) => {}
        })?;
        Ok(success)
    }

    fn command(&self, words: &[&str], family: Option<Family>, needs: Option<usize>) -> tests::guest::Command {
        let mut words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        if let Some(program) = words.first_mut().filter(|program| !program.starts_with('/')) {
            *program = format!("{HOME}/{program}");
        }
        let mut environment = BTreeMap::new();
        let mut set = |name: &str, value: String| drop(environment.insert(name.to_owned(), value));
        set("WEIR", format!("{HOME}/weir"));
        set("WEIR_ACTOR", format!("{HOME}/weir-actor"));
        set(SLOWNESS, self.accelerator.slowness().to_string());
        family.into_iter().for_each(|family| set(Family::VARIABLE, family.name().into()));
        self.object.iter().for_each(|_| set(ebpf::OBJECT_VARIABLE, format!("{HOME}/weir.bpf.o")));
        let seconds = LIMIT * u64::from(self.accelerator.slowness().div_ceil(4));
        tests::guest::Command { words, environment, seconds, needs }
    }

    /// Makes the guest's file system.
    fn machine(&self, kernel: &Unpacked, commands: Vec<tests::guest::Command>) -> Result<Made> {
        let Unpacked { folder, root, .. } = kernel;
        let mut all = Initramfs::new()?;
        let mut job = Job { modules: Vec::new(), commands };
        for module in modules::wanted(root)? {
            let path = format!("{HOME}/{}.ko", module.name);
            job.modules.push(path.clone().into());
            all.file(&path, module.bytes);
        }
        let Programs { weir, actor, guest, tests } = self.programs;
        let own = [("weir", weir), ("weir-actor", actor), ("weir-guest", guest)];
        for (name, source) in own.into_iter().chain(tests.iter().map(|(name, source)| (name.as_str(), source))) {
            all.program(&stripped(source, folder)?, &Path::new(HOME).join(name))?;
        }
        all.link("/init", &format!("{HOME}/weir-guest"));
        for tool in TOOLS {
            if let Some(source) = host::which(tool) {
                all.program(&source, &Path::new("/bin").join(tool))?;
            }
        }
        if let Some(object) = self.object {
            let bytes = fs::read(object).with_context(|| format!("{} cannot be read", object.display()))?;
            all.file(&format!("{HOME}/weir.bpf.o"), bytes);
        }
        all.file("/etc/passwd", b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n".to_vec());
        all.file(JOB, serde_json::to_vec_pretty(&job)?);
        let initramfs = folder.join("initramfs");
        all.write(&initramfs)?;
        Ok(Made { image: modules::image(root)?, initramfs, folder: folder.clone(), job })
    }
}

/// A guest that is ready to be started.
struct Made {
    image: PathBuf,
    initramfs: PathBuf,
    /// Where everything of it is on this machine.
    folder: PathBuf,
    job: Job,
}

impl Made {
    fn run(&self, guest: &Guest<'_>, hear: impl FnMut(Heard<'_>)) -> Result<bool> {
        let machine = Machine {
            image: &self.image,
            initramfs: &self.initramfs,
            console: self.folder.join("console"),
            accelerator: guest.accelerator,
        };
        machine.run(&self.job, guest.deadline, hear)
    }
}

/// What a check comes to that nothing was heard of.
fn not_run() -> Verdict {
    Verdict::Failed("it was not run".into())
}

/// Notes and shows what came of a command.
fn note(purpose: &Purpose, output: &Output, ended: &Ended, took: Duration, checks: &[Check], columns: &mut [Column]) {
    let (name, verdict) = match purpose {
        Purpose::Start(column) => {
            let Some(column) = columns.get_mut(*column) else { return };
            if *ended == Ended::Exit(0) {
                return;
            }
            let verdict = Verdict::Failed(format!("the sensor does not start: {}", output.reason(ended)));
            column.cells.fill(verdict.clone());
            (format!("{} {}: the sensor starts", column.kernel, column.family), verdict)
        }
        Purpose::Check(column, row) => {
            let (Some(column), Some(check)) = (columns.get_mut(*column), checks.get(*row)) else { return };
            let verdict = output.of_test(ended);
            column.cells.get_mut(*row).into_iter().for_each(|cell| cell.clone_from(&verdict));
            (format!("{} {}: {}", column.kernel, column.family, check.title()), verdict)
        }
    };
    let style = ui::style(table::outcome(&verdict));
    let (word, why) = match &verdict {
        Verdict::Passed => ("pass", String::new()),
        Verdict::Failed(_) => ("fail", String::new()),
        Verdict::Skipped(why) | Verdict::NotOffered(why) => ("skipped", format!(": {why}")),
    };
    ui::note(format!("{style}{word:7}{style:#} {name}, {}{why}", ui::seconds(took)));
    if matches!(verdict, Verdict::Failed(_)) {
        let lines: Vec<&str> = output.lines().collect();
        for line in lines.iter().skip(lines.len().saturating_sub(30)) {
            ui::note(format!("        | {}", line.chars().take(500).collect::<String>()));
        }
        if output.left_out() > 0 {
            ui::note(format!("        {} lines in the middle of it were not kept", output.left_out()));
        }
    }
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default().trim_end_matches("; the kernel's last words:")
}

/// A copy of a program without what only debuggers read: a tenth of its size.
fn stripped(program: &Path, folder: &Path) -> Result<PathBuf> {
    let name = program.file_name().context("a program without a name")?;
    let copy = folder.join("programs").join(name);
    fs::create_dir_all(folder.join("programs"))?;
    let mut strip = Command::new("strip");
    if !host::run_quietly(strip.arg("--strip-debug").arg("-o").arg(&copy).arg(program))? {
        bail!("{} cannot be stripped", program.display());
    }
    Ok(copy)
}

/// All that the commands of one guest printed, in a file.
struct Log(fs::File);

impl Log {
    fn new(folder: &Path) -> Result<Log> {
        let path = folder.join("log");
        Ok(Log(fs::File::create(&path).with_context(|| format!("{} cannot be written", path.display()))?))
    }

    /// What cannot be written to it is still in the table.
    fn write(&mut self, job: &Job, heard: &Heard<'_>) {
        let _ = match heard {
            Heard::Line(_, line) => writeln!(self.0, "{line}"),
            Heard::Said(Said::Begin(number)) => {
                let Some(command) = job.commands.get(*number) else { return };
                let family = command.environment.get(Family::VARIABLE).map(String::as_str).unwrap_or_default();
                writeln!(self.0, "\n$ {}={family} {}", Family::VARIABLE, command.words.join(" "))
            }
            Heard::Said(said) => writeln!(self.0, "{said}"),
        };
    }
}
