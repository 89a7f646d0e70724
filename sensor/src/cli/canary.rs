//! `weir canary`: what the sensor starts to see whether it sees it. For nobody else to call.

use crate::delivery::health::canary::{Nonce, act};
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;

/// Open a file and connect a socket, for the sensor that started this to see
#[derive(Args)]
pub struct Canary {
    /// What marks it: 32 hexadecimal digits
    #[arg(value_parser = nonce)]
    nonce: Nonce,

    /// The file to open
    file: Option<PathBuf>,
}

fn nonce(text: &str) -> Result<Nonce, String> {
    Nonce::parse(text).ok_or_else(|| "32 hexadecimal digits are needed".to_owned())
}

impl Canary {
    pub fn execute(self) -> ExitCode {
        ExitCode::from(act(self.nonce, self.file.as_deref()))
    }
}
