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
mod results;
mod table;
mod virtual_machine;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::builder::PossibleValuesParser;

use crate::{host, ui};
use catalogue::{Family, KERNELS, Kernel};
use checks::Programs;
use guest::Guest;
use table::Table;
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
    /// Build in release mode: faster where the processor is emulated.
    #[arg(long)]
    release: bool,
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
    let programs = checks::build(args.release, args.weir.as_deref())?;
    let checks = checks::list(&programs, &args.only)?;
    if args.list {
        checks.iter().for_each(|check| anstream::println!("{:60} {}", check.name, check.title()));
        return Ok(ExitCode::SUCCESS);
    }
    let chosen = |kernel: &&Kernel| args.kernel.is_empty() || args.kernel.iter().any(|name| name == kernel.name);
    let kernels: Vec<&Kernel> = KERNELS.iter().filter(chosen).collect();
    let guest = Guest {
        programs: &programs,
        object: args.object.as_deref(),
        accelerator: args.accelerator.unwrap_or_else(Accelerator::choose),
        update: args.update,
        deadline: None,
    };
    if let Some(command) = &args.exec {
        return exec(&guest, &kernels, command, args.family);
    }
    let families = families(&programs, args.family)?;
    let mut columns = Vec::new();
    for kernel in kernels {
        columns.extend(guest.check(kernel, &families, &checks)?);
    }
    let table = Table { checks: &checks, columns: &columns, accelerator: guest.accelerator.name() };
    anstream::print!("\n{}", table.text());
    if args.write {
        table.write(&host::checkout().join("docs/kernels.md"))?;
    }
    Ok(if table.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The command in each guest; success if it succeeded in all.
fn exec(guest: &Guest<'_>, kernels: &[&Kernel], command: &str, family: Option<Family>) -> Result<ExitCode> {
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
