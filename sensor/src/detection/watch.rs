//! Which files the kernel has to look out for, so that rules on files see what they ask for: read from their conditions.
//!
//! The kernel finds a file by its whole name, by its suffix, or by the name of a directory above it. What a condition says of the path
//! is turned into such keys, never into too few: a file that they find and the condition does not want costs an event, nothing else.
//! Where that cannot be (a regular expression, a part of a name), or would cost an event for half of all opens (`/etc/`), the rule
//! sees what other classes have the kernel send, and a note says so.

use super::Category;
use crate::event::{Class, Field};
use crate::provenance::Watched;
use rsigma_parser::{
    ConditionExpr, Detection, DetectionItem, Detections, Modifier, Quantifier, SelectorPattern, SigmaValue,
    SpecialChar, StringPart, detection_name_matches,
};
use sensor_common::classify::{NameKey, SuffixKey};

/// Directories that half of a system's files are below: an event for each of their opens would be too dear.
const BROAD_DIRECTORIES: [&str; 20] = [
    "bin",
    "dev",
    "dist-packages",
    "etc",
    "home",
    "lib",
    "lib64",
    "local",
    "opt",
    "proc",
    "root",
    "run",
    "sbin",
    "share",
    "site-packages",
    "src",
    "srv",
    "sys",
    "usr",
    "var",
];
/// Suffixes that half of a system's files have.
const BROAD_SUFFIXES: [&str; 14] =
    ["conf", "css", "h", "html", "js", "json", "log", "md", "py", "pyc", "so", "txt", "xml", "yml"];

/// What it takes to see the files that a condition, or a part of it, can hold for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cover {
    /// The keys.
    pub keys: Watched,
    /// What is asked for and no key can find.
    pub missed: Vec<String>,
}

/// What a rule with these conditions wants to see; `None` if its category is not about files that are opened or changed. Lists must
/// have been written in, and names translated.
pub fn cover(detections: &Detections, category: Category) -> Option<Cover> {
    use Category::{FileAccess, FileChange, FileDelete, FileEvent, FileRename};
    if !matches!(category, FileAccess | FileEvent | FileRename | FileDelete | FileChange) {
        return None;
    }
    let all = detections.conditions.iter().map(|expression| expression_cover(expression, detections));
    Some(any(all).unwrap_or_else(|| Cover {
        keys: Watched::default(),
        missed: vec!["whatever file the condition holds for".to_owned()],
    }))
}

/// `None`: it says nothing of the file.
fn expression_cover(expression: &ConditionExpr, detections: &Detections) -> Option<Cover> {
    let named = |name: &str| detections.named.get(name).and_then(detection_cover);
    match expression {
        ConditionExpr::And(parts) => every(parts.iter().map(|part| expression_cover(part, detections))),
        ConditionExpr::Or(parts) => any(parts.iter().map(|part| expression_cover(part, detections))),
        ConditionExpr::Not(_) => None,
        ConditionExpr::Identifier(name) => named(name),
        ConditionExpr::Selector { quantifier, pattern } => {
            let mut names: Vec<&String> = detections.named.keys().collect();
            names.retain(|name| match pattern {
                SelectorPattern::Them => !name.starts_with('_'),
                SelectorPattern::Pattern(pattern) => detection_name_matches(pattern, name),
            });
            names.sort();
            let covers = names.into_iter().map(|name| named(name));
            match quantifier {
                Quantifier::All => every(covers),
                Quantifier::Any | Quantifier::Count(_) => any(covers),
            }
        }
    }
}

fn detection_cover(detection: &Detection) -> Option<Cover> {
    match detection {
        Detection::AllOf(items) => every(items.iter().map(item_cover)),
        Detection::And(parts) => every(parts.iter().map(detection_cover)),
        Detection::AnyOf(parts) => any(parts.iter().map(detection_cover)),
        Detection::Keywords(_) | Detection::ArrayMatch { .. } | Detection::Conditional { .. } => None,
    }
}

/// All hold together: to see what one of them asks for is enough, so the one that misses least and costs least is taken.
fn every(covers: impl Iterator<Item = Option<Cover>>) -> Option<Cover> {
    covers.flatten().min_by_key(|cover| (cover.missed.len(), cost(&cover.keys)))
}

/// One of them is enough: all that they ask for. One that says nothing of the file asks for every file.
fn any(covers: impl Iterator<Item = Option<Cover>>) -> Option<Cover> {
    let (mut whole, mut said, mut silent) = (Cover::default(), false, false);
    for cover in covers {
        match cover {
            Some(cover) => {
                said = true;
                whole.keys.extend(cover.keys);
                whole.missed.extend(cover.missed);
            }
            None => silent = true,
        }
    }
    if silent {
        whole.missed.push("what an alternative asks for that says nothing of the path".to_owned());
    }
    said.then_some(whole)
}

/// Names find little beside what they are for, suffixes and directories more.
fn cost(keys: &Watched) -> usize {
    keys.names.len() + 4 * keys.directories.len() + 8 * keys.suffixes.len()
}

