//! x
use std::process::ExitCode;
use anyhow::Result;
/// x
#[derive(clap::Args)]
pub struct Args {}
/// x
pub fn run(_: &Args) -> Result<ExitCode> { Ok(ExitCode::SUCCESS) }
