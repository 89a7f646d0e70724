//! One kernel's run: a file system and a job are made, the machine is started, its words become verdicts.

use std::collections::BTreeMap;
use std::fs;
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
use super::progress::{Log, note};
use super::results::{Output, Verdict};
use super::table::Column;
use super::virtual_machine::{Accelerator, Heard, Machine};
use crate::ui::{self, Outcome, Work};
use crate::{ebpf, host};

/// Where the programs are in a guest.
const HOME: &str = "/opt/weir";
/// Programs that tests and people run there, if this machine has them.
const TOOLS: &[&str] =
    &["sh", "ip", "cat", "cp", "dmesg", "grep", "head", "insmod", "ls", "mount", "rmmod", "sleep", "tail"];
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
pub enum Purpose {
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
        // Nobody but the test goes by it there.
        set("WEIR_TEST_OWN_CLOCK", "1".into());
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
        if let Some(bytes) = modules::dummy(root)? {
            all.file("/lib/dummy.ko", bytes);
        }
        let Programs { weir, actor, guest, tests } = self.programs;
        let own = [("weir", weir), ("weir-actor", actor), ("weir-guest", guest)];
        for (name, source) in own.into_iter().chain(tests.iter().map(|(name, source)| (name.as_str(), source))) {
            all.program(&stripped(source, folder)?, &Path::new(HOME).join(name))?;
        }
        all.link("/init", &format!("{HOME}/weir-guest"));
        for tool in TOOLS {
            // Where administrators' programs are is not on everybody's PATH.
            let elsewhere = || Some(Path::new("/usr/sbin").join(tool)).filter(|path| path.is_file());
            if let Some(source) = host::which(tool).or_else(elsewhere) {
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
        let processor = kernel.kernel.processor;
        Ok(Made { image: modules::image(root)?, initramfs, folder: folder.clone(), job, processor })
    }
}

/// A guest that is ready to be started.
struct Made {
    image: PathBuf,
    initramfs: PathBuf,
    /// Where everything of it is on this machine.
    folder: PathBuf,
    job: Job,
    processor: &'static str,
}

impl Made {
    fn run(&self, guest: &Guest<'_>, hear: impl FnMut(Heard<'_>)) -> Result<bool> {
        let machine = Machine {
            image: &self.image,
            initramfs: &self.initramfs,
            console: self.folder.join("console"),
            accelerator: guest.accelerator,
            processor: self.processor,
        };
        machine.run(&self.job, guest.deadline, hear)
    }
}

/// What a check comes to that nothing was heard of.
fn not_run() -> Verdict {
    Verdict::Failed("it was not run".into())
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
