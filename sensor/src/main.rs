//! `weir`: the binary. Everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    sensor::cli::main()
}
