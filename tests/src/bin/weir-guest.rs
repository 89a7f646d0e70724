//! The first process of a virtual machine of `cargo xtask kernels`.

fn main() -> std::process::ExitCode {
    tests::guest::main()
}
