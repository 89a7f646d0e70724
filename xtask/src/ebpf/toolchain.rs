//! What compiles and links the eBPF object: rustc as it is, and bpf-linker built against the LLVM that rustc brings along. So
//! nothing of LLVM has to be installed, and the pinned rustc pins the linker's LLVM too.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::core_sources::{self, CoreSources};
use crate::{host, ui};

/// The linker's version, exactly: it decides the bytes of the object.
pub const BPF_LINKER: &str = "0.13.0";

/// All that a build of the object needs beside the sources in the checkout.
pub struct Toolchain {
    pub rustc: Rustc,
    pub core: CoreSources,
    /// Folder of `bpf-linker`.
    pub linker: PathBuf,
}

impl Toolchain {
    /// Finds it, and fetches or builds what is missing.
    pub fn prepare() -> Result<Toolchain> {
        let rustc = Rustc::find()?;
        let core = core_sources::find(&rustc)?;
        let linker = bpf_linker(&rustc)?;
        Ok(Toolchain { rustc, core, linker })
    }
}

/// A compiler, as it describes itself (`rustc -vV`).
pub struct Rustc {
    /// `1.95.0`
    pub release: String,
    /// The commit of Rust's repository that it was built from; `unknown` for some distributions' compilers.
    pub commit: String,
    /// The target it runs on, such as `x86_64-unknown-linux-gnu`.
    pub host: String,
    /// The version of its LLVM, such as `22.1.2`.
    pub llvm: String,
    /// The folder it is installed in.
    pub sysroot: PathBuf,
}

impl Rustc {
    /// The rustc that cargo would use in the checkout.
    pub fn find() -> Result<Rustc> {
        let version = ask_rustc(&["-vV"])?;
        let field = |name: &str| {
            let value = version.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
            value
                .map(str::to_owned)
                .with_context(|| format!("`rustc -vV` does not say its {name}: is this a real rustc?"))
        };
        let sysroot = PathBuf::from(ask_rustc(&["--print", "sysroot"])?.trim_end());
        Ok(Rustc {
            release: field("release")?,
            commit: field("commit-hash")?,
            host: field("host")?,
            llvm: field("LLVM version")?,
            sysroot: sysroot
                .canonicalize()
                .with_context(|| format!("rustc's sysroot {} is not there", sysroot.display()))?,
        })
    }

    /// The version that rust-toolchain.toml pins.
    pub fn pinned() -> Result<String> {
        let file = host::checkout().join("rust-toolchain.toml");
        let text = fs::read_to_string(&file).with_context(|| format!("{} cannot be read", file.display()))?;
        let channel = text.lines().find_map(|line| line.strip_prefix("channel = \"")?.strip_suffix('"'));
        channel.map(str::to_owned).with_context(|| format!("{} names no channel", file.display()))
    }

    /// The objcopy that strips debug information: rustc's own, else LLVM's from the PATH.
    pub fn objcopy(&self) -> Result<Command> {
        let own = self.sysroot.join("lib/rustlib").join(&self.host).join("bin/rust-objcopy");
        if own.is_file() {
            let mut command = Command::new(own);
            command.env("LD_LIBRARY_PATH", self.sysroot.join("lib"));
            return Ok(command);
        }
        if host::on_path("llvm-objcopy") {
            return Ok(Command::new("llvm-objcopy"));
        }
        bail!(
            "rustc in {} has no rust-objcopy, and there is no llvm-objcopy on the PATH: use rustup's Rust",
            self.sysroot.display()
        )
    }

    /// rustc's own LLVM as a shared library, if it brings one.
    fn llvm_library(&self) -> Option<PathBuf> {
        let entries = fs::read_dir(self.sysroot.join("lib")).ok()?;
        let mut found: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        found.retain(|path| {
            path.file_name().and_then(OsStr::to_str).is_some_and(|name| name.starts_with("libLLVM.so."))
        });
        found.sort();
        found.pop()
    }
}

fn ask_rustc(args: &[&str]) -> Result<String> {
    let output = Command::new("rustc").args(args).current_dir(host::checkout()).output();
    let output = output.context("rustc did not start: install Rust")?;
    if !output.status.success() {
        bail!("rustc {}: {}", args.join(" "), String::from_utf8_lossy(&output.stderr).trim_end());
    }
    String::from_utf8(output.stdout).context("rustc answered in something that is not UTF-8")
}

