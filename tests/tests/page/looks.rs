//! What is shown, and in which colours.

use crate::fixture;
use crate::page::Page;
use serde_json::json;
use std::io;

#[test]
fn everything_of_a_timeline_is_shown() -> io::Result<()> {
    let timeline = fixture::theft();
    let Some(mut page) = Page::of(&timeline)? else { return Ok(()) };
    assert_eq!(page.text("h1")?, timeline.sentence);
    assert_eq!(page.text(".about .severity")?, "critical");
    assert_eq!(page.text("#count")?, format!("{} entries", timeline.entries.len()));
    assert_eq!(page.count("[role=treeitem]")?, timeline.processes.len() as u64);
    // The three processes that nobody saw end, and those that did.
    assert_eq!(page.count(".bars .bar")?, timeline.processes.len() as u64);
    assert_eq!(page.count(".bars .bar.endless")?, 3);
    for mark in ["read", "write", "send", "alert", "other"] {
        assert!(page.count(&format!(".bars .mark.{mark}"))? > 0, "{mark}");
    }
    assert_eq!(page.count(".chart path.line")?, timeline.series.len() as u64);
    assert_eq!(page.count(".chart .gap-stripe")?, 1);
    assert_eq!(page.count("#notes li")?, 1);
    assert!(page.text("#foot")?.contains("2026-07-14 14:05:40.120000 UTC"), "{}", page.text("#foot")?);
    let levels = page.ask("[...document.querySelectorAll('.chart .tick')].map(tick => tick.textContent)")?;
    assert!(
        levels.as_array().is_some_and(|levels| levels.contains(&json!("4 GB")) && levels.contains(&json!("0"))),
        "{levels}"
    );
    Ok(())
}

#[test]
fn a_timeline_without_anything_is_shown_as_such() -> io::Result<()> {
    let Some(mut page) = Page::of(&fixture::empty())? else { return Ok(()) };
    assert_eq!(page.text("#tree .empty")?, "No processes.");
    assert_eq!(page.text("#chart .empty")?, "Nothing was held or sent.");
    assert_eq!(page.text("#count")?, "0 entries");
    assert!(page.complaints().is_empty(), "{:?}", page.complaints());
    Ok(())
}

#[test]
fn a_bar_is_as_long_as_its_process_lived() -> io::Result<()> {
    let timeline = fixture::theft();
    let Some(mut page) = Page::of(&timeline)? else { return Ok(()) };
    let cp = timeline.processes.iter().find(|process| process.pid == 9342).cloned();
    let (Some(cp), whole) = (cp, timeline.to.nanos - timeline.from.nanos) else { return Ok(()) };
    let lived = cp.end.map_or(0, |end| end.nanos) - cp.begin.nanos;
    // The fourth of the tree.
    let share = page.ask(
        "(bar => bar.getBBox().width / bar.ownerSVGElement.clientWidth)(document.querySelectorAll('.bars .bar')[3])",
    )?;
    let expected = lived as f64 / whole as f64;
    assert!(share.as_f64().is_some_and(|share| (share - expected).abs() < 0.002), "{share}, not {expected}");
    Ok(())
}

#[test]
fn light_and_dark_differ_and_the_switch_wins_over_the_system() -> io::Result<()> {
    let Some(mut page) = Page::of(&fixture::theft())? else { return Ok(()) };
    let system = |page: &mut Page, scheme: &str| {
        let features = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        page.browser.call("Emulation.setEmulatedMedia", features).and_then(|_| page.drawn())
    };
    let brightness = |page: &mut Page, selector: &str| {
        let script = format!(
            "(color => color.match(/[\\d.]+/g).slice(0, 3).reduce((sum, part) => sum + Number(part), 0))
             (getComputedStyle(document.querySelector('{selector}')).{})",
            if selector == "h1" { "color" } else { "backgroundColor" }
        );
        page.ask(&script).map(|sum| sum.as_f64().unwrap_or(-1.0))
    };
    let press = |page: &mut Page, label: &str| {
        page.ask(&format!(
            "[...document.querySelectorAll('button')].find(button => button.textContent === '{label}').click()"
        ))
        .and_then(|_| page.drawn())
    };
    let is_dark = |page: &mut Page| -> io::Result<bool> {
        let (ground, text) = (brightness(page, ".card")?, brightness(page, "h1")?);
        assert!((ground - text).abs() > 450.0, "too little contrast: {ground} {text}");
        Ok(ground < text)
    };
    system(&mut page, "light")?;
    assert!(!is_dark(&mut page)?);
    let light = page.picture()?;
    system(&mut page, "dark")?;
    assert!(is_dark(&mut page)?);
    assert!(light != page.picture()?);
    press(&mut page, "Light")?;
    assert!(!is_dark(&mut page)?);
    system(&mut page, "light")?;
    press(&mut page, "Dark")?;
    assert!(is_dark(&mut page)?);
    press(&mut page, "System")?;
    assert!(!is_dark(&mut page)?);
    Ok(())
}

#[test]
fn nothing_is_wider_than_the_window() -> io::Result<()> {
    let Some(mut page) = Page::of(&fixture::theft())? else { return Ok(()) };
    for (width, columns) in [(1400, 7), (1000, 5), (700, 5), (420, 3)] {
        page.size(width, 1000)?;
        page.drawn()?;
        let wide = page.ask("document.documentElement.scrollWidth")?;
        assert!(wide.as_u64().is_some_and(|wide| wide <= u64::from(width)), "{wide} in {width}");
        let shown =
            page.ask("[...document.querySelectorAll('.entries th')].filter(head => head.offsetWidth).length")?;
        assert_eq!(shown, columns, "columns in {width}");
    }
    Ok(())
}
