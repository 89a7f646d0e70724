//! Texts that an attacker chose show as what they are.

use crate::fixture;
use crate::page::Page;
use std::io;

const MARKUP: &str = "</script><script>window.pwned=1</script><img src=x onerror='window.pwned=1'>";

#[test]
fn markup_is_text_and_what_cannot_be_seen_is_shown() -> io::Result<()> {
    let Some(mut page) = Page::of(&fixture::hostile())? else { return Ok(()) };
    // Every row's details too.
    let mut details = String::new();
    for row in 0..page.ask("rows.length")?.as_u64().unwrap_or_default() {
        page.ask(&format!("showRow(rows[{row}])"))?;
        page.drawn()?;
        shows_text(&mut page, &format!("row {row}"))?;
        details += &page.text(".details")?;
    }
    // What is told of everything that can be pointed at.
    page.ask("processes.forEach(known => showTip(toldOfProcess(known), 1, 1))")?;
    shows_text(&mut page, "the notes of processes")?;
    page.ask("change({ clock: 'absolute', printing: true })")?;
    shows_text(&mut page, "paper")?;
    let rows = page.text(".entries tbody")?;
    assert!(
        rows.contains(MARKUP)
            && details.contains(MARKUP)
            && page.text("h1")?.contains(MARKUP)
            && page.text("#foot")?.contains(MARKUP)
    );
    for shown in [
        "\\u{1b}[31mred\\u{7}\\0",
        "\\u{202e}gpj.exe",
        "a\\u{2028}b\\u{2029}c",
        "d\\u{200b}e\\u{feff}\\u{ad}\\u{a0}f",
        "\\r\\n\\t{{script}}",
    ] {
        assert!(rows.contains(shown) && details.contains(shown), "{shown} is not in the table");
    }
    // Numbers that JavaScript would round, and names that its objects have.
    assert!(details.contains("file.size18446744073709551615") && details.contains("__proto__=HYPER"), "{details}");
    assert!(page.text("#head")?.contains("18,446,744,073,709,551,615"));
    assert!(page.complaints().is_empty(), "{:?}", page.complaints());
    assert!(page.requests().is_empty(), "{:?}", page.requests());
    Ok(())
}

fn shows_text(page: &mut Page, when: &str) -> io::Result<()> {
    assert_eq!(page.ask("typeof window.pwned")?, "undefined", "{when}");
    assert_eq!(page.count("script")?, 2, "{when}");
    assert_eq!(page.count("img, iframe, object, [onload], [onerror], [onclick]")?, 0, "{when}");
    let odd = page.ask(
        "(() => {
            const odd = /[\\p{C}\\p{Zl}\\p{Zp}]|(?! )\\p{Zs}/u;
            const walker = document.createTreeWalker(document.documentElement, NodeFilter.SHOW_TEXT | NodeFilter.SHOW_ELEMENT);
            const found = [document.title].filter(title => odd.test(title));
            for (let node = walker.nextNode(); node; node = walker.nextNode()) {
                if (node.closest?.('style, script') || node.parentElement?.closest('style, script')) continue;
                const texts = node.nodeType === Node.TEXT_NODE ? [node.data] : [...node.attributes].filter(one => one.name !== 'value').map(one => one.value);
                found.push(...texts.filter(text => odd.test(text.replaceAll('\\n', ''))));
            }
            return found;
        })()",
    )?;
    assert_eq!(odd, serde_json::json!([]), "{when}");
    Ok(())
}
