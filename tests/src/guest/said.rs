//! What a guest says of itself, as a line; written and read here.

use super::Ended;
use std::fmt;
use std::str::FromStr;

/// How a line begins that the guest itself says.
pub const MARK: &str = "@weir ";

/// One thing that a guest says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// It is ready; the release of its kernel.
    Up(String),
    /// It starts the command of this number; the lines that follow are the command's.
    Begin(usize),
    /// That command is over.
    End {
        /// Which.
        number: usize,
        /// How.
        ended: Ended,
        /// How long it took.
        milliseconds: u64,
    },
    /// All commands have been run.
    Done,
    /// It cannot go on, and why.
    Broken(String),
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MARK)?;
        match self {
            Said::Up(release) => write!(f, "up {release}"),
            Said::Begin(number) => write!(f, "begin {number}"),
            Said::End { number, ended, milliseconds } => {
                write!(f, "end {number} {milliseconds} ")?;
                match ended {
                    Ended::Exit(status) => write!(f, "exit {status}"),
                    Ended::Signal(signal) => write!(f, "signal {signal}"),
                    Ended::Late => f.write_str("late"),
                    Ended::NotStarted(why) => write!(f, "not-started {}", one_line(why)),
                }
            }
            Said::Done => f.write_str("done"),
            Said::Broken(why) => write!(f, "broken {}", one_line(why)),
        }
    }
}

fn one_line(text: &str) -> String {
    text.replace(['\n', '\r'], " ")
}

impl FromStr for Said {
    /// The line is nothing that the guest says, but a command's.
    type Err = ();

    fn from_str(line: &str) -> Result<Said, ()> {
        let (word, rest) = split(line.strip_prefix(MARK).ok_or(())?);
        Ok(match word {
            "up" => Said::Up(rest.into()),
            "begin" => Said::Begin(rest.parse().map_err(drop)?),
            "end" => {
                let (number, rest) = split(rest);
                let (milliseconds, rest) = split(rest);
                let (word, rest) = split(rest);
                let ended = match word {
                    "exit" => Ended::Exit(rest.parse().map_err(drop)?),
                    "signal" => Ended::Signal(rest.parse().map_err(drop)?),
                    "late" => Ended::Late,
                    "not-started" => Ended::NotStarted(rest.into()),
                    _ => return Err(()),
                };
                let (number, milliseconds) = (number.parse().map_err(drop)?, milliseconds.parse().map_err(drop)?);
                Said::End { number, ended, milliseconds }
            }
            "done" => Said::Done,
            "broken" => Said::Broken(rest.into()),
            _ => return Err(()),
        })
    }
}

/// The first word, and what follows it.
fn split(text: &str) -> (&str, &str) {
    text.split_once(' ').unwrap_or((text, ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_what_is_read() {
        let end = |ended| Said::End { number: 7, ended, milliseconds: 1_500 };
        let all = [
            Said::Up("6.1.0-50-cloud-amd64".into()),
            Said::Begin(3),
            end(Ended::Exit(101)),
            end(Ended::Signal(9)),
            end(Ended::Late),
            end(Ended::NotStarted("/bin/no: No such file".into())),
            Said::Done,
            Said::Broken("/dev/ttyS1: no such device".into()),
        ];
        for said in all {
            let line = said.to_string();
            assert!(!line.contains('\n'), "{line:?}");
            assert_eq!(line.parse(), Ok(said));
        }
        assert_eq!(Said::Broken("two\nlines".into()).to_string(), "@weir broken two lines");
    }

    #[test]
    fn a_commands_lines_are_nobody_elses() {
        for line in ["", "test a ... ok", "@weir", "@weir ", "@weir begin", "@weir end 1 2 exit", "x@weir done"] {
            assert_eq!(line.parse::<Said>(), Err(()), "{line:?}");
        }
    }
}
