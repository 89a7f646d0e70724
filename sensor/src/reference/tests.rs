use super::{fields, rules, samples};
use crate::agent::KINDS;
use crate::detection::RuleSet;
use crate::event::Field;
use std::collections::BTreeSet;

#[test]
fn every_kind_and_every_field_has_a_sample() {
    let samples = samples::all();
    let unknown: Vec<_> =
        Field::ALL.iter().filter(|field| super::fields::kind(**field, &samples).is_none()).map(|f| f.name()).collect();
    assert!(
        unknown.is_empty(),
        "no sample has {unknown:?}: fill them in, in reference/samples.rs or detection/example"
    );
    let kinds: BTreeSet<&str> = KINDS.into_iter().collect();
    assert_eq!(samples::kinds(&samples), kinds);
}

#[test]
fn the_reference_says_what_the_code_says() {
    let text = fields();
    for field in Field::ALL {
        assert_eq!(text.matches(&format!("| `{}` |", field.name())).count(), 1, "{}", field.name());
    }
    for row in [
        "| `file.size` | integer | By | `exec`, `link`, `open`, `recognized`, `rename`, `transfer`, `truncate`, `unlink` | development |",
        "| `weir.exfil.fraction` | number | 1 |",
        "| `process.pid` | integer |  | *of a process* | development |",
        "| `weir.event.kind` | text |  | all | Weir |",
        "| `container.id` | text |",
        "| `weir.lost.count` | integer | {event} | `lost` | Weir |",
        "| `weir.egress.bytes` | integer | By | `egress` | Weir |",
    ] {
        assert!(text.contains(row), "{row}");
    }
}

#[test]
fn every_rule_is_in_the_reference_with_its_sentence_as_it_is_written() {
    let set = RuleSet::embedded().expect("the shipped rules are right");
    let text = rules(&set);
    for rule in set.rules() {
        assert!(text.contains(&format!("\n## {}\n", rule.name)), "{}", rule.name);
        let again = crate::detection::template::Template::parse(
            &rule.sentence.to_string(),
            &set.rules().map(|rule| &*rule.name).collect::<Vec<_>>(),
        );
        // Not the parts: one text can be of two.
        assert_eq!(again.map(|again| again.to_string()), Ok(rule.sentence.to_string()), "{}", rule.name);
    }
    assert!(text.contains("{process.executable.path} sent {weir.flow.bytes|bytes} to {peer}[: "), "{text}");
}
