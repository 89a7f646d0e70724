//! The page asks nobody for anything, and would not be let.

use crate::fixture;
use crate::page::Page;
use std::io;
use tests::wait::{PATIENCE, until};

/// What tries to run, to be applied, and to be fetched.
const INTRUSION: &str = "<script>window.pwned=1</script><style>h1{display:none}</style><div style='color:red' onclick='window.pwned=1'>x</div>\
     <img src='http://weir.example/image'><link rel=stylesheet href='http://weir.example/sheet'><script src='http://weir.example/script'></script>\
     <iframe src='http://weir.example/frame'></iframe><form action='http://weir.example/form'><button id=send>x</button></form>";

#[test]
fn nothing_is_asked_for_and_nothing_is_complained_of() -> io::Result<()> {
    for timeline in [fixture::theft(), fixture::many(500)] {
        let Some(mut page) = Page::of(&timeline)? else { return Ok(()) };
        page.enter("#search", "python3")?;
        page.ask("showRow(rows[3])")?;
        page.printed()?;
        assert!(page.complaints().is_empty(), "{:?}", page.complaints());
        assert!(page.requests().is_empty(), "{:?}", page.requests());
    }
    Ok(())
}

#[test]
fn the_policy_refuses_what_is_not_the_pages_own() -> io::Result<()> {
    let whole = sensor::evidence::page::page(&fixture::theft())?;
    let intruded = whole.replace("<footer", &format!("{INTRUSION}<footer"));
    let Some(mut page) = Page::of_text(&intruded)? else { return Ok(()) };
    page.ask("document.querySelector('[onclick]').click(); document.querySelector('#send').click()")?;
    page.ask("fetch('http://weir.example/fetch').catch(() => 0)")?;
    page.drawn()?;
    assert_eq!(page.ask("typeof window.pwned")?, "undefined");
    assert_ne!(page.ask("getComputedStyle(document.querySelector('h1')).display")?, "none");
    assert_eq!(
        page.ask(
            "getComputedStyle(document.querySelector('[onclick]')).color === getComputedStyle(document.body).color"
        )?,
        true
    );
    assert_eq!(
        page.text("#count")?,
        format!("{} entries", fixture::theft().entries.len()),
        "the page itself is as ever"
    );
    assert!(page.complaints().len() >= 6, "{:?}", page.complaints());
    assert!(page.asked().is_empty(), "{:?}", page.asked());

    // Without the policy all of it comes true, and the proxy hears of it: so it would have before.
    let begin = intruded.find("<meta http-equiv").unwrap_or_default();
    let end = intruded[begin..].find(">\n").map_or(begin, |length| begin + length + 2);
    page.open(&format!("{}{}", &intruded[..begin], &intruded[end..]))?;
    assert_eq!(page.ask("window.pwned")?, 1);
    until(PATIENCE, "the proxy hears of four requests", || (page.asked().len() >= 4).then_some(()))
}
