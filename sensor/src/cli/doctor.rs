//! `weir doctor`

use crate::delivery::Format;
use clap::Args;
use std::process::ExitCode;

/// Say what this machine offers, what is missing, and what to do about it
#[derive(Args)]
#[command(after_help = "Exit status: 0 the sensor can run, 1 something that it needs is missing.")]
pub struct Doctor {
    /// How to write
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = Format::Text)]
    format: Format,
}
