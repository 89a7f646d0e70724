//! What came of the checks in one guest: from what the guest says to a verdict a check.

use ::tests::guest::Ended;

/// What came of one check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It ran and passed.
    Passed,
    /// It did not, and why.
    Failed(String),
    /// The test says that it cannot be done there, and why.
    Skipped(String),
    /// The kernel has no such hooks, and why.
    NotOffered(String),
}

/// What a command printed, bounded: its first lines and its last.
#[derive(Default)]
pub struct Output {
    first: Vec<String>,
    last: std::collections::VecDeque<String>,
    left_out: usize,
}

/// How many lines at either end are kept, and how long the longest.
const LINES: usize = 200;
const CHARACTERS: usize = 2_000;

/// Why a check is skipped that [`Output::tells_of_missed_runs_only`].
pub const MISSED: &str =
    "the kernel left out runs of programs that were preempted, and the sensor told exactly that (missed_by_kernel)";

impl Output {
    /// Whether the test failed because events were lost, and all of them because the kernel did not run the programs: what the
    /// sensor counted and told.
    pub fn tells_of_missed_runs_only(&self) -> bool {
        let lines = || self.first.iter().chain(&self.last);
        let mut causes = lines().filter(|line| line.contains("\"weir.lost.cause\": ")).peekable();
        lines().any(|line| line.contains("events were lost:"))
            && causes.peek().is_some()
            && causes.all(|line| line.contains("String(\"missed_by_kernel\")"))
    }

    /// Takes in one line.
    pub fn add(&mut self, line: &str) {
        let line: String = line.chars().take(CHARACTERS).collect();
        if self.first.len() < LINES {
            self.first.push(line);
            return;
        }
        self.last.push_back(line);
        if self.last.len() > LINES {
            self.last.pop_front();
            self.left_out += 1;
        }
    }

    /// What is kept, in order.
    pub fn lines(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.first.iter().chain(&self.last).map(String::as_str)
    }

    /// How many are not.
    pub fn left_out(&self) -> usize {
        self.left_out
    }

    /// What a test that ended so came to.
    pub fn of_test(&self, ended: &Ended) -> Verdict {
        match ended {
            Ended::Exit(0) => self.skipped().map_or(Verdict::Passed, |why| Verdict::Skipped(why.into())),
            ended => Verdict::Failed(self.reason(ended)),
        }
    }

    /// `skipped: WHY`, on a line of its own or after `test NAME ... `.
    fn skipped(&self) -> Option<&str> {
        self.lines().find_map(|line| {
            let line =
                line.strip_prefix("test ").and_then(|rest| rest.split_once(" ... ")).map_or(line, |(_, rest)| rest);
            line.strip_prefix("skipped: ")
        })
    }

    /// One line that says why a command failed: what the test returned, what it panicked with, or its last word.
    pub fn reason(&self, ended: &Ended) -> String {
        let how = match ended {
            Ended::Exit(_) => String::new(),
            Ended::Signal(signal) => format!("ended by signal {signal}: "),
            Ended::Late => "took too long: ".to_owned(),
            Ended::NotStarted(why) => return why.clone(),
        };
        let returned = self.lines().find_map(|line| line.strip_prefix("Error: "));
        let panicked = || {
            let mut lines =
                self.lines().skip_while(|line| !line.contains("' panicked at ") && !line.contains(") panicked at "));
            lines.nth(1)
        };
        let complained = || self.lines().find_map(|line| line.strip_prefix("error: "));
        let last = || self.lines().rfind(|line| !line.trim().is_empty());
        let said = returned.or_else(panicked).or_else(complained).or_else(last).unwrap_or("it said nothing");
        let said: String = said.chars().take(400).collect();
        format!("{how}{said}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(text: &str, ended: Ended) -> Verdict {
        let mut output = Output::default();
        text.lines().for_each(|line| output.add(line));
        output.of_test(&ended)
    }

    #[test]
    fn a_verdict_has_its_reason() {
        assert_eq!(verdict("running 1 test\ntest a ... ok\n", Ended::Exit(0)), Verdict::Passed);
        let skipped = Verdict::Skipped("no BTF".into());
        assert_eq!(verdict("running 1 test\ntest a ... skipped: no BTF\nok\n", Ended::Exit(0)), skipped);
        assert_eq!(verdict("running 1 test\ntest a ... \nskipped: no BTF\nok\n", Ended::Exit(0)), skipped);
        let panicked =
            "test a ... \nthread 'a' (7) panicked at tests/a.rs:1:1:\nassertion failed\nnote: run with\nFAILED";
        assert_eq!(verdict(panicked, Ended::Exit(101)), Verdict::Failed("assertion failed".into()));
        let returned = "test a ... Error: Custom\nError: \"no\"\nFAILED";
        assert_eq!(verdict(returned, Ended::Exit(101)), Verdict::Failed("\"no\"".into()));
        assert_eq!(verdict("hm\n", Ended::Late), Verdict::Failed("took too long: hm".into()));
        assert_eq!(verdict("", Ended::Signal(9)), Verdict::Failed("ended by signal 9: it said nothing".into()));
        // One that failed in spite of a skipped part failed.
        assert_eq!(verdict("skipped: no IPv6\nError: no", Ended::Exit(101)), Verdict::Failed("no".into()));
    }

    #[test]
    fn losses_that_the_kernel_made_and_the_sensor_told_are_told_from_others() {
        let said = |causes: &[&str]| {
            let mut output = Output::default();
            output.add("events were lost: [");
            causes.iter().for_each(|cause| output.add(&format!("  \"weir.lost.cause\": String(\"{cause}\"),")));
            output.tells_of_missed_runs_only()
        };
        assert!(said(&["missed_by_kernel", "missed_by_kernel"]));
        assert!(!said(&["missed_by_kernel", "ring_full"]));
        assert!(!said(&[]), "nothing says why");
        let mut other = Output::default();
        other.add("  \"weir.lost.cause\": String(\"missed_by_kernel\"),");
        assert!(!other.tells_of_missed_runs_only(), "it failed for something else");
    }

    #[test]
    fn a_flood_of_words_is_bounded() {
        let mut output = Output::default();
        (0..1_000).for_each(|number| output.add(&number.to_string()));
        assert_eq!(output.lines().count() + output.left_out(), 1_000);
        assert_eq!((output.lines().next(), output.lines().next_back()), (Some("0"), Some("999")));
    }
}
