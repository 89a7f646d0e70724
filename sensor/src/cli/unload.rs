//! `weir unload`

use crate::kernel::Pins;
use clap::Args;
use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

/// Take off the kernel what `weir run --pin` has left there
#[derive(Args)]
#[command(after_help = "\
Only when no sensor runs: one that runs with --pin has the programs, and leaves them again when it ends.

Examples:
  weir unload --pin /sys/fs/bpf/weir      nothing of Weir is left in the kernel, and the directory is gone")]
pub struct Unload {
    /// The directory that was given to `weir run --pin`
    #[arg(long, value_name = "DIR", env = "WEIR_PIN")]
    pin: PathBuf,
}

impl Unload {
    pub fn execute(self) -> ExitCode {
        match self.unload() {
            Ok(sentence) => super::print(ExitCode::SUCCESS, |out| writeln!(out, "{sentence}")),
            Err(error) => super::fail(&*error),
        }
    }

    fn unload(&self) -> Result<String, Box<dyn Error>> {
        let directory = self.pin.display();
        if !self.pin.exists() {
            return Ok(format!("Nothing was left in {directory}."));
        }
        let pins = Pins::open(&self.pin)?;
        if !pins.try_lock()? {
            return Err(format!("--pin {directory}: a sensor runs that uses it; end that first, then unload").into());
        }
        let programs = pins.remove()?;
        pins.remove_directory()?;
        Ok(format!("{programs} programs taken off their hooks; nothing is left in {directory}."))
    }
}
