//! Does one thing and prints the truth about it; see `weir-actor --help`.

fn main() -> std::process::ExitCode {
    tests::actor::main()
}
