//! `cargo xtask ebpf`: the eBPF object, from its sources to the committed bytes.
//!
//! The object is committed so that plain `cargo build` needs no eBPF toolchain, and reproducible so that nobody has to believe
//! the commit: `verify` builds it again and compares. What decides its bytes, and is therefore pinned or recorded here, is:
//! rustc (rust-toolchain.toml), core's sources, bpf-linker, and the sources and lock file of `sensor-ebpf`. docs/building.md
//! is the reader's version of this.
//!
//! Here lives what turns sources into the object. What the object does is `sensor-ebpf`; how it is loaded is the agent.

mod arm64;
mod build;
mod core_sources;
mod inputs;
mod rustc_wrapper;
mod toolchain;
mod verify;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;

pub use arm64::one_for_both;
pub use build::clippy;
pub use rustc_wrapper::{is_called as is_rustc, run as run_rustc};
pub use toolchain::{Rustc, Toolchain};
pub use verify::{OBJECT_VARIABLE, Verdict, verify};

/// The committed object, relative to the checkout. The agent embeds it.
pub const OBJECT: &str = "sensor/ebpf/weir.bpf.o";

/// The target that programs for the kernel are compiled for.
const TARGET: &str = "bpfel-unknown-none";

/// The kernel side: build the eBPF object, or check the committed one.
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Build the object from source and write it to sensor/ebpf/weir.bpf.o, to be committed.
    ///
    /// Needs the rustc that rust-toolchain.toml names, the sources of its core library and bpf-linker; fetches or builds the
    /// last two. With another rustc give --output, since the committed object has to be reproducible with the pinned one.
    Build {
        /// Write the object here instead.
        #[arg(long, value_name = "PATH")]
        output: Option<PathBuf>,
    },
    /// Build the object again and compare it with the committed one, byte by byte.
    ///
    /// Exit status: 0 equal; 1 different, or it could not be built; 3 built, but the bytes could not be compared because rustc
    /// or core's sources here are not those of the committed object. The built object stays in target/ebpf/weir.bpf.o.
    Verify {
        /// Compare with this object instead of sensor/ebpf/weir.bpf.o.
        #[arg(long, value_name = "PATH")]
        object: Option<PathBuf>,
    },
}

/// Runs the subcommand.
pub fn run(args: &Args) -> Result<ExitCode> {
    match &args.command {
        Command::Build { output } => build::run(output.as_deref()),
        Command::Verify { object } => verify::run(object.as_deref()),
    }
}
