//! What a person does with it, by mouse and by keys.

use crate::fixture;
use crate::page::Page;
use std::io;

#[test]
fn keys_are_enough() -> io::Result<()> {
    let Some(mut page) = Page::of(&fixture::theft())? else { return Ok(()) };
    page.ask("document.querySelector('[role=treeitem]').focus()")?;
    for _ in 0..3 {
        page.key("ArrowDown")?;
    }
    page.key("Enter")?;
    assert_eq!(page.text("[aria-selected=true] b")?, "cp");
    assert!(page.text("#tip")?.contains("held") || page.text("#tip")?.contains("Held"), "focus tells of the process");
    assert_eq!(
        page.ask("document.querySelector('#filter-process').selectedOptions[0].text.startsWith('cp (9342)')")?,
        true
    );
    page.key("Enter")?;
    assert_eq!(page.ask("view.process")?, "");

    page.key("/")?;
    assert_eq!(page.ask("document.activeElement.id")?, "search");

    page.ask("document.querySelector('tr.line').focus()")?;
    page.key("ArrowDown")?;
    page.key("ArrowDown")?;
    page.key("Enter")?;
    assert_eq!(page.ask("document.activeElement.ariaRowIndex")?, "4");
    assert_eq!(page.ask("document.activeElement.ariaExpanded")?, "true");
    assert!(
        page.text(".details .attributes")?.contains("process.executable.path/usr/bin/cp"),
        "{}",
        page.text(".details")?
    );
    page.key("Escape")?;
    assert_eq!(page.count(".details")?, 0);
    page.key("End")?;
    let last = fixture::theft().entries.pop().map(|entry| entry.sentence).unwrap_or_default();
    assert_eq!(page.ask("document.activeElement.querySelector('.sentence').textContent")?, last);
    Ok(())
}

#[test]
fn everything_that_can_be_pressed_has_a_name() -> io::Result<()> {
    let Some(mut page) = Page::of(&fixture::theft())? else { return Ok(()) };
    let tree = page.browser.call("Accessibility.getFullAXTree", serde_json::json!({}))?;
    let mut named = 0;
    for node in tree["nodes"].as_array().into_iter().flatten() {
        let role = node["role"]["value"].as_str().unwrap_or_default();
        if ["button", "searchbox", "combobox", "treeitem", "tree", "grid", "image", "columnheader"].contains(&role) {
            assert!(
                node["name"]["value"].as_str().is_some_and(|name| !name.is_empty()),
                "a {role} has no name: {node}"
            );
            named += 1;
        }
    }
    assert!(named > 30, "{named}");
    Ok(())
}

#[test]
fn a_click_on_a_mark_shows_its_entry() -> io::Result<()> {
    let Some(mut page) = Page::of(&fixture::theft())? else { return Ok(()) };
    // Whatever was filtered: it must be found.
    page.enter("#search", "dns")?;
    let alert = page.middle(".bars .mark.alert")?;
    page.mouse("mouseMoved", alert)?;
    assert!(page.text("#tip")?.contains("copied 4.1 GB of weights"), "{}", page.text("#tip")?);
    page.mouse("mousePressed", alert)?;
    page.mouse("mouseReleased", alert)?;
    assert!(page.text(".details .sentence")?.starts_with("cp in inference/llm-server copied 4.1 GB"));
    assert_eq!(page.ask("(box => box.top >= 0 && box.bottom <= innerHeight)(document.querySelector('tr.line[aria-expanded=true]').getBoundingClientRect())")?, true);
    Ok(())
}

#[test]
fn dragging_zooms_plots_and_table() -> io::Result<()> {
    let timeline = fixture::theft();
    let Some(mut page) = Page::of(&timeline)? else { return Ok(()) };
    let (x, y) = page.middle(".chart")?;
    let whole = page.ask("document.querySelector('.chart').clientWidth")?.as_f64().unwrap_or_default();
    page.mouse("mouseMoved", (x, y))?;
    assert!(page.text("#tip")?.contains("inference/toolbox"), "{}", page.text("#tip")?);
    page.mouse("mousePressed", (x, y))?;
    page.mouse("mouseMoved", (x + whole / 8.0, y))?;
    page.mouse("mouseMoved", (x + whole / 4.0, y))?;
    page.mouse("mouseReleased", (x + whole / 4.0, y))?;
    let (from, to) =
        (page.ask("view.from")?.as_f64().unwrap_or_default(), page.ask("view.to")?.as_f64().unwrap_or_default());
    let span = (timeline.to.nanos - timeline.from.nanos) as f64 / 1e9;
    assert!((to - from - span / 4.0).abs() < span / 100.0, "{from} to {to}");
    let zero = timeline.zero.nanos as f64 / 1e9;
    let within =
        timeline.entries.iter().filter(|entry| (from..=to).contains(&(entry.time.nanos as f64 / 1e9 - zero))).count();
    assert_eq!(page.text("#count")?, format!("{within} of {} entries", timeline.entries.len()));
    page.ask("[...document.querySelectorAll('button')].find(button => button.textContent === 'Whole').click()")?;
    page.drawn()?;
    assert_eq!(page.text("#count")?, format!("{} entries", timeline.entries.len()));
    Ok(())
}

#[test]
fn times_are_told_relative_and_of_day() -> io::Result<()> {
    let timeline = fixture::theft();
    let Some(mut page) = Page::of(&timeline)? else { return Ok(()) };
    assert_eq!(page.text("tr.line td.at")?, "\u{2212}118.390000 s");
    page.ask("[...document.querySelectorAll('button')].find(button => button.textContent === 'UTC').click()")?;
    page.drawn()?;
    assert_eq!(page.text("tr.line td.at")?, "14:03:41.730000");
    let labels = page.ask("[...document.querySelectorAll('.axis .tick')].map(tick => tick.textContent)")?;
    let round = ["14:04", "14:06", "14:08"]
        .iter()
        .all(|label| labels.as_array().is_some_and(|all| all.contains(&(*label).into())));
    assert!(round, "{labels}");
    Ok(())
}
