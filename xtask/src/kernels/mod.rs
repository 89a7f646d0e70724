//! `cargo xtask kernels`: the end-to-end tests on other kernels than the running one, in virtual machines, with every hook family.
//!
//! A kernel is Debian's package (`catalogue`, `packages`, `modules`); the machine's file system is made of what is on this machine
//! (`initramfs`): the very programs that the tests run here. The guest's first process (`tests::guest`) does a job that is made here
//! (`guest`), of tests that name themselves (`checks`); what comes of it is a verdict each (`results`) in a `table`.

mod catalogue;
mod checks;
mod guest;
mod initramfs;
mod modules;
mod packages;
mod progress;
mod results;
mod table;
mod virtual_machine;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, bail};
use clap::builder::PossibleValuesParser;

use crate::test::Tally;
use crate::{host, ui};
use catalogue::{Family, KERNELS, Kernel};
use checks::{Check, Programs};
use guest::Guest;
use packages::Unpacked;
use table::{Column, Table};
use virtual_machine::Accelerator;

/// The end-to-end tests on other kernels, in virtual machines.
///
/// Fetches Debian's kernels (kept in ~/.cache/weir/kernels; nothing is installed of them), boots each under qemu with a file system made
/// of this machine's programs, runs the tests there with each hook family, and prints a table. Exits with 1 if a check failed. Uses
/// /dev/kvm where it works; without, the processor is emulated, which takes ten times as long.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  cargo xtask kernels                                          everything
  cargo xtask kernels --kernel 5.10 --only opens               what can be wrong with opens there?
  cargo xtask kernels --kernel 6.1 --exec 'weir doctor'        a command there; `weir` is on its PATH
  cargo xtask kernels --weir target/release/weir --object X.o  another sensor, another eBPF object

What each command in a guest printed is in target/kernels/KERNEL/log, the kernel's console beside it.")]
pub struct Args {
    /// Only this kernel; can be given more than once, or as a list.
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = PossibleValuesParser::new(KERNELS.iter().map(|kernel| kernel.name)))]
    kernel: Vec<String>,
    /// Only this hook family.
    #[arg(long, value_enum)]
    family: Option<Family>,
    /// Only checks with this in their name; can be given more than once.
    #[arg(long, value_name = "TEXT")]
    only: Vec<String>,
    /// List the checks and do nothing.
    #[arg(long)]
    list: bool,
    /// Run this shell command in each guest instead of the checks, and show what it prints.
    #[arg(long, value_name = "COMMAND", conflicts_with_all = ["only", "list", "write"])]
    exec: Option<String>,
    /// Put this `weir` into the guests instead of building one.
    #[arg(long, value_name = "PATH")]
    weir: Option<PathBuf>,
    /// Have `weir` load this eBPF object instead of the one in it.
    #[arg(long, value_name = "PATH")]
    object: Option<PathBuf>,
    /// Only one check of each concern: what `cargo xtask test` does where the processor is emulated.
    #[arg(long)]
    brief: bool,
    /// How many guests at a time.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=16))]
    jobs: u32,
    /// Fetch the newest of each kernel, though one is kept.
    #[arg(long)]
    update: bool,
    /// How the guests' processor is made [default: what works].
    #[arg(long, value_enum)]
    accelerator: Option<Accelerator>,
    /// Record the table in docs/kernels.md.
    #[arg(long, conflicts_with_all = ["kernel", "family", "only", "weir", "object"])]
    write: bool,
}

/// Runs the checks, or what else was asked for.
pub fn run(args: &Args) -> Result<ExitCode> {
    prepare()?;
    let outcome = work(args);
    host::hand_back();
    outcome
}

fn prepare() -> Result<()> {
    if host::lacks_packages() || host::lacks(host::VIRTUAL_MACHINES) {
        host::become_root()?;
    }
    host::install_packages()?;
    host::install(host::VIRTUAL_MACHINES)
}

