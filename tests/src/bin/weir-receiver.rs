//! Receives OTLP, as it is told to; see `weir-receiver --help`.

fn main() -> std::process::ExitCode {
    tests::receiver::main()
}
