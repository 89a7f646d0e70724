//! `cargo xtask test`: everything that must hold, in one command, on a machine that has only Rust and root.
//!
//! The steps are independent: one that fails does not stop the others, and the summary names all that failed. All share one
//! target folder and the dev profile. Here lives the order of the steps; how cargo's results are read is in `results`.

mod results;

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use clap::builder::PossibleValuesParser;

use crate::ebpf::{self, Toolchain, Verdict};
use crate::ui::{self, Outcome, Work};
use crate::{host, image, kernels, ui::seconds};
use results::Reader;
pub use results::Tally;

/// Everything that must hold: format, lints, the eBPF object, unit tests, end-to-end tests.
///
/// Runs every step, also after a failure, and ends with a summary and the line `N passed, N failed, N skipped`. Needs root,
/// since it loads eBPF programs; starts itself again through sudo if it is not.
#[derive(clap::Args)]
pub struct Args {
    /// Do only this step (see --list); can be given more than once.
    #[arg(long, value_name = "STEP", value_parser = PossibleValuesParser::new(STEPS.iter().map(|step| step.name)))]
    only: Vec<String>,
    /// List the steps and do nothing.
    #[arg(long)]
    list: bool,
}

/// One thing to check.
struct Step {
    name: &'static str,
    about: &'static str,
    needs_root: bool,
    run: fn(&mut Session) -> Result<Tally>,
}

const STEPS: &[Step] = &[
    Step { name: "fmt", about: "the format of all Rust sources", needs_root: false, run: fmt },
    Step { name: "clippy", about: "the lints of agent, contract, tests and xtask", needs_root: false, run: clippy },
    Step { name: "ebpf-clippy", about: "the lints of the kernel side", needs_root: false, run: ebpf_clippy },
    Step { name: "docs", about: "the reference docs are what the code gives", needs_root: false, run: docs },
    Step {
        name: "ebpf-verify",
        about: "the committed eBPF object is what its sources give",
        needs_root: false,
        run: ebpf_verify,
    },
    Step { name: "ebpf-arm64", about: "one eBPF object serves x86-64 and arm64", needs_root: false, run: ebpf_arm64 },
    Step { name: "unit", about: "the tests beside the code", needs_root: true, run: unit },
    Step { name: "e2e", about: "end to end, on the running kernel", needs_root: true, run: end_to_end },
    Step {
        name: "kernels",
        about: "end to end, on other kernels in virtual machines",
        needs_root: true,
        run: other_kernels,
    },
];

/// What a step leaves to later ones.
#[derive(Default)]
struct Session {
    toolchain: Option<Toolchain>,
    /// The object to test instead of the committed one.
    object: Option<PathBuf>,
}

/// A step that was run, and what came of it.
struct Report {
    name: &'static str,
    result: Result<Tally>,
    took: Duration,
}

/// Runs the steps.
pub fn run(args: &Args) -> Result<ExitCode> {
    if args.list {
        for step in STEPS {
            anstream::println!("{:12} {}", step.name, step.about);
        }
        return Ok(ExitCode::SUCCESS);
    }
    let chosen = |step: &&Step| args.only.is_empty() || args.only.iter().any(|name| name == step.name);
    let steps: Vec<&Step> = STEPS.iter().filter(chosen).collect();
    if steps.iter().any(|step| step.needs_root) || host::lacks_packages() {
        host::become_root()?;
    }
    host::install_packages()?;
    let mut session = Session::default();
    let reports: Vec<Report> = steps.into_iter().map(|step| run_step(step, &mut session)).collect();
    host::hand_back();
    Ok(summary(&reports))
}

fn run_step(step: &Step, session: &mut Session) -> Report {
    let work = Work::begin(format!("{}: {}", step.name, step.about));
    let result = (step.run)(session);
    if let Err(error) = &result {
        ui::error(error);
    }
    let took = work.end(outcome(&result));
    Report { name: step.name, result, took }
}

fn outcome(result: &Result<Tally>) -> Outcome {
    match result {
        Ok(tally) if tally.failed > 0 => Outcome::Failed,
        Ok(tally) if tally.passed == 0 && !tally.skips.is_empty() => Outcome::Skipped,
        Ok(_) => Outcome::Done,
        Err(_) => Outcome::Failed,
    }
}