fn item_cover(item: &DetectionItem) -> Option<Cover> {
    use Modifier::{All, Cased, Contains, EndsWith, StartsWith};
    let field = Field::from_name(item.field.name.as_deref()?)?;
    let has = |modifier| item.field.has_modifier(modifier);
    if !item.field.modifiers.iter().all(|m| matches!(m, All | Cased | Contains | EndsWith | StartsWith)) {
        return None;
    }
    let (before, after) = (has(Contains) || has(EndsWith), has(Contains) || has(StartsWith));
    let value_cover = |value: &SigmaValue| {
        let SigmaValue::String(text) = value else { return None };
        if field == Field::FileClass || field == Field::FileClassByContent {
            // The kernel sends these anyway.
            let known = text.as_plain().and_then(|name| Class::from_name(&name));
            return known.filter(|class| *class != Class::Watched).map(|_| Cover::default());
        }
        // Of wildcards within, what follows the last one is as good as the whole.
        let text = Fragment::of(&text.parts, before, after)?;
        Some(match field {
            Field::FilePath => text.path(),
            Field::FileName => text.name(),
            Field::FileExtension if !text.before && !text.after => Cover::suffix(&text.text, &text),
            Field::FileDirectory => {
                Fragment { text: format!("{}/", text.text), before: text.before, after: true }.path()
            }
            _ => return None,
        })
    };
    let covers = item.values.iter().map(value_cover);
    if has(All) { every(covers) } else { any(covers) }
}

/// A part of a path, in lower case.
struct Fragment {
    text: String,
    /// Something may stand before it.
    before: bool,
    /// Something may follow it.
    after: bool,
}

impl Fragment {
    fn of(parts: &[StringPart], before: bool, after: bool) -> Option<Fragment> {
        let last = parts.iter().rposition(|part| matches!(part, StringPart::Plain(_)))?;
        let StringPart::Plain(text) = parts.get(last)? else { return None };
        let wild = |part: &StringPart| {
            matches!(part, StringPart::Special(SpecialChar::WildcardMulti | SpecialChar::WildcardSingle))
        };
        Some(Fragment {
            text: text.to_ascii_lowercase(),
            before: before || last > 0,
            after: after || parts.iter().skip(last + 1).any(wild),
        })
    }

    /// Of a whole path.
    fn path(&self) -> Cover {
        let (above, last) = match self.text.rsplit_once('/') {
            Some((above, last)) => (Some(above), last),
            None => (None, self.text.as_str()),
        };
        // The name of the directory that the last slash ends, if it is there as a whole.
        let directory = above.and_then(|above| match above.rsplit_once('/') {
            Some((_, name)) => Some(name),
            None => Some(above).filter(|_| !self.before),
        });
        let directory = directory.filter(|name| is_name(name) && !BROAD_DIRECTORIES.contains(name));
        let is_whole = above.is_some() || !self.before;
        if !self.after && is_whole && is_name(last) {
            return Cover::name(last);
        }
        if let Some(directory) = directory {
            return Cover {
                keys: Watched { directories: [directory.to_owned()].into(), ..Watched::default() },
                missed: Vec::new(),
            };
        }
        if !self.after
            && let Some(cover) = self.by_suffix(last)
        {
            return cover;
        }
        self.likely(last)
    }

    /// Of a file's name.
    fn name(&self) -> Cover {
        if !self.before && !self.after && is_name(&self.text) {
            return Cover::name(&self.text);
        }
        let by_suffix = if self.after { None } else { self.by_suffix(&self.text) };
        by_suffix.unwrap_or_else(|| self.likely(&self.text))
    }

    /// By what follows the last dot of how the name ends.
    fn by_suffix(&self, end: &str) -> Option<Cover> {
        let (_, suffix) = end.rsplit_once('.')?;
        let is_key = SuffixKey::new(suffix).is_some() && !BROAD_SUFFIXES.contains(&suffix);
        is_key.then(|| Cover::suffix(suffix, self))
    }

    /// Most who write a part of a name mean the file that is called so: that is looked for, and that it is not all is said.
    fn likely(&self, name: &str) -> Cover {
        let names = Some(name).filter(|name| is_name(name)).map(str::to_owned).into_iter().collect();
        Cover { keys: Watched { names, ..Watched::default() }, missed: vec![self.shown()] }
    }

    fn shown(&self) -> String {
        let star = |is: bool| if is { "*" } else { "" };
        format!("`{}{}{}`", star(self.before), self.text, star(self.after))
    }
}

impl Cover {
    fn name(name: &str) -> Cover {
        Cover { keys: Watched { names: [name.to_owned()].into(), ..Watched::default() }, missed: Vec::new() }
    }

    fn suffix(suffix: &str, of: &Fragment) -> Cover {
        if SuffixKey::new(suffix).is_none() || BROAD_SUFFIXES.contains(&suffix) {
            return Cover { keys: Watched::default(), missed: vec![of.shown()] };
        }
        Cover { keys: Watched { suffixes: [suffix.to_owned()].into(), ..Watched::default() }, missed: Vec::new() }
    }
}

/// Whether the kernel can look for a file or directory of that name; one that ends in a space it does not tell from one without.
fn is_name(name: &str) -> bool {
    NameKey::new(name).is_some() && !name.ends_with(' ')
}
