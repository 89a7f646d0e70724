//! What `weir rules check` and `weir rules list` show.

use super::fault::Problem;
use super::options::Options;
use super::set::RuleSet;
use std::fmt;
use std::path::Path;

/// What a check came to: the set, or everything that is wrong with it.
#[derive(Debug)]
pub struct Report {
    /// The set, if nothing is wrong.
    pub set: Option<RuleSet>,
    /// Everything that is wrong, in the order of files and lines.
    pub problems: Vec<Problem>,
}

/// Checks the rules of `paths` together with the shipped ones, as [`RuleSet::load`] would use them; without paths, the
/// shipped ones alone.
pub fn check<P: AsRef<Path>>(paths: &[P]) -> Report {
    check_with(paths, &Options::default())
}

/// The same for rules that are read otherwise than usual.
pub fn check_with<P: AsRef<Path>>(paths: &[P], options: &Options) -> Report {
    match RuleSet::load_with(paths, options) {
        Ok(set) => Report { set: Some(set), problems: Vec::new() },
        Err(invalid) => Report { set: None, problems: invalid.problems },
    }
}

/// The problems, one a line, and a line that sums up.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.problems {
            writeln!(f, "{problem}")?;
        }
        match &self.set {
            Some(set) => write!(
                f,
                "{} rules, {} correlations, {} filters and {} lists are right (sha256 {})",
                set.detections.len(),
                set.correlations.len(),
                set.filters.len(),
                set.lists().iter().count(),
                set.digest(),
            ),
            None => write!(f, "{} problems; none of these rules would be used", self.problems.len()),
        }
    }
}