/// Says what each step came to, what failed and what was skipped; last, the line of totals. A step without tests of its own
/// counts when it fails, so that the totals never read as if all were well when it is not.
fn summary(reports: &[Report]) -> ExitCode {
    let mut total = Tally::default();
    anstream::println!("\nSummary");
    for report in reports {
        let outcome = outcome(&report.result);
        let word = match outcome {
            Outcome::Done => "ok",
            Outcome::Failed => "FAILED",
            Outcome::Skipped => "skipped",
        };
        let style = ui::style(outcome);
        // Steps without tests of their own have nothing to count.
        let counts = report.result.as_ref().ok().filter(|tally| **tally != Tally::default());
        let counts = counts.map(ToString::to_string).unwrap_or_default();
        anstream::println!("  {:12} {style}{word:8}{style:#} {:>12}  {counts}", report.name, seconds(report.took));
        match &report.result {
            Ok(tally) => total.add(tally),
            Err(_) => total.failed += 1,
        }
    }
    for (name, why) in &total.skips {
        anstream::println!("skipped: {name}: {why}");
    }
    for report in reports {
        match &report.result {
            Ok(tally) => tally.failures.iter().for_each(|name| anstream::println!("failed: {}: {name}", report.name)),
            Err(error) => anstream::println!("failed: {}: {error:#}", report.name),
        }
    }
    anstream::println!("{total}");
    if total.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn fmt(_: &mut Session) -> Result<Tally> {
    let agent = succeeds(host::cargo().args(["fmt", "--all", "--check"]))?;
    let kernel = succeeds(host::cargo().args(["fmt", "--manifest-path", "sensor-ebpf/Cargo.toml", "--check"]))?;
    if !(agent && kernel) {
        bail!("some sources are not formatted: run `cargo fmt --all` (and the same in sensor-ebpf)");
    }
    Ok(Tally::default())
}

fn clippy(_: &mut Session) -> Result<Tally> {
    // In the workspace the tests ask for the feature `kube`; by itself the agent is built without it.
    for what in [&["--workspace", "--all-targets"][..], &["--package", "sensor"]] {
        let mut cargo = host::cargo();
        if !succeeds(cargo.args(["clippy", "--locked"]).args(what).args(["--", "-D", "warnings"]))? {
            bail!("clippy has something to say, see above");
        }
    }
    Ok(Tally::default())
}

fn docs(_: &mut Session) -> Result<Tally> {
    crate::docs::check()?;
    Ok(Tally::default())
}

fn ebpf_clippy(session: &mut Session) -> Result<Tally> {
    if !ebpf::clippy(session.toolchain()?)? {
        bail!("clippy has something to say about sensor-ebpf, see above");
    }
    Ok(Tally::default())
}

fn ebpf_verify(session: &mut Session) -> Result<Tally> {
    match ebpf::verify(session.toolchain()?, &host::checkout().join(ebpf::OBJECT))? {
        Verdict::Equal => Ok(Tally::default()),
        Verdict::Different(where_) => Err(anyhow!(where_)),
        Verdict::NotCompared(why, object) => {
            let why = format!("bytes were not compared, the tests run on the object built here: {why}");
            ui::note(format!("skipped: {why}"));
            session.object = Some(object);
            Ok(Tally::skip("the committed eBPF object", &why))
        }
    }
}

fn ebpf_arm64(session: &mut Session) -> Result<Tally> {
    ebpf::one_for_both(session.toolchain()?)?;
    Ok(Tally::default())
}

fn unit(session: &mut Session) -> Result<Tally> {
    let mut cargo = session.cargo_test();
    cargo.args(["--package", "sensor-common", "--package", "sensor", "--package", "xtask"]);
    cargo.args(["--features", "sensor-common/user,sensor/kube", "--", "--show-output"]);
    results(cargo)
}

fn end_to_end(session: &mut Session) -> Result<Tally> {
    // Before the build of the one that the tests run: both have the same place.
    let image = host::install(host::CONTAINERS).and_then(|()| image::for_tests());
    if let Err(why) = &image {
        ui::note(format!("the sensor is not tested in a pod: {why:#}"));
    }
    // The tests run `weir` itself, which `cargo test` of another package does not build. With everything, as the image has it.
    let mut cargo = host::cargo();
    cargo.args(["build", "--locked", "--package", "sensor", "--bin", "weir", "--features", "kube"]);
    if !succeeds(&mut cargo)? {
        bail!("weir could not be built, see above");
    }
    // Who names a browser has one, and need not have another installed.
    if std::env::var_os("WEIR_CHROMIUM").is_none()
        && let Err(why) = host::install(host::BROWSER)
    {
        ui::note(format!("the page of a timeline is not opened in a browser: {why:#}"));
    }
    let mut cargo = session.cargo_test();
    if let Ok(image) = image {
        cargo.env("WEIR_TEST_IMAGE", image);
    }
    // One at a time: what they watch is the kernel, of which there is one.
    cargo.args(["--package", "tests", "--", "--show-output", "--test-threads=1"]);
    results(cargo)
}

fn other_kernels(session: &mut Session) -> Result<Tally> {
    kernels::step(session.object.as_deref())
}

impl Session {
    /// The eBPF toolchain, prepared when first asked for.
    fn toolchain(&mut self) -> Result<&Toolchain> {
        if self.toolchain.is_none() {
            self.toolchain = Some(Toolchain::prepare()?);
        }
        self.toolchain.as_ref().context("the eBPF toolchain is not there")
    }

    fn cargo_test(&self) -> Command {
        let mut cargo = host::cargo();
        cargo.args(["test", "--locked", "--no-fail-fast"]);
        if let Some(object) = &self.object {
            cargo.env(ebpf::OBJECT_VARIABLE, object);
        }
        cargo
    }
}

fn succeeds(command: &mut Command) -> Result<bool> {
    Ok(command.status().with_context(|| format!("{:?} did not start", command.get_program()))?.success())
}

/// Runs `cargo test`, passes its output on as it comes, and counts.
fn results(mut cargo: Command) -> Result<Tally> {
    let mut child = cargo.stdout(Stdio::piped()).spawn().context("cargo did not start")?;
    let output = child.stdout.take().context("cargo has no output")?;
    let mut reader = Reader::default();
    for line in BufReader::new(output).split(b'\n') {
        let line = line.context("cargo's output cannot be read")?;
        let line = String::from_utf8_lossy(&line);
        anstream::println!("{line}");
        reader.line(&line);
    }
    let success = child.wait().context("cargo was lost")?.success();
    let tally = reader.finish();
    if !success && tally.failed == 0 {
        bail!(
            "cargo test failed without a failed test: something does not compile, or a test ended its process; see above"
        );
    }
    Ok(tally)
}
