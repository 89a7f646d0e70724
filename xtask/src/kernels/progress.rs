//! What is told of a guest's work while it goes on: a line a check, and a log of everything in a file.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use tests::guest::{Ended, Job, Said};

use super::catalogue::{Family, KERNELS};
use super::checks::Check;
use super::guest::Purpose;
use super::results::{MISSED, Output, Verdict};
use super::table::{self, Column};
use super::virtual_machine::Heard;
use crate::ui;

/// Notes and shows what came of a command.
pub fn note(
    purpose: &Purpose,
    output: &Output,
    ended: &Ended,
    took: Duration,
    checks: &[Check],
    columns: &mut [Column],
) {
    let (name, verdict) = match purpose {
        Purpose::Start(column) => {
            let Some(column) = columns.get_mut(*column) else { return };
            if *ended == Ended::Exit(0) {
                return;
            }
            let verdict = Verdict::Failed(format!("the sensor does not start: {}", output.reason(ended)));
            column.cells.fill(verdict.clone());
            (format!("{} {}: the sensor starts", column.kernel, column.family), verdict)
        }
        Purpose::Check(column, row) => {
            let (Some(column), Some(check)) = (columns.get_mut(*column), checks.get(*row)) else { return };
            let mut verdict = output.of_test(ended);
            let leaves_out = KERNELS.iter().any(|kernel| kernel.name == column.kernel && kernel.leaves_out);
            if leaves_out && matches!(verdict, Verdict::Failed(_)) && output.tells_of_missed_runs_only() {
                verdict = Verdict::Skipped(MISSED.into());
            }
            column.cells.get_mut(*row).into_iter().for_each(|cell| cell.clone_from(&verdict));
            (format!("{} {}: {}", column.kernel, column.family, check.title()), verdict)
        }
    };
    let style = ui::style(table::outcome(&verdict));
    let (word, why) = match &verdict {
        Verdict::Passed => ("pass", String::new()),
        Verdict::Failed(_) => ("fail", String::new()),
        Verdict::Skipped(why) | Verdict::NotOffered(why) => ("skipped", format!(": {why}")),
    };
    ui::note(format!("{style}{word:7}{style:#} {name}, {}{why}", ui::seconds(took)));
    if matches!(verdict, Verdict::Failed(_)) {
        let lines: Vec<&str> = output.lines().collect();
        for line in lines.iter().skip(lines.len().saturating_sub(30)) {
            ui::note(format!("        | {}", line.chars().take(500).collect::<String>()));
        }
        if output.left_out() > 0 {
            ui::note(format!("        {} lines in the middle of it were not kept", output.left_out()));
        }
    }
}

/// All that the commands of one guest printed, in a file.
pub struct Log(fs::File);

impl Log {
    /// Begins it anew in this folder.
    pub fn new(folder: &Path) -> Result<Log> {
        let path = folder.join("log");
        Ok(Log(fs::File::create(&path).with_context(|| format!("{} cannot be written", path.display()))?))
    }

    /// What cannot be written to it is still in the table.
    pub fn write(&mut self, job: &Job, heard: &Heard<'_>) {
        let _ = match heard {
            Heard::Line(_, line) => writeln!(self.0, "{line}"),
            Heard::Said(Said::Begin(number)) => {
                let Some(command) = job.commands.get(*number) else { return };
                let family = command.environment.get(Family::VARIABLE).map(String::as_str).unwrap_or_default();
                writeln!(self.0, "\n$ {}={family} {}", Family::VARIABLE, command.words.join(" "))
            }
            Heard::Said(said) => writeln!(self.0, "{said}"),
        };
    }
}