/// The folder of a bpf-linker built against `rustc`'s LLVM: from an earlier time, else built now (a minute).
fn bpf_linker(rustc: &Rustc) -> Result<PathBuf> {
    let home = host::target_dir().join("toolchain").join(format!("bpf-linker-{BPF_LINKER}-{}", identity(rustc)));
    let folder = home.join("bin");
    if runs(&folder.join("bpf-linker")) {
        return Ok(folder);
    }
    let llvm = llvm_prefix(rustc, &home)?;
    ui::step(format!("building bpf-linker {BPF_LINKER} against the LLVM {} of rustc", rustc.llvm), || {
        let mut cargo = host::cargo();
        hermetic(&mut cargo);
        cargo.args(["install", "bpf-linker", "--version", BPF_LINKER, "--locked", "--force", "--no-default-features"]);
        cargo.args(["--features", &format!("llvm-{}", rustc.llvm_major()?)]);
        cargo.arg("--root").arg(&home).arg("--target-dir").arg(home.join("build")).env("LLVM_PREFIX", &llvm);
        if !host::run_quietly(&mut cargo)? {
            bail!(
                "bpf-linker {BPF_LINKER} could not be built; cargo's message above says why (it needs the crate registry and a C linker)"
            );
        }
        // 300 MB of intermediate files that nobody needs again.
        fs::remove_dir_all(home.join("build")).ok();
        if !runs(&folder.join("bpf-linker")) {
            bail!("bpf-linker was built but does not run: {} --version fails", folder.join("bpf-linker").display());
        }
        Ok(folder)
    })
}

impl Rustc {
    fn llvm_major(&self) -> Result<&str> {
        self.llvm.split('.').next().filter(|major| !major.is_empty()).context("rustc does not say its LLVM's version")
    }
}

/// Tells compilers apart in a file name.
fn identity(rustc: &Rustc) -> String {
    let commit = rustc.commit.get(..9).unwrap_or(&rustc.commit);
    // The linker finds LLVM through the sysroot's path, so that is part of what it was built for.
    format!("{}-{commit}-{}", rustc.release, &super::inputs::digest(rustc.sysroot.as_os_str().as_encoded_bytes())[..8])
}

fn runs(program: &Path) -> bool {
    let output = Command::new(program).arg("--version").output();
    output.is_ok_and(|output| output.status.success())
}

/// A folder that looks to bpf-linker's build like an installed LLVM. It must stay: the linker finds the library through it.
fn llvm_prefix(rustc: &Rustc, home: &Path) -> Result<PathBuf> {
    let Some(library) = rustc.llvm_library() else {
        let installed = PathBuf::from(format!("/usr/lib/llvm-{}", rustc.llvm_major()?));
        if installed.is_dir() {
            return Ok(installed);
        }
        bail!(
            "rustc in {} brings no libLLVM.so.*, and {} is not there: use rustup's Rust or install llvm-{}-dev",
            rustc.sysroot.display(),
            installed.display(),
            rustc.llvm_major()?
        );
    };
    let prefix = home.join("llvm");
    let lib = prefix.join("lib");
    fs::remove_dir_all(&lib).ok();
    fs::create_dir_all(&lib).with_context(|| format!("{} cannot be made", lib.display()))?;
    let own_name = library.file_name().context("libLLVM has no name")?;
    for name in [OsStr::new("libLLVM.so"), own_name] {
        symlink(&library, lib.join(name))
            .with_context(|| format!("no symbolic link can be made in {}", lib.display()))?;
    }
    Ok(prefix)
}

/// Removes from a cargo's environment what would change what it builds, or make it take itself for its caller.
pub fn hermetic(cargo: &mut Command) {
    for (name, _) in std::env::vars_os() {
        let name_text = name.to_string_lossy();
        let foreign = ["CARGO_PROFILE_", "CARGO_BUILD_", "CARGO_TARGET_", "CARGO_PKG_", "CARGO_UNSTABLE_"];
        let single =
            ["CARGO_ENCODED_RUSTFLAGS", "RUSTFLAGS", "RUSTC_WRAPPER", "RUSTC_WORKSPACE_WRAPPER", "CARGO_INCREMENTAL"];
        let own = ["CARGO_MANIFEST_DIR", "CARGO_MANIFEST_PATH", "LD_LIBRARY_PATH", "RUSTC_BOOTSTRAP"];
        if foreign.iter().any(|prefix| name_text.starts_with(prefix))
            || single.iter().chain(&own).any(|n| *n == name_text)
        {
            cargo.env_remove(&name);
        }
    }
}
