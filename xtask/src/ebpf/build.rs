//! From the sources in `sensor-ebpf` to a stripped object, the same bytes on every machine.

use std::ffi::OsString;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};

use super::inputs::Inputs;
use super::toolchain::{Rustc, Toolchain, hermetic};
use super::{OBJECT, TARGET, rustc_wrapper};
use crate::{host, ui};

/// `cargo xtask ebpf build`.
pub fn run(output: Option<&Path>) -> Result<ExitCode> {
    let toolchain = Toolchain::prepare()?;
    let pinned = Rustc::pinned()?;
    if output.is_none() && toolchain.rustc.release != pinned {
        bail!(
            "this is rustc {}, and the committed object is built with {pinned} only, so that everyone can reproduce it: run \
             without RUSTUP_TOOLCHAIN or +TOOLCHAIN, or give --output PATH for an object of your own",
            toolchain.rustc.release
        );
    }
    let object = output.map_or_else(|| host::checkout().join(OBJECT), Path::to_path_buf);
    let built = build(&toolchain, Architecture::X86_64)?;
    if let Some(folder) = object.parent() {
        fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    }
    fs::copy(&built, &object).with_context(|| format!("{} cannot be written", object.display()))?;
    Inputs::of(&toolchain).write(&object)?;
    let size = fs::metadata(&object).map_or(0, |meta| meta.len());
    ui::note(format!("{}: {size} bytes", object.display()));
    Ok(ExitCode::SUCCESS)
}

/// What the kernel's crates are told that the object is for. The committed one is built for x86-64; `arm64` shows that it
/// serves arm64 as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Architecture {
    X86_64,
    Arm64,
}

impl Architecture {
    /// The name in `bpf_target_arch`, which chooses the layout of pt_regs and the type of char in aya-ebpf.
    fn name(self) -> &'static str {
        match self {
            Architecture::X86_64 => "x86_64",
            Architecture::Arm64 => "aarch64",
        }
    }

    /// Each has a folder, so that neither is built again because the other was.
    fn output_dir(self) -> PathBuf {
        host::target_dir().join(match self {
            Architecture::X86_64 => "ebpf",
            Architecture::Arm64 => "ebpf-arm64",
        })
    }
}

/// Builds and strips the object; where it is then.
pub fn build(toolchain: &Toolchain, architecture: Architecture) -> Result<PathBuf> {
    let folder = architecture.output_dir();
    let (name, release) = (architecture.name(), &toolchain.rustc.release);
    ui::step(format!("building the eBPF object for {name} with rustc {release}"), || {
        if !cargo(toolchain, "build", architecture)?.arg("--release").status().context("cargo did not start")?.success()
        {
            bail!("the eBPF object could not be built; rustc's or bpf-linker's message is above");
        }
        Ok(())
    })?;
    let linked = folder.join(TARGET).join("release/weir-ebpf");
    let stripped = folder.join("weir.bpf.o");
    // Debug information goes, BTF stays: it is what the loader and the verifier read. Its relocations are for linkers.
    let mut objcopy = toolchain.rustc.objcopy()?;
    objcopy.args(["--strip-debug", "--remove-section=.rel.BTF", "--remove-section=.rel.BTF.ext"]);
    if !host::run_quietly(objcopy.arg(&linked).arg(&stripped))? {
        bail!("{} could not be stripped", linked.display());
    }
    Ok(stripped)
}

/// Forgets earlier builds of the kernel's crates: cargo does not see when the linker or what stands in for rustc changes.
pub fn clean() -> Result<()> {
    let folder = Architecture::X86_64.output_dir().join(TARGET);
    match fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).context(format!("{} cannot be removed", folder.display()))
        }
        _ => Ok(()),
    }
}

/// The lints of the kernel side, with warnings as errors. Tells whether there were none.
pub fn clippy(toolchain: &Toolchain) -> Result<bool> {
    let mut cargo = cargo(toolchain, "clippy", Architecture::X86_64)?;
    Ok(cargo.args(["--release", "--", "-D", "warnings"]).status().context("cargo did not start")?.success())
}

/// A cargo that compiles `sensor-ebpf` for the kernel.
fn cargo(toolchain: &Toolchain, subcommand: &str, architecture: Architecture) -> Result<Command> {
    fetch()?;
    let mut cargo = cargo_in_sensor_ebpf(subcommand);
    cargo.args(["--target", TARGET, "-Z", "build-std=core", "--target-dir"]).arg(architecture.output_dir());
    // -Z build-std is for nightly; this lets the pinned stable do it, with which everything else is built.
    cargo.env("RUSTC_BOOTSTRAP", "1");
    if !toolchain.core.in_sysroot {
        // The one way to name core's sources without writing into the user's toolchain.
        cargo.env("__CARGO_TESTS_ONLY_SRC_ROOT", &toolchain.core.library);
    }
    let mut path = OsString::from(&toolchain.linker);
    if let Some(rest) = std::env::var_os("PATH") {
        path.push(":");
        path.push(rest);
    }
    cargo.env("PATH", path);
    cargo.env("CARGO_ENCODED_RUSTFLAGS", rustflags(toolchain, architecture)?);
    rustc_wrapper::install(&mut cargo)?;
    Ok(cargo)
}

fn cargo_in_sensor_ebpf(subcommand: &str) -> Command {
    let mut cargo = host::cargo();
    hermetic(&mut cargo);
    cargo.args([subcommand, "--locked", "--manifest-path"]).arg(host::checkout().join("sensor-ebpf/Cargo.toml"));
    cargo
}

/// Fetches the locked crates, so that the folders they are in are there to be remapped.
fn fetch() -> Result<()> {
    if !host::run_quietly(&mut cargo_in_sensor_ebpf("fetch"))? {
        bail!(
            "the crates that sensor-ebpf/Cargo.lock names cannot be fetched, or it does not fit sensor-ebpf/Cargo.toml"
        );
    }
    Ok(())
}

/// The compiler's flags, in the form cargo takes them: separated by the character 0x1f.
fn rustflags(toolchain: &Toolchain, architecture: Architecture) -> Result<OsString> {
    let mut flags: Vec<OsString> = vec![
        format!("--cfg=bpf_target_arch=\"{}\"", architecture.name()).into(),
        "-Cdebuginfo=2".into(),
        "-Clink-arg=--btf".into(),
    ];
    for (from, to) in remapped(toolchain)? {
        let mut flag = OsString::from("--remap-path-prefix=");
        flag.push(from);
        flag.push("=");
        flag.push(to);
        flags.push(flag);
    }
    Ok(flags.join(&OsString::from("\u{1f}")))
}

/// BTF names the source file of each line. These are the folders that differ between machines and what stands for them; the
/// last that fits wins.
fn remapped(toolchain: &Toolchain) -> Result<Vec<(PathBuf, String)>> {
    let rust = format!("/rustc/{}", toolchain.rustc.commit);
    let core = toolchain.core.library.parent().unwrap_or(&toolchain.core.library);
    let cargo_home = host::cargo_home()?;
    let mut folders = vec![(host::checkout(), "/weir".to_owned()), (cargo_home.clone(), "/cargo".to_owned())];
    // A folder for each registry or mirror of it, all with the same content.
    let registries = cargo_home.join("registry/src");
    for entry in fs::read_dir(&registries).into_iter().flatten().flatten() {
        folders.push((entry.path(), "/cargo/registry".to_owned()));
    }
    folders.push((toolchain.rustc.sysroot.clone(), rust.clone()));
    folders.push((core.to_path_buf(), rust));
    Ok(folders)
}