fn work(args: &Args) -> Result<ExitCode> {
    let programs = checks::build(args.weir.as_deref())?;
    let mut checks = checks::list(&programs, &args.only)?;
    checks.retain(|check| !args.brief || check.is_brief());
    if args.list {
        checks.iter().for_each(|check| anstream::println!("{:60} {}", check.name, check.title()));
        return Ok(ExitCode::SUCCESS);
    }
    let chosen = |kernel: &&Kernel| args.kernel.is_empty() || args.kernel.iter().any(|name| name == kernel.name);
    let kernels: Result<Vec<Unpacked>> =
        KERNELS.iter().filter(chosen).map(|kernel| packages::unpack(kernel, args.update)).collect();
    let kernels = kernels?;
    let accelerator = match args.accelerator {
        Some(accelerator) => accelerator,
        None => accelerator(&kernels)?,
    };
    let guest = Guest { programs: &programs, object: args.object.as_deref(), accelerator, deadline: None };
    if let Some(command) = &args.exec {
        return exec(&guest, &kernels, command, args.family);
    }
    let families = families(&programs, args.family)?;
    let columns = check(&guest, &kernels, &families, &checks, args.jobs)?;
    let table = Table { checks: &checks, columns: &columns, accelerator: accelerator.name() };
    anstream::print!("\n{}", table.text());
    if args.write {
        table.write(&host::checkout().join("docs/kernels.md"))?;
    }
    Ok(if table.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What `cargo xtask test` does of this: the oldest kernel, one between and the newest, in at most [`BUDGET`]; where the processor is
/// emulated, one check of each concern. `object` is loaded instead of the one in the sensor. A kernel that cannot be had is skipped.
pub fn step(object: Option<&Path>) -> Result<Tally> {
    const NAMES: [&str; 3] = ["5.10", "6.1", "newest"];
    if let Err(why) = host::install(host::VIRTUAL_MACHINES) {
        return Ok(Tally::skip("other kernels", &format!("{why:#}")));
    }
    let mut skipped = Tally::default();
    let mut kernels = Vec::new();
    for kernel in KERNELS.iter().filter(|kernel| NAMES.contains(&kernel.name)) {
        match packages::unpack(kernel, false) {
            Ok(unpacked) => kernels.push(unpacked),
            Err(why) => skipped.add(&Tally::skip(&format!("Debian's kernel {}", kernel.name), &format!("{why:#}"))),
        }
    }
    if kernels.is_empty() {
        return Ok(skipped);
    }
    let programs = checks::build(None)?;
    let accelerator = accelerator(&kernels)?;
    let mut checks = checks::list(&programs, &[])?;
    checks.retain(|check| accelerator == Accelerator::Kvm || check.is_brief());
    let guest = Guest { programs: &programs, object, accelerator, deadline: Some(Instant::now() + BUDGET) };
    let families = families(&programs, None)?;
    let columns = check(&guest, &kernels, &families, &checks, 2)?;
    let table = Table { checks: &checks, columns: &columns, accelerator: accelerator.name() };
    anstream::print!("\n{}", table.text());
    let mut tally = table.tally();
    tally.add(&skipped);
    Ok(tally)
}

/// How long the guests of [`step`] may take. What is not done by then is skipped.
const BUDGET: Duration = Duration::from_secs(11 * 60);

/// What works here, tried with the first of the kernels.
fn accelerator(kernels: &[Unpacked]) -> Result<Accelerator> {
    Ok(match kernels.first() {
        Some(kernel) => Accelerator::choose(&modules::image(&kernel.root)?),
        None => Accelerator::Tcg,
    })
}

/// The checks on all kernels, `jobs` guests at a time; the columns in the order of the kernels.
fn check(
    guest: &Guest<'_>,
    kernels: &[Unpacked],
    families: &[Family],
    checks: &[Check],
    jobs: u32,
) -> Result<Vec<Column>> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        while let Some((at, kernel)) = kernels.iter().enumerate().nth(next.fetch_add(1, Ordering::Relaxed)) {
            done.push((at, guest.check(kernel, families, checks)));
        }
        done
    };
    let mut done = Vec::new();
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..jobs).map(|_| scope.spawn(work)).collect();
        for worker in workers {
            done.extend(worker.join().map_err(|_| anyhow!("the work with a guest ended in a panic, see above"))?);
        }
        Ok::<_, anyhow::Error>(())
    })?;
    done.sort_by_key(|(at, _)| *at);
    let columns: Result<Vec<Vec<Column>>> = done.into_iter().map(|(_, columns)| columns).collect();
    Ok(columns?.into_iter().flatten().collect())
}

/// The command in each guest; success if it succeeded in all.
fn exec(guest: &Guest<'_>, kernels: &[Unpacked], command: &str, family: Option<Family>) -> Result<ExitCode> {
    let mut all = true;
    for kernel in kernels {
        all &= guest.exec(kernel, command, family)?;
    }
    Ok(if all { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The families to check: those that this `weir` has, or the one that was asked for.
fn families(programs: &Programs, only: Option<Family>) -> Result<Vec<Family>> {
    if checks::has_families(&programs.weir)? {
        return Ok(only.map_or(Family::ALL.to_vec(), |family| vec![family]));
    }
    if only == Some(Family::Trampoline) {
        bail!("{} has no choice of hooks: its family is {}", programs.weir.display(), Family::Portable.name());
    }
    ui::note("this weir has the portable hooks only");
    Ok(vec![Family::Portable])
}
