//! Reading what Rust's test harness prints (with `--show-output`), since it has no stable form made for programs.
//!
//! A test that cannot be done here prints one line `skipped: why` and returns; the harness then says that it passed. Here it
//! counts as skipped and not as passed.

use std::fmt;

/// How many tests ended how.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Tests that ran and passed.
    pub passed: usize,
    /// Tests that failed.
    pub failed: usize,
    /// Names of failed tests.
    pub failures: Vec<String>,
    /// Tests that were not done, and why not.
    pub skips: Vec<(String, String)>,
}

impl Tally {
    /// That of one check that was not done.
    pub fn skip(name: &str, why: &str) -> Tally {
        Tally { skips: vec![(name.to_owned(), why.to_owned())], ..Tally::default() }
    }

    /// Adds `other`'s counts and skips; failures stay with the step that had them.
    pub fn add(&mut self, other: &Tally) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skips.extend_from_slice(&other.skips);
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skips.len())
    }
}

/// Reads the harness's output line by line.
#[derive(Default)]
pub struct Reader {
    tally: Tally,
    part: Part,
    /// The test whose output is being shown.
    shown: Option<String>,
    /// Tests of the binary being read that said they were skipped, and that the harness will count as passed.
    skipped: usize,
    /// Whether the test being shown is among them.
    shown_skipped: bool,
}

/// Which part of a test binary's output a line is in.
#[derive(Default, PartialEq, Eq)]
enum Part {
    /// The list of tests as they end, and what wrote past the harness.
    #[default]
    Running,
    /// What passed tests printed, then their names.
    Successes,
    /// What failed tests printed, then their names.
    Failures,
}

impl Reader {
    /// Takes in one line, without its end.
    pub fn line(&mut self, line: &str) {
        if let Some(counts) = line.strip_prefix("test result: ") {
            self.counts(counts);
            (self.part, self.shown, self.shown_skipped) = (Part::Running, None, false);
        } else if line.starts_with("running ") && self.part == Part::Running {
            // An earlier binary that died without a result leaves nothing behind.
            self.skipped = 0;
        } else if line == "successes:" {
            (self.part, self.shown) = (Part::Successes, None);
        } else if line == "failures:" {
            (self.part, self.shown) = (Part::Failures, None);
        } else if let Some(name) = line.strip_prefix("---- ").and_then(|rest| rest.strip_suffix(" stdout ----")) {
            (self.shown, self.shown_skipped) = (Some(name.to_owned()), false);
        } else if let (Part::Running, Some((name, why))) = (&self.part, ignored(line)) {
            self.tally.skips.push((name.to_owned(), why.to_owned()));
        } else if let Some(why) = line.strip_prefix("skipped: ") {
            self.skip(why);
        } else if let (Part::Failures, None, Some(name)) = (&self.part, &self.shown, line.strip_prefix("    ")) {
            self.tally.failures.push(name.to_owned());
        }
    }

    /// The counts of all that was read.
    pub fn finish(self) -> Tally {
        self.tally
    }

    /// A test's second line of the kind, or one of a test that failed nevertheless, counts for nothing.
    fn skip(&mut self, why: &str) {
        let name = match &self.shown {
            _ if self.part == Part::Failures || self.shown_skipped => return,
            Some(name) => name.clone(),
            None => "a test".to_owned(),
        };
        self.shown_skipped = self.shown.is_some();
        self.skipped += 1;
        self.tally.skips.push((name, why.to_owned()));
    }

    /// `ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s`
    fn counts(&mut self, counts: &str) {
        let words: Vec<&str> = counts.split([' ', ';', '.']).filter(|word| !word.is_empty()).collect();
        for pair in words.windows(2) {
            let [count, of] = pair else { continue };
            let Ok(count) = count.parse::<usize>() else { continue };
            match *of {
                "passed" => self.tally.passed += count.saturating_sub(std::mem::take(&mut self.skipped)),
                "failed" => self.tally.failed += count,
                _ => {}
            }
        }
    }
}

/// The name and reason in `test NAME ... ignored` or `test NAME ... ignored, WHY`.
fn ignored(line: &str) -> Option<(&str, &str)> {
    let (name, why) = line.strip_prefix("test ")?.split_once(" ... ignored")?;
    match why.strip_prefix(", ") {
        Some(why) => Some((name, why)),
        None => why.is_empty().then_some((name, "it is marked #[ignore]")),
    }
}

#[cfg(test)]
mod tests;
