//! Finds the programs that the tests run.

use std::env;
use std::io;
use std::path::{Path, PathBuf};

/// The program `weir-actor`: `$WEIR_ACTOR`, else the one that was built with the running program.
pub fn actor() -> io::Result<PathBuf> {
    find("weir-actor", "WEIR_ACTOR", "cargo build -p tests")
}

/// The sensor: `$WEIR`, else the one that was built with the running program.
pub fn weir() -> io::Result<PathBuf> {
    find("weir", "WEIR", "cargo build -p sensor")
}

fn find(name: &str, variable: &str, build: &str) -> io::Result<PathBuf> {
    if let Some(path) = env::var_os(variable).map(PathBuf::from) {
        return Some(path.clone()).filter(|path| path.is_file()).ok_or_else(|| {
            io::Error::new(io::ErrorKind::NotFound, format!("{variable} is {}, which is not a file", path.display()))
        });
    }
    let running = env::current_exe()?;
    // A program lies in target/PROFILE, a test or a bench in target/PROFILE/deps.
    running.ancestors().skip(1).take(2).map(|directory| directory.join(name)).find(|path| path.is_file()).ok_or_else(
        || {
            let profile = profile_of(&running);
            io::Error::new(
                io::ErrorKind::NotFound,
                format!(
                    "{name} is not beside {}: build it with `{build}{profile}`, or name it in {variable}",
                    running.display()
                ),
            )
        },
    )
}

fn profile_of(running: &Path) -> &'static str {
    if running.components().any(|component| component.as_os_str() == "release") { " --release" } else { "" }
}
