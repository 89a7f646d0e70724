//! A table: aligned and coloured for terminals, in Markdown for the documentation.

use crate::ui;
use anstyle::Style;

/// Rows of words; the first column is text, the others are numbers and stand to the right.
pub struct Table {
    title: &'static str,
    head: Vec<String>,
    rows: Vec<(Vec<String>, Option<bool>)>,
}

impl Table {
    pub fn new(title: &'static str, head: &[&str]) -> Table {
        Table { title, head: head.iter().map(|word| (*word).to_owned()).collect(), rows: Vec::new() }
    }

    pub fn row<const N: usize>(&mut self, row: [String; N]) {
        self.rows.push((row.into(), None));
    }

    /// A row that ends with whether it is as it should be.
    pub fn verdict<const N: usize>(&mut self, row: [String; N], met: bool) {
        let mut row = Vec::from(row);
        row.push(if met { "met" } else { "not met" }.into());
        self.rows.push((row, Some(met)));
    }

    /// With escape sequences, which the stream removes where there is no terminal.
    pub fn text(&self) -> String {
        let bold = Style::new().bold();
        let width = |column: usize| {
            let words = self.rows.iter().map(|(row, _)| row).chain([&self.head]).filter_map(|row| row.get(column));
            words.map(|word| word.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.head.len()).map(width).collect();
        let line = |row: &[String]| {
            let mut line = String::from(" ");
            for (column, (word, width)) in row.iter().zip(&widths).enumerate() {
                line += &if column == 0 { format!(" {word:width$}") } else { format!("  {word:>width$}") };
            }
            line
        };
        let mut text = format!("\n{bold}{}{bold:#}\n", self.title);
        if self.head.iter().any(|word| !word.is_empty()) {
            text += &format!("{}\n", line(&self.head).trim_end());
        }
        for (row, met) in &self.rows {
            let style = match met {
                None => Style::new(),
                Some(met) => ui::style(if *met { ui::Outcome::Done } else { ui::Outcome::Failed }),
            };
            text += &format!("{style}{}{style:#}\n", line(row));
        }
        text
    }

    pub fn markdown(&self) -> String {
        let line = |row: &[String]| format!("| {} |\n", row.join(" | "));
        let mut text = format!("\n### {}\n\n{}|", self.title, line(&self.head));
        for column in 0..self.head.len() {
            text += if column == 0 { "---|" } else { "---:|" };
        }
        text.push('\n');
        self.rows.iter().for_each(|(row, _)| text += &line(row));
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_markdown_is_a_table() {
        let mut table = Table::new("T", &["", "ns"]);
        table.row(["open".into(), "5".into()]);
        table.verdict(["a".into()], true);
        assert_eq!(table.markdown(), "\n### T\n\n|  | ns |\n|---|---:|\n| open | 5 |\n| a | met |\n");
        assert!(table.text().contains("  open    5"), "{:?}", table.text());
    }
}
