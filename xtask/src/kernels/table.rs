//! The table: checks by kernels and families, with reasons below; for terminals and in Markdown for the documentation.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::checks::Check;
use super::results::Verdict;
use crate::test::Tally;
use crate::ui::{self, Outcome};

/// What came of all checks on one kernel with one family.
pub struct Column {
    /// The kernel's name here.
    pub kernel: String,
    /// What it calls itself; empty if it never came up.
    pub release: String,
    pub family: &'static str,
    /// A verdict a check, in the order of these.
    pub cells: Vec<Verdict>,
}

pub struct Table<'a> {
    pub checks: &'a [Check],
    pub columns: &'a [Column],
    /// How the guests' processor was made.
    pub accelerator: &'static str,
}

impl Table<'_> {
    /// Whether nothing failed.
    pub fn is_good(&self) -> bool {
        !self.cells().any(|cell| matches!(cell, Verdict::Failed(_)))
    }

    /// For the summary of `cargo xtask test`.
    pub fn tally(&self) -> Tally {
        let mut tally = Tally::default();
        for column in self.columns {
            for (check, cell) in self.checks.iter().zip(&column.cells) {
                let name = format!("{} {}: {}", column.kernel, column.family, check.title());
                match cell {
                    Verdict::Passed => tally.passed += 1,
                    Verdict::Failed(_) => {
                        tally.failed += 1;
                        tally.failures.push(name);
                    }
                    Verdict::Skipped(why) | Verdict::NotOffered(why) => tally.skips.push((name, why.clone())),
                }
            }
        }
        tally
    }

    fn cells(&self) -> impl Iterator<Item = &Verdict> {
        self.columns.iter().flat_map(|column| &column.cells)
    }

    /// Reasons, each once; a cell refers to its own by number, from 1.
    fn reasons(&self) -> Vec<String> {
        let mut reasons: Vec<String> = Vec::new();
        for (_, why) in self.cells().filter_map(parts) {
            if !reasons.iter().any(|known| known == why) {
                reasons.push(why.to_owned());
            }
        }
        reasons
    }

    fn word(verdict: &Verdict, reasons: &[String]) -> String {
        match parts(verdict) {
            None => "pass".into(),
            Some((word, why)) => {
                let number = reasons.iter().position(|reason| reason == why).map_or(0, |at| at + 1);
                format!("{word} ({number})")
            }
        }
    }

    /// With escape sequences, which the stream removes where there is no terminal.
    pub fn text(&self) -> String {
        let reasons = self.reasons();
        let first = self.checks.iter().map(|check| check.title().chars().count()).max().unwrap_or(0);
        let columns: Vec<(Vec<(String, Outcome)>, usize)> = self
            .columns
            .iter()
            .map(|column| {
                let words: Vec<_> =
                    column.cells.iter().map(|cell| (Self::word(cell, &reasons), outcome(cell))).collect();
                let head = column.kernel.len().max(column.family.len());
                let width = words.iter().map(|(word, _)| word.len()).max().unwrap_or(0).max(head);
                (words, width)
            })
            .collect();
        let head = |text: &dyn Fn(&Column) -> String| {
            let mut line = format!("{:first$}", "");
            for (column, (_, width)) in self.columns.iter().zip(&columns) {
                line += &format!("  {:width$}", text(column));
            }
            format!("{}\n", line.trim_end())
        };
        let mut text = head(&|column| column.kernel.clone()) + &head(&|column| column.family.to_owned());
        for (row, check) in self.checks.iter().enumerate() {
            text += &format!("{:first$}", check.title());
            for (words, width) in &columns {
                let Some((word, outcome)) = words.get(row) else { continue };
                let style = ui::style(*outcome);
                text += &format!("  {style}{word:width$}{style:#}");
            }
            text += "\n";
        }
        for (number, reason) in (1..).zip(&reasons) {
            text += &format!("({number}) {reason}\n");
        }
        text
    }

    /// For the documentation.
    pub fn markdown(&self) -> String {
        let reasons = self.reasons();
        let mut releases: Vec<&str> =
            self.columns.iter().map(|column| &*column.release).filter(|release| !release.is_empty()).collect();
        releases.dedup();
        let mut text = format!("Debian's kernels {}, by {}.\n\n|  |", releases.join(", "), self.accelerator);
        for column in self.columns {
            text += &format!(" {}<br>{} |", column.kernel, column.family);
        }
        text += &format!("\n|---|{}\n", "---|".repeat(self.columns.len()));
        for (row, check) in self.checks.iter().enumerate() {
            let cells: Vec<String> =
                self.columns.iter().filter_map(|column| Some(Self::word(column.cells.get(row)?, &reasons))).collect();
            text += &format!("| {} | {} |\n", check.title(), cells.join(" | "));
        }
        for (number, reason) in (1..).zip(&reasons) {
            text += &format!("\n({number}) {reason}\n");
        }
        text
    }

    /// Puts it between the markers of a Markdown file.
    pub fn write(&self, file: &Path) -> Result<()> {
        const BEGIN: &str = "<!-- table: written by `cargo xtask kernels --write` -->\n";
        const END: &str = "<!-- end of table -->";
        let name = || file.display().to_string();
        let old = fs::read_to_string(file).with_context(name)?;
        let (before, rest) = old.split_once(BEGIN).with_context(|| format!("{} has no line {BEGIN}", name()))?;
        let (_, after) = rest.split_once(END).with_context(|| format!("{} has no line {END}", name()))?;
        fs::write(file, format!("{before}{BEGIN}{}{END}{after}", self.markdown())).with_context(name)
    }
}

/// The word and the reason of a verdict that has one.
fn parts(verdict: &Verdict) -> Option<(&'static str, &str)> {
    match verdict {
        Verdict::Passed => None,
        Verdict::Failed(why) => Some(("fail", why)),
        Verdict::Skipped(why) => Some(("skipped", why)),
        Verdict::NotOffered(why) => Some(("not offered", why)),
    }
}

/// The colour of a cell.
pub fn outcome(verdict: &Verdict) -> Outcome {
    match verdict {
        Verdict::Passed => Outcome::Done,
        Verdict::Failed(_) => Outcome::Failed,
        Verdict::Skipped(_) | Verdict::NotOffered(_) => Outcome::Skipped,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_said_once() {
        let checks = ["a::one", "a::two"].map(|name| Check { target: "kernel".into(), name: name.into() });
        let column = |family, cells| Column { kernel: "6.1".into(), release: "6.1.0-50".into(), family, cells };
        let columns = [
            column("portable", vec![Verdict::Passed, Verdict::Failed("no".into())]),
            column("trampoline", vec![Verdict::NotOffered("none".into()), Verdict::Failed("no".into())]),
        ];
        let table = Table { checks: &checks, columns: &columns, accelerator: "TCG" };
        assert!(!table.is_good());
        assert_eq!(table.tally().to_string(), "1 passed, 2 failed, 1 skipped");
        let expected = "Debian's kernels 6.1.0-50, by TCG.\n\n|  | 6.1<br>portable | 6.1<br>trampoline |\n|---|---|---|\n\
            | a: one | pass | not offered (2) |\n| a: two | fail (1) | fail (1) |\n\n(1) no\n\n(2) none\n";
        assert_eq!(table.markdown(), expected);
        let lines: Vec<String> =
            anstream::adapter::strip_str(&table.text()).to_string().lines().map(str::to_owned).collect();
        assert_eq!(lines.get(2).map(String::as_str), Some("a: one  pass      not offered (2)"));
        assert_eq!(lines.get(1).map(String::as_str), Some("        portable  trampoline"));
    }
}
