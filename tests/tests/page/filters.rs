//! The table: what it lets through, in which order, and how fast.

use crate::fixture;
use crate::page::Page;
use std::io;
use std::time::Duration;
use tests::wait::scaled;

const ENTRIES: u32 = 10_000;

#[test]
fn filters_show_what_matches_and_never_hide_gaps_of_that_time() -> io::Result<()> {
    let timeline = fixture::theft();
    let Some(mut page) = Page::of(&timeline)? else { return Ok(()) };
    let all = timeline.entries.len();
    // High enough for every line.
    page.size(1400, 3600)?;
    page.drawn()?;
    let expect = |page: &mut Page, what: &str, count: usize| -> io::Result<()> {
        assert_eq!(page.text("#count")?, format!("{count} of {all} entries"), "{what}");
        let shown = page.count("tr.line:not(.gap)")?;
        assert!(shown == count as u64, "{shown} lines are shown of {what}");
        Ok(())
    };
    let holding = |of: &dyn Fn(&sensor::evidence::timeline::model::Entry) -> bool| {
        timeline.entries.iter().filter(|entry| of(entry)).count()
    };

    page.enter("#search", "SAFETENSORS 00002")?;
    expect(&mut page, "two words in capitals", holding(&|entry| entry.sentence.contains("00002")))?;
    // Only an attribute has it.
    page.enter("#search", "sched_process_exec")?;
    expect(
        &mut page,
        "a hook",
        holding(&|entry| entry.attributes.get("weir.hook").is_some_and(|hook| hook == "sched_process_exec")),
    )?;
    assert_eq!(page.count("tr.line.gap")?, 0, "a gap has no hook");
    page.enter("#search", "")?;

    page.enter("#filter-kind", "dns")?;
    expect(&mut page, "a kind", 1)?;
    page.enter("#filter-kind", "gap")?;
    assert_eq!((page.count("tr.line.gap")?, page.count("tr.line")?), (1, 1));
    page.enter("#filter-kind", "")?;

    let curl = timeline
        .processes
        .iter()
        .find(|process| process.pid == 9391)
        .map(|process| process.id.clone())
        .unwrap_or_default();
    page.enter("#filter-process", &curl)?;
    expect(&mut page, "a process", holding(&|entry| entry.process.as_deref() == Some(&curl)))?;
    assert_eq!(page.count("tr.line.gap")?, 1, "what is missing may have been of this process");
    assert_eq!(page.text("[aria-selected=true] b")?, "curl");
    page.enter("#filter-severity", "high")?;
    expect(&mut page, "high or worse of a process", 2)?;
    page.ask("[...document.querySelectorAll('button')].find(button => button.textContent === 'Show all').click()")?;
    page.drawn()?;
    assert_eq!(page.text("#count")?, format!("{all} entries"));

    page.enter("#search", "nothing has this")?;
    assert!(page.text(".entries .empty")?.contains("Nothing matches"));
    assert!(page.complaints().is_empty(), "{:?}", page.complaints());
    Ok(())
}

#[test]
fn columns_sort_both_ways() -> io::Result<()> {
    let timeline = fixture::theft();
    let Some(mut page) = Page::of(&timeline)? else { return Ok(()) };
    let first = |page: &mut Page| page.ask("found[0].bytes").map(|bytes| bytes.as_i64().unwrap_or(-2));
    page.ask("document.querySelector('th.bytes button').click()")?;
    assert_eq!(first(&mut page)?, -1, "what is about no bytes first");
    page.ask("document.querySelector('th.bytes button').click()")?;
    let most = timeline.entries.iter().filter_map(|entry| entry.bytes).max().unwrap_or_default();
    assert_eq!(first(&mut page)?, most as i64);
    assert_eq!(page.ask("document.querySelector('th.bytes').ariaSort")?, "descending");
    page.ask("document.querySelector('th.at button').click()")?;
    assert_eq!(page.ask("found.every((row, n) => n === 0 || found[n - 1].at <= row.at)")?, true);
    Ok(())
}

#[test]
fn ten_thousand_entries_are_filtered_and_scrolled_at_once() -> io::Result<()> {
    let Some(mut page) = Page::of(&fixture::many(ENTRIES))? else { return Ok(()) };
    assert_eq!(page.text("#count")?, "10,000 entries");
    // The best of five, since another process can only make one slower.
    let took = page.ask(
        "Math.min(...['shard-00123', 'alert', 'python3 gradient', 'nothing', 'part-42'].map(text => {
            const field = document.getElementById('search'), begin = performance.now();
            field.value = text;
            field.dispatchEvent(new Event('input', { bubbles: true }));
            document.body.getBoundingClientRect();
            return performance.now() - begin;
        }))",
    )?;
    let took = Duration::from_secs_f64(took.as_f64().unwrap_or(f64::MAX.sqrt()) / 1000.0);
    assert!(took < scaled(Duration::from_millis(100)), "{took:?}");
    page.enter("#search", "shard-001234")?;
    assert_eq!(page.text("#count")?, "1 of 10,000 entries");

    page.enter("#search", "")?;
    page.ask("scrollTo(0, document.body.scrollHeight)")?;
    page.drawn()?;
    let lines = page.count("tr.line")?;
    assert!((10..200).contains(&lines), "{lines} lines are in the document");
    // Six gaps are rows as well, and the heading is one.
    assert_eq!(
        page.ask("[...document.querySelectorAll('tr.line')].at(-1).ariaRowIndex")?,
        (ENTRIES + 6 + 1).to_string()
    );
    // What is in the middle is what belongs there.
    page.ask("scrollTo(0, 170000)")?;
    page.drawn()?;
    let right = page.ask(
        "[...document.querySelectorAll('tr.line')].every((line, n, all) => n === 0
            || Number(line.dataset.at) === Number(all[n - 1].dataset.at) + 1)
         && (line => line.querySelector('.sentence').textContent === (found[line.dataset.at].entry?.sentence ?? gapSentence(found[line.dataset.at])))
            (document.elementFromPoint(600, 500).closest('tr.line'))",
    )?;
    assert_eq!(right, true);
    assert!(page.complaints().is_empty(), "{:?}", page.complaints());
    Ok(())
}
