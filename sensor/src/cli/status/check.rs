//! `weir status --check`: one question, one line, an exit status; what probes ask.

use crate::agent::status::Status;
use clap::ValueEnum;

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Check {
    /// A sensor runs and answers
    Running,
    /// It runs, and every hook that it wants on this kernel is live; lost events, refused rules or a collector that is away do not
    /// matter here
    Whole,
}

impl Check {
    /// Whether that holds for a sensor that answered so, and the line that says it.
    pub fn of(self, status: &Status) -> (bool, String) {
        let Status { version, pid, since, .. } = status;
        let runs = format!("weir {version} runs, process {pid}, since {since}");
        if self == Check::Running {
            return (true, runs);
        }
        let count: usize = status.hooks.iter().map(|watched| watched.missing.len()).sum();
        let first = status.hooks.iter().find_map(|watched| Some((&watched.concern, watched.missing.first()?)));
        match first {
            Some((concern, missing)) => {
                let more = if count > 1 { format!(" (and {} more)", count - 1) } else { String::new() };
                let (program, reason, mend) = (&missing.program, &missing.reason, &missing.mend);
                let what = format!("{concern} is not watched whole, {program} does not run: {reason}; {mend}{more}");
                (false, format!("{runs}, but {what}"))
            }
            // It has said nothing of hooks: then nobody knows whether it watches.
            None if status.hooks.iter().all(|watched| watched.hooks.is_empty()) => {
                (false, format!("{runs}, but no hook is live: look at its log"))
            }
            None => (true, format!("{runs}, every hook is live")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::status::{Missing, Watched};

    fn status(hooks: Vec<Watched>) -> Status {
        let problems = vec!["12 records wait for the collector: it is away".to_owned()];
        Status {
            version: "1.2.3".into(),
            pid: 7,
            since: "2026-08-01T12:00:00Z".into(),
            hooks,
            problems,
            ..Status::default()
        }
    }

    fn live(concern: &str, missing: &[&str]) -> Watched {
        let missing = missing.iter().map(|program| Missing {
            program: (*program).to_owned(),
            reason: "it was refused".to_owned(),
            mend: "use another kernel".to_owned(),
        });
        let missing = missing.collect();
        Watched { concern: concern.to_owned(), hooks: vec!["a_hook".to_owned()], missing, ..Watched::default() }
    }

    #[test]
    fn problems_beside_the_hooks_do_not_matter() {
        let whole = status(vec![live("exec", &[]), live("open", &[])]);
        let runs = "weir 1.2.3 runs, process 7, since 2026-08-01T12:00:00Z";
        assert_eq!(Check::Running.of(&whole), (true, runs.to_owned()));
        assert_eq!(Check::Whole.of(&whole), (true, format!("{runs}, every hook is live")));
    }

    #[test]
    fn a_missing_program_is_told_in_one_line() {
        let gaps = status(vec![live("exec", &[]), live("open", &["on_open", "on_openat2"])]);
        assert!(Check::Running.of(&gaps).0);
        let (holds, line) = Check::Whole.of(&gaps);
        assert!(!holds);
        let said =
            "but open is not watched whole, on_open does not run: it was refused; use another kernel (and 1 more)";
        assert!(line.ends_with(said), "{line}");
    }

    #[test]
    fn without_any_hook_it_is_not_whole() {
        assert!(!Check::Whole.of(&status(Vec::new())).0);
        // What this kernel has nothing of is no gap.
        let none = Watched { concern: "module".to_owned(), ..Watched::default() };
        assert!(Check::Whole.of(&status(vec![live("exec", &[]), none])).0);
    }
}
