//! What a person types to build, check and show Weir: `cargo xtask COMMAND`. One file a command; this one only dispatches.

mod bench;
mod debian;
mod demo;
mod docs;
mod ebpf;
mod host;
mod image;
mod kernels;
mod manifests;
mod scoreboard;
mod test;
mod ui;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Builds, checks and shows Weir.
///
/// Every command does its own set-up: it installs or builds what it needs and says what and why, or says in one sentence what
/// it could not have.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// What Weir costs, in nanoseconds, CPU and memory. Needs root.
    Bench(bench::Args),
    /// A harmless theft, and Weir catching it: about a minute. Needs root.
    Demo(demo::Args),
    /// The reference docs that are made from the code: write them, or check those that are there.
    Docs(docs::Args),
    /// The kernel side: build the eBPF object, or check the committed one.
    Ebpf(ebpf::Args),
    /// The container image, built without a daemon. Needs root.
    Image(image::Args),
    /// The end-to-end tests on other kernels, in virtual machines.
    Kernels(kernels::Args),
    /// The plain manifests for Kubernetes, made from the chart: write them, or check those that are there.
    Manifests(manifests::Args),
    /// Every attack and every look-alike, and what Weir said of each. Needs root.
    Scoreboard(scoreboard::Args),
    /// Everything that must hold: format, lints, the eBPF object, unit tests, end-to-end tests. Needs root.
    Test(test::Args),
}

fn main() -> ExitCode {
    if ebpf::is_rustc() {
        return finish(ebpf::run_rustc());
    }
    finish(match Cli::parse().command {
        Command::Bench(args) => bench::run(&args),
        Command::Demo(args) => demo::run(&args),
        Command::Docs(args) => docs::run(&args),
        Command::Ebpf(args) => ebpf::run(&args),
        Command::Image(args) => image::run(&args),
        Command::Kernels(args) => kernels::run(&args),
        Command::Manifests(args) => manifests::run(&args),
        Command::Scoreboard(args) => scoreboard::run(&args),
        Command::Test(args) => test::run(&args),
    })
}

fn finish(outcome: anyhow::Result<ExitCode>) -> ExitCode {
    outcome.unwrap_or_else(|error| {
        ui::error(&error);
        ExitCode::FAILURE
    })
}
