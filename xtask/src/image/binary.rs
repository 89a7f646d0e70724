//! The static binary, the same bytes from the same sources in whatever folder.

use std::ffi::OsString;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use object::read::elf::{FileHeader, ProgramHeader};

use crate::ebpf::Rustc;
use crate::{host, ui};

/// Builds the sources in `sources` with output in `output`; where the binary is.
///
/// glibc is linked in: its own resolver needs no library at run time for `files` and `dns` (since 2.34), which is all that a pod has.
pub fn build(sources: &Path, output: &Path, features: &[String]) -> Result<PathBuf> {
    let rustc = Rustc::find()?;
    ui::step(format!("building weir for {}, static (profile dist)", rustc.host), || {
        let mut cargo = host::cargo();
        cargo.current_dir(sources);
        // With a target, the flags are for the program only, not for what runs during the build; macros could not be made with them.
        cargo.args(["build", "--locked", "--profile", "dist", "--package", "sensor", "--bin", "weir", "--target"]);
        cargo.arg(&rustc.host).arg("--target-dir").arg(output);
        if !features.is_empty() {
            cargo.arg("--features").arg(features.join(","));
        }
        cargo.env_remove("RUSTFLAGS").env("CARGO_ENCODED_RUSTFLAGS", rust_flags(&rustc, sources, output)?);
        cargo.env("CFLAGS", c_flags(sources, output)?);
        // No tables of what was built before: they would be in the bytes.
        cargo.env("CARGO_INCREMENTAL", "0");
        if !cargo.status().context("cargo did not start")?.success() {
            bail!("weir could not be built, see above");
        }
        Ok(())
    })?;
    Ok(output.join(&rustc.host).join("dist/weir"))
}

/// A static binary for tests: of what the dev profile has built anyway, so that only the last step is done again. Neither small nor
/// reproducible.
pub fn build_quickly(output: &Path, features: &[String]) -> Result<PathBuf> {
    ui::step("linking weir statically (profile dev)", || {
        let mut cargo = host::cargo();
        // These flags are for the last crate only.
        cargo.args(["rustc", "--locked", "--package", "sensor", "--bin", "weir", "--features", &features.join(",")]);
        cargo.arg("--");
        cargo.args(["-Ctarget-feature=+crt-static", "-Cstrip=symbols"]);
        if !cargo.status().context("cargo did not start")?.success() {
            bail!("weir could not be built, see above");
        }
        // A later `cargo build` puts a dynamic one there.
        let (from, to) = (host::target_dir().join("debug/weir"), output.join("weir"));
        fs::create_dir_all(output).with_context(|| format!("{} cannot be made", output.display()))?;
        fs::copy(&from, &to).with_context(|| format!("{} cannot be copied to {}", from.display(), to.display()))?;
        Ok(to)
    })
}

/// An error if a program needs a loader and libraries, which the image does not have.
pub fn is_static(program: &Path) -> Result<()> {
    let mut bytes = Vec::new();
    let opened = fs::File::open(program).with_context(|| format!("{} cannot be read", program.display()))?;
    // Headers are at the beginning.
    opened.take(1 << 16).read_to_end(&mut bytes)?;
    let wrong = || format!("{} is no ELF program", program.display());
    let header = object::elf::FileHeader64::<object::Endianness>::parse(&*bytes).ok().with_context(wrong)?;
    let endian = header.endian().ok().with_context(wrong)?;
    let segments = header.program_headers(endian, &*bytes).ok().with_context(wrong)?;
    if segments.iter().any(|segment| segment.p_type(endian) == object::elf::PT_INTERP) {
        bail!(
            "{} is linked dynamically and cannot run in an image without libraries: leave out --binary, or build it with \
             `cargo rustc -p sensor --bin weir -- -C target-feature=+crt-static`",
            program.display()
        );
    }
    Ok(())
}

/// Folders that differ between machines and what stands for them; the last that fits wins.
fn remapped(sources: &Path, output: &Path) -> Result<Vec<(PathBuf, String)>> {
    let cargo_home = host::cargo_home()?;
    let mut folders = vec![(cargo_home.clone(), "/cargo".to_owned())];
    // A folder for each registry or mirror of it, all with the same content.
    for entry in fs::read_dir(cargo_home.join("registry/src")).into_iter().flatten().flatten() {
        folders.push((entry.path(), "/cargo/registry".to_owned()));
    }
    folders.push((sources.to_owned(), "/weir".to_owned()));
    folders.push((output.to_owned(), "/weir/target".to_owned()));
    Ok(folders)
}

fn rust_flags(rustc: &Rustc, sources: &Path, output: &Path) -> Result<OsString> {
    let mut flags: Vec<OsString> = vec!["-Ctarget-feature=+crt-static".into()];
    let mut folders = remapped(sources, output)?;
    // Where rustup has installed the sources of the standard library.
    folders.push((rustc.sysroot.join("lib/rustlib/src/rust"), format!("/rustc/{}", rustc.commit)));
    for (from, to) in folders {
        let mut flag = OsString::from("--remap-path-prefix=");
        flag.push(from);
        flag.push("=");
        flag.push(to);
        flags.push(flag);
    }
    Ok(flags.join(&OsString::from("\u{1f}")))
}

/// SQLite, zstd and ring have parts in C.
fn c_flags(sources: &Path, output: &Path) -> Result<String> {
    let folders = remapped(sources, output)?;
    Ok(folders.iter().map(|(from, to)| format!("-ffile-prefix-map={}={to} ", from.display())).collect())
}
