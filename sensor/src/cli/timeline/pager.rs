//! Paging: `$PAGER`, else `less`, when a person looks at a terminal.

use std::io::{self, Write};
use std::process::{Command, ExitCode, Stdio};

/// Shows what `write` writes in a pager; straight on the terminal, where there is none.
pub fn page(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> ExitCode {
    let pager = std::env::var("PAGER").ok().filter(|pager| !pager.trim().is_empty());
    let mut words = pager.as_deref().unwrap_or("less").split_whitespace();
    let Some(program) = words.next().filter(|program| *program != "cat") else {
        return super::super::print(ExitCode::SUCCESS, write);
    };
    let mut command = Command::new(program);
    command.args(words).stdin(Stdio::piped());
    if std::env::var_os("LESS").is_none() {
        // Ends by itself where all fits, shows colours, leaves the text there; long lines are cut, not folded.
        command.env("LESS", "-FRXS");
    }
    let Ok(mut child) = command.spawn() else {
        return super::super::print(ExitCode::SUCCESS, write);
    };
    let colours = anstream::AutoStream::choice(&io::stdout());
    let written = match child.stdin.take() {
        Some(pipe) => {
            let pipe: Box<dyn Write> = Box::new(io::BufWriter::new(pipe));
            let mut out = anstream::AutoStream::new(pipe, plain_or(colours));
            write(&mut out).and_then(|()| out.flush())
        }
        None => Ok(()),
    };
    // Who leaves the pager before the end has seen enough.
    let waited = child.wait();
    match waited {
        Ok(_) => super::super::shown(written, ExitCode::SUCCESS),
        Err(error) => super::super::fail(&error),
    }
}

fn plain_or(choice: anstream::ColorChoice) -> anstream::ColorChoice {
    match choice {
        anstream::ColorChoice::Never => anstream::ColorChoice::Never,
        _ => anstream::ColorChoice::AlwaysAnsi,
    }
}
