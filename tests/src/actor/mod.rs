//! The program `weir-actor`: one subcommand a thing to do, one file a kind of thing.
//!
//! Each prints one line of JSON, the truth: what it did, under the names of the sensor's fields where there is one, so that a test
//! compares without translating. What the kernel does not offer is `{"skipped": "why"}`. A subcommand makes no system call of the
//! kind that it counts other than those that it reports; threads only where they are asked for; no runtime, no name resolution,
//! no plug-ins, so that it can be linked statically.

mod answer;
mod bench;
mod compat;
mod contain;
mod deed;
mod enter;
mod exec;
mod observe;
mod open;
pub(crate) mod process;
mod root;
mod stage;
mod serve;
mod steal;
mod storm;
mod theft;
mod transfer;
mod upload;
mod uring;
mod visit;

use clap::{Parser, Subcommand};
use serde_json::Value;
use std::io::{self, Write};
use std::process::ExitCode;

/// Does one thing and prints the truth about it as one line of JSON.
#[derive(Parser)]
#[command(name = "weir-actor", disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    act: Act,
}

#[derive(Subcommand)]
enum Act {
    /// Open a file once, in one of the ways that the kernel has.
    Open(open::Args),
    /// Open a file and read it to its end.
    Read(open::ReadArgs),
    /// Do one thing to files, sockets, processes or the kernel that the sensor reports.
    Deed(deed::Args),
    /// Move classified content once, in one of the ways that the kernel has.
    Transfer(transfer::Args),
    /// Do one small thing many times, exactly as often as asked.
    Storm(storm::Args),
    /// Measure how long one small thing takes, in batches.
    Bench(bench::Args),
    /// Send bytes to a sink.
    Upload(upload::Args),
    /// Go to a server as clients do: ask for its address, connect, begin with a ClientHello.
    Visit(visit::Args),
    /// Read a file and send it to whoever connects, once.
    Answer(answer::Args),
    /// Load a file, as a model server does, and answer requests.
    Serve(serve::ServeArgs),
    /// Pass requests on to a server on a unix socket, as a sidecar does.
    Relay(serve::RelayArgs),
    /// Ask a server for a file.
    Download(serve::DownloadArgs),
    /// Receive and count until standard input ends.
    Sink(crate::sink::Args),
    /// Copy a file to where it can be sent from later, and keep it open.
    Stage(stage::Args),
    /// Read a file and send it, in one process or in two.
    Steal(steal::Args),
    /// Read a file and send it, in one of the ways that thieves have.
    Theft(theft::Args),
    /// Say who this process is, and become another program.
    Become(theft::BecomeArgs),
    /// Ask a DNS server for addresses.
    Resolve(theft::ResolveArgs),
    /// Connect, and become a shell on the connection.
    ReverseShell(exec::ReverseShellArgs),
    /// Read a file and write it to standard output; the truth goes to standard error.
    Cat(steal::CatArgs),
    /// Send standard input.
    Send(steal::SendArgs),
    /// Run a program that exists in memory only (memfd_create, fexecve).
    ExecMemfd,
    /// Copy this program to a path, by intent in /dev/shm, run it there and remove it.
    ExecShm(exec::ShmArgs),
    /// Start a shell under a process whose program has the given name.
    ShellUnder(exec::ShellUnderArgs),
    /// Start a shell and wait for it.
    RunShell,
    /// Make a container and keep it until standard input ends.
    Contain(contain::Args),
    /// Run a program in a container that `contain` made.
    Enter(enter::Args),
    /// The first process of a container: reaps what is left to it.
    Init,
    /// Do nothing.
    Noop,
}

/// The program.
pub fn main() -> ExitCode {
    // A storm of execs should measure execs, not the parsing of arguments.
    if std::env::args_os().nth(1).is_some_and(|arg| arg == "noop") {
        return ExitCode::SUCCESS;
    }
    match act(Cli::parse().act) {
        Ok(Done::Truth(truth)) => match writeln!(io::stdout(), "{truth}") {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => complain(&error),
        },
        Ok(Done::Status(code)) => ExitCode::from(code),
        Err(error) => complain(&error),
    }
}

/// How an act ended.
enum Done {
    /// With this to say.
    Truth(Value),
    /// With this status, having said all.
    Status(u8),
}

fn act(act: Act) -> io::Result<Done> {
    Ok(match act {
        Act::Open(args) => Done::Truth(open::open(&args)?),
        Act::Read(args) => Done::Truth(open::read(&args)?),
        Act::Deed(args) => Done::Truth(deed::deed(&args)?),
        Act::Transfer(args) => Done::Truth(transfer::transfer(&args)?),
        Act::Storm(args) => Done::Truth(storm::storm(&args)?),
        Act::Bench(args) => Done::Truth(bench::bench(&args)?),
        Act::Upload(args) => Done::Truth(upload::upload(&args)?),
        Act::Visit(args) => Done::Truth(visit::visit(&args)?),
        Act::Answer(args) => Done::Truth(answer::answer(&args)?),
        Act::Serve(args) => Done::Truth(serve::serve(&args)?),
        Act::Relay(args) => Done::Truth(serve::relay(&args)?),
        Act::Download(args) => Done::Truth(serve::download(&args)?),
        Act::Sink(args) => Done::Truth(crate::sink::serve(&args)?),
        Act::Stage(args) => Done::Truth(stage::stage(&args)?),
        Act::Steal(args) => Done::Truth(steal::steal(&args)?),
        Act::Theft(args) => Done::Status(theft::theft(&args)?),
        Act::Become(args) => Done::Status(theft::become_program(&args)?),
        Act::Resolve(args) => Done::Truth(theft::resolve(&args)?),
        Act::ReverseShell(args) => Done::Status(exec::reverse_shell(&args)?),
        Act::Cat(args) => Done::Status(steal::cat(&args)?),
        Act::Send(args) => Done::Truth(steal::send(&args)?),
        Act::ExecMemfd => Done::Truth(exec::memfd()?),
        Act::ExecShm(args) => Done::Truth(exec::shm(&args)?),
        Act::ShellUnder(args) => Done::Truth(exec::shell_under(&args)?),
        Act::RunShell => Done::Truth(exec::run_shell()?),
        Act::Contain(args) => Done::Status(contain::contain(&args)?),
        Act::Enter(args) => Done::Status(enter::enter(&args)?),
        Act::Init => contain::init(),
        Act::Noop => Done::Status(0),
    })
}

fn complain(error: &io::Error) -> ExitCode {
    eprintln!("weir-actor: {error}");
    ExitCode::FAILURE
}
