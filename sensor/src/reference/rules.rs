//! docs/rules.md

use super::{GENERATED, plain};
use crate::detection::{Logic, Rule, RuleSet};
use std::fmt::Write as _;

const HEAD: &str = "
# Rules

The rules that Weir comes with (`rules/`), each with what it looks at, the sentence that its alert says, what commonly causes it
innocently, and what to do first. In a sentence `{field}` stands for the field's value ([fields](fields.md)), and what is in `[...]`
is left out where a value is missing. A rule of your own with the same id replaces one of these; one with `status: deprecated`
switches it off. Lists and filters make exceptions without editing a rule.
";

/// All rules of `set`, as Markdown, the worst first.
pub fn rules(set: &RuleSet) -> String {
    let mut rules: Vec<_> = set.rules().collect();
    rules.sort_by(|a, b| b.level.cmp(&a.level).then_with(|| a.title.cmp(&b.title)));
    let mut out = format!("{GENERATED}{HEAD}\n| level | rule | looks at | ATT&CK | ATLAS |\n|---|---|---|---|---|\n");
    for rule in &rules {
        let (level, title, anchor) = (rule.level.name(), plain(&rule.title), &rule.name);
        let (attack, atlas) = (rule.attack.join(" "), rule.atlas.join(" "));
        let _ = writeln!(out, "| {level} | [{title}](#{anchor}) | {} | {attack} | {atlas} |", looks_at(rule));
    }
    rules.iter().for_each(|rule| section(rule, &mut out));
    out
}

fn section(rule: &Rule, out: &mut String) {
    let Rule { name, id, level, title, .. } = rule;
    let _ = writeln!(out, "\n## {name}\n\n**{}** ({level}, `{id}`)\n", plain(title));
    if !rule.description.is_empty() {
        let _ = writeln!(out, "{}\n", plain(&rule.description));
    }
    let _ = writeln!(out, "- looks at: {}", looks_at(rule));
    if !rule.raises {
        out.push_str("- raises nothing itself: it is a part of correlations\n");
    }
    for (what, ids, version) in
        [("ATT&CK", &rule.attack, &rule.attack_version), ("ATLAS", &rule.atlas, &rule.atlas_version)]
    {
        if !ids.is_empty() {
            let version = if version.is_empty() { String::new() } else { format!(" ({version})") };
            let _ = writeln!(out, "- {what}: {}{version}", ids.join(", "));
        }
    }
    let _ = writeln!(out, "- says: `{}`", rule.sentence.to_string().split_whitespace().collect::<Vec<_>>().join(" "));
    list("commonly and innocently caused by", &rule.innocent_causes, out);
    list("first", &rule.first_steps, out);
}

fn list(what: &str, texts: &[Box<str>], out: &mut String) {
    if texts.is_empty() {
        return;
    }
    let _ = writeln!(out, "- {what}:");
    for text in texts {
        let _ = writeln!(out, "  - {}", plain(text));
    }
}

fn looks_at(rule: &Rule) -> String {
    match &rule.logic {
        Logic::Detection(category) => format!("`{}`", category.name()),
        Logic::Correlation { kind, rules } => {
            let rules: Vec<_> = rules.iter().map(|rule| format!("`{rule}`")).collect();
            format!("`{}` of {}", kind.as_str(), rules.join(", "))
        }
    }
}
