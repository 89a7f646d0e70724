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
        } else if line == "successes:" {
            (self.part, self.shown) = (Part::Successes, None);
        } else if line == "failures:" {
            (self.part, self.shown) = (Part::Failures, None);
        } else if let Some(name) = line.strip_prefix("---- ").and_then(|rest| rest.strip_suffix(" stdout ----")) {
            (self.shown, self.shown_skipped) = (Some(name.to_owned()), false);
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
                "ignored" => {
                    self.tally.skips.extend(vec![("a test".to_owned(), "it is marked #[ignore]".to_owned()); count])
                }
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Tally {
        let mut reader = Reader::default();
        text.lines().for_each(|line| reader.line(line));
        reader.finish()
    }

    const PASSED: &str = "
running 3 tests
test opens::by_path ... ok
test opens::by_io_uring ... ok
test storm ... ok

successes:

---- opens::by_io_uring stdout ----
skipped: io_uring is off here (kernel.io_uring_disabled = 2)
skipped: the same again

successes:
    opens::by_io_uring
    opens::by_path
    storm

test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.12s
";

    const FAILED: &str = "
running 3 tests
test a ... ok
test b ... FAILED
test c ... ignored

successes:

successes:
    a

failures:

---- b stdout ----
skipped: only one half of this test
    indented words of the test

thread 'b' panicked at tests/b.rs:1:1:
no

failures:
    b

test result: FAILED. 1 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s
";

    #[test]
    fn a_skipped_test_is_not_a_passed_one() {
        let tally = read(PASSED);
        assert_eq!((tally.passed, tally.failed), (2, 0));
        let why = "io_uring is off here (kernel.io_uring_disabled = 2)".to_owned();
        assert_eq!(tally.skips, [("opens::by_io_uring".to_owned(), why)]);
    }

    #[test]
    fn a_failed_test_is_named_and_an_ignored_one_is_skipped() {
        let tally = read(FAILED);
        assert_eq!((tally.passed, tally.failed), (1, 1));
        assert_eq!(tally.failures, ["b"]);
        assert_eq!(tally.skips.len(), 1);
    }

    #[test]
    fn binaries_add_up() {
        let tally = read(&format!("{PASSED}{FAILED}{PASSED}"));
        assert_eq!(tally.to_string(), "5 passed, 1 failed, 3 skipped");
        assert_eq!(read(&PASSED.repeat(2)).to_string(), "4 passed, 0 failed, 2 skipped");
    }

    #[test]
    fn what_goes_past_the_harness_is_seen_and_a_binary_that_dies_leaves_nothing_odd() {
        assert_eq!(read("test a ... skipped: no BTF\nskipped: no BTF\n").to_string(), "0 passed, 0 failed, 1 skipped");
    }
}
