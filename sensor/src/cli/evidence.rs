//! `weir evidence`

mod export;

use crate::evidence::integrity::{Key, KeyError, PublicKey, VerifyError, verify};
use crate::evidence::{DIRECTORY, archive};
use clap::{Args, Subcommand};
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Check what was kept, and take it elsewhere
#[derive(Args)]
pub struct Evidence {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Prove that nothing was edited, removed or reordered, or name the first place where something was
    #[command(after_help = "\
Examples:
  weir evidence verify                                   the store of this machine
  weir evidence verify /mnt/evidence --key node7.pub     a copy, with the key that you know
  weir evidence verify incident.tar.zst --key node7.pub  an archive

Every digest is computed again out of the rows, every signature is checked, and it is said what is covered by them and what is \
not. Without --key it is not known whose signatures they are: keep each machine's public key (weir evidence key) elsewhere. Nothing \
is changed, and whoever can read the files can check them. docs/evidence.md says what this proves, and how to do it by hand.

Exit status: 0 it is as it was written, 1 it is not, or cannot be read.")]
    Verify {
        /// A store's directory, one of its segments, or an archive
        #[arg(value_name = "PLACE", default_value = DIRECTORY)]
        place: PathBuf,

        /// A public key that signatures may be of: a key.pub, or PEM; more than once, if the key was replaced
        #[arg(long, value_name = "FILE")]
        key: Vec<PathBuf>,
    },
    Export(export::Export),
    /// Show the public key that checks what this machine signs
    #[command(after_help = "\
Keep it away from the machine, or compare its fingerprint with one that you kept: with another key, anything can be signed.
Your own key: `openssl genpkey -algorithm ed25519 -out DIR/key.ed25519`, mode 0600, before the first start.")]
    Key {
        /// The store's directory
        #[arg(value_name = "DIR", default_value = DIRECTORY)]
        directory: PathBuf,

        /// Make one, if there is none
        #[arg(long)]
        make: bool,

        /// As openssl takes it
        #[arg(long)]
        pem: bool,
    },
}

impl Evidence {
    pub fn execute(self) -> ExitCode {
        match self.command {
            Command::Verify { place, key } => check(&place, &key),
            Command::Export(export) => export.execute(),
            Command::Key { directory, make, pem } => key(&directory, make, pem),
        }
    }
}

fn check(place: &Path, keys: &[PathBuf]) -> ExitCode {
    let keys: Result<Vec<PublicKey>, _> = keys.iter().map(|file| PublicKey::open(file)).collect();
    let keys = match keys {
        Ok(keys) => keys,
        Err(error) => return super::fail(&error),
    };
    let report = if archive::is_archive(place) {
        archive::verify(place, &keys).map(|report| report.to_string())
    } else {
        verify(place, &keys).map(|report| report.to_string())
    };
    match report {
        Ok(report) => super::print(ExitCode::SUCCESS, |out| write!(out, "{report}")),
        // That is the answer, and no failure to give one.
        Err(VerifyError::Fault(fault)) => {
            super::print(ExitCode::FAILURE, |out| writeln!(out, "{WRONG}not whole:{WRONG:#} {fault}"))
        }
        Err(error) => super::fail(&error),
    }
}

fn key(directory: &Path, make: bool, pem: bool) -> ExitCode {
    let key = if make {
        Key::load_or_create(directory).map(|key| key.public_key())
    } else {
        PublicKey::open(&directory.join("key.pub"))
    };
    match key {
        Ok(key) if pem => super::print(ExitCode::SUCCESS, |out| write!(out, "{}", key.pem())),
        Ok(key) => super::print(ExitCode::SUCCESS, |out| writeln!(out, "{key}\n{}", key.fingerprint())),
        Err(KeyError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound && !make => {
            let directory = directory.display();
            super::complain(&format!(
                "{directory} has no key.pub: `weir run` makes a key at its first start, and so does --make"
            ));
            ExitCode::FAILURE
        }
        Err(error) => super::fail(&error),
    }
}

const WRONG: anstyle::Style = anstyle::AnsiColor::Red.on_default().bold();
