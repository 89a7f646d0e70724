//! Names in queries: what a dashboard or a rule asks for has to be what Weir sends, as Prometheus and Loki translate it.

use std::collections::BTreeSet;

/// The names that begin with `weir_` or `process_` in a query, and are metrics: not labels, not in texts.
pub fn metrics(query: &str) -> BTreeSet<String> {
    let all = words(query, true);
    all.into_iter().filter(|word| word.starts_with("weir_") || word.starts_with("process_")).collect()
}

/// The names that begin with `weir_` in a query and are no metrics: labels in selectors and in lists.
pub fn labels(query: &str) -> BTreeSet<String> {
    let metrics = metrics(query);
    let all = words(query, false);
    all.into_iter().filter(|word| word.starts_with("weir_") && !metrics.contains(word)).collect()
}

/// Words outside of texts; with `bare`, also outside of selectors and of the lists behind `by`, `on` and their kin.
fn words(query: &str, bare: bool) -> Vec<String> {
    let (mut words, mut word, mut text, mut selector, mut list) = (Vec::new(), String::new(), None, false, false);
    for c in query.chars().chain([' ']) {
        match text {
            Some(quote) if c == quote => text = None,
            Some(_) => continue,
            None if matches!(c, '"' | '\'' | '`') => text = Some(c),
            None if c.is_ascii_alphanumeric() || c == '_' => word.push(c),
            None => {
                let behind = matches!(&*word, "by" | "without" | "on" | "ignoring" | "group_left" | "group_right");
                if !word.is_empty() {
                    if !(bare && (selector || list)) {
                        words.push(word.clone());
                    }
                    // `by (`: the blank does not end it.
                    if behind && c == ' ' {
                        continue;
                    }
                    word.clear();
                }
                match c {
                    '{' => selector = true,
                    '}' => selector = false,
                    '(' if behind => list = true,
                    ')' => list = false,
                    _ => {}
                }
            }
        }
    }
    words
}

/// The names that Prometheus gives a metric of this name, kind and unit (OTLP's translation: `UnderscoreEscapingWithSuffixes`).
pub fn translated(name: &str, kind: &str, unit: &str) -> Vec<String> {
    let unit = match unit {
        "s" => "_seconds",
        "By" => "_bytes",
        "1" if kind == "gauge" => "_ratio",
        _ => "",
    };
    let name = name.replace('.', "_") + unit;
    match kind {
        "counter" => vec![name + "_total"],
        "histogram" => ["_bucket", "_sum", "_count"].map(|part| format!("{name}{part}")).into(),
        _ => vec![name],
    }
}

#[test]
fn words_of_queries_are_told_apart() {
    let query = r#"sum by (weir_a, x) (rate(weir_b_total{weir_c=~"weir_d"}[5m])) / on () process_e_bytes"#;
    let names = |names: BTreeSet<String>| names.into_iter().collect::<Vec<_>>();
    assert_eq!(names(metrics(query)), ["process_e_bytes", "weir_b_total"]);
    assert_eq!(names(labels(query)), ["weir_a", "weir_c"]);
    assert_eq!(translated("weir.spool.oldest.age", "gauge", "s"), ["weir_spool_oldest_age_seconds"]);
    assert_eq!(translated("weir.event.seen", "counter", "{event}"), ["weir_event_seen_total"]);
    assert_eq!(
        translated("weir.line.duration", "histogram", "s").first().map(String::as_str),
        Some("weir_line_duration_seconds_bucket")
    );
}
