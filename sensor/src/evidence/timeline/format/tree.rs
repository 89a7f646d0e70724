//! Processes as a tree of lines.

use super::super::model::Process;
use std::collections::BTreeMap;

/// Deepest level that is drawn as such: below, lines would be wider than terminals are.
const DEPTH_MAX: usize = 16;

/// Each process, in the order in which they are given (parents before children), with what is drawn before it.
pub fn lines(processes: &[Process]) -> Vec<(String, &Process)> {
    let indexes: BTreeMap<&str, usize> =
        processes.iter().enumerate().map(|(index, process)| (&*process.id, index)).collect();
    let parents: Vec<Option<usize>> = processes
        .iter()
        .enumerate()
        .map(|(own, process)| indexes.get(&**process.parent.as_ref()?).copied().filter(|parent| *parent < own))
        .collect();
    // The last child of each has another corner.
    let last: BTreeMap<usize, usize> =
        parents.iter().enumerate().filter_map(|(own, parent)| Some(((*parent)?, own))).collect();
    let mut below: Vec<(String, usize)> = Vec::with_capacity(processes.len());
    processes
        .iter()
        .enumerate()
        .map(|(own, process)| {
            let above =
                parents.get(own).copied().flatten().and_then(|parent| Some((parent, below.get(parent)?.clone())));
            let (prefix, inner, depth) = match above {
                None => (String::new(), String::new(), 0),
                Some((_, (before, depth))) if depth >= DEPTH_MAX => (format!("{before}… "), before, depth),
                Some((parent, (before, depth))) => {
                    let is_last = last.get(&parent) == Some(&own);
                    let (corner, line) = if is_last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
                    (format!("{before}{corner}"), format!("{before}{line}"), depth + 1)
                }
            };
            below.push((inner, depth));
            (prefix, process)
        })
        .collect()
}
