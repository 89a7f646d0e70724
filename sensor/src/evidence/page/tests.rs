//! What a page is made of; how it looks and behaves is tested in a browser (`tests/tests/page/`).

use super::*;
use crate::evidence::timeline::model::{Time, VERSION};
use serde_json::Value;

/// Ends elements, begins them, and ends lines of JavaScript; `{{script}}` is what the template itself would replace.
const HOSTILE: &str = "</script><!--<script>&amp; \u{2028}\u{2029} {{script}} \u{202e} \"\\\n";

fn timeline(text: &str) -> Timeline {
    let time = Time { nanos: u64::MAX, text: text.to_owned() };
    Timeline {
        version: VERSION,
        asked: text.to_owned(),
        sentence: text.to_owned(),
        severity: None,
        incident: Some(text.to_owned()),
        host: None,
        sensor: "0".to_owned(),
        rulesets: Vec::new(),
        from: time.clone(),
        to: time.clone(),
        zero: time,
        processes: Vec::new(),
        workloads: Vec::new(),
        entries: Vec::new(),
        gaps: vec![crate::evidence::source::Gap {
            from: u64::MAX,
            to: 1 << 53,
            place: text.into(),
            cause: text.into(),
            kind: None,
            count: Some((1 << 53) - 1),
        }],
        series: Vec::new(),
        notes: vec![text.to_owned()],
    }
}

/// What is between the first `begin` and the first `end` after it.
fn between<'t>(text: &'t str, begin: &str, end: &str) -> Option<&'t str> {
    text.split_once(begin)?.1.split_once(end).map(|(inner, _)| inner)
}

#[test]
fn no_text_of_a_timeline_ends_the_element_that_holds_it() {
    let page = page(&timeline(HOSTILE)).unwrap();
    let data = between(&page, "<script id=\"timeline\" type=\"application/json\">", "</script>").unwrap();
    assert!(!data.contains(['<', '>', '&', '\u{2028}', '\u{2029}']), "{data}");
    // All of it is there, and is what it was; only integers that JavaScript would round are texts.
    let read: Value = serde_json::from_str(data).unwrap();
    assert_eq!(read["sentence"], HOSTILE);
    assert_eq!(read["gaps"][0]["from"], u64::MAX.to_string());
    assert_eq!(read["gaps"][0]["to"], (1_u64 << 53).to_string());
    assert_eq!(read["gaps"][0]["count"], (1_u64 << 53) - 1);
    let mut exact = read;
    exact["gaps"][0]["from"] = u64::MAX.into();
    exact["gaps"][0]["to"] = (1_u64 << 53).into();
    assert_eq!(serde_json::from_value::<Timeline>(exact).unwrap(), timeline(HOSTILE));
    // The same elements as in a page of nothing.
    let elements = |page: &str| page.matches('<').count();
    assert_eq!(elements(&page), elements(&super::page(&timeline("")).unwrap()));
}

#[test]
fn the_policy_names_the_script_and_the_sheet_that_are_in_the_page() {
    let page = page(&timeline("x")).unwrap();
    let policy = between(&page, "http-equiv=\"Content-Security-Policy\" content=\"", "\"").unwrap();
    let script = between(&page, "</script>\n<script>", "</script>").unwrap();
    let style = between(&page, "<style>", "</style>").unwrap();
    assert!(policy.starts_with("default-src 'none'; "), "{policy}");
    assert!(policy.contains(&format!("script-src '{}';", embed::hash(script))), "{policy}");
    assert!(policy.contains(&format!("style-src '{}';", embed::hash(style))), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
    // Of "abc", from FIPS 180-2, as base64.
    assert_eq!(embed::hash("abc"), "sha256-ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=");
}

#[test]
fn every_place_in_the_template_is_filled_and_every_file_is_used() {
    let page = page(&timeline("x")).unwrap();
    assert!(!page.contains("{{"), "a name in the template is not known");
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/evidence/page");
    for (name, used) in [("script", SCRIPT), ("style", STYLE)] {
        let files = std::fs::read_dir(folder.join(name)).unwrap();
        for file in files.map(|file| file.unwrap().path()) {
            let text = std::fs::read_to_string(&file).unwrap();
            assert!(used.contains(&text.as_str()), "{} is not in the page", file.display());
            assert!(text.ends_with('\n') && !text.contains("</") && !text.contains('\r'), "{}", file.display());
        }
    }
}

#[test]
fn a_writer_that_refuses_is_told_of() {
    struct Full;
    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    assert_eq!(write(&timeline("x"), &mut Full).unwrap_err().kind(), io::ErrorKind::StorageFull);
}
