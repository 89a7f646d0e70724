//! What is printed.

use crate::browser::pdftotext;
use crate::fixture;
use crate::page::Page;
use std::io;
use std::process::Command;

#[test]
fn paper_has_every_entry_and_nothing_to_press() -> io::Result<()> {
    let timeline = fixture::theft();
    let Some(mut page) = Page::of(&timeline)? else { return Ok(()) };
    // As a person leaves it: dark, scrolled and in a small window, in which the table has only some lines and columns.
    page.ask("document.documentElement.dataset.theme = 'dark'; scrollTo(0, 700)")?;
    page.size(700, 400)?;
    page.drawn()?;
    let pdf = page.printed()?;
    assert!(pdf.len() > 50_000, "{} bytes", pdf.len());
    // Afterwards it is as before.
    page.drawn()?;
    assert_eq!(page.ask("view.printing")?, false);
    assert!(page.count("tr.line")? < timeline.entries.len() as u64);

    let Some(program) = pdftotext() else { return Ok(()) };
    let file = page.browser.directory.path().join("page.pdf");
    std::fs::write(&file, pdf)?;
    let text = Command::new(program).arg("-layout").arg(&file).arg("-").output()?.stdout;
    // Lines are broken wherever there was no more place.
    let squeeze = |text: &str| text.split_whitespace().collect::<String>();
    let text = squeeze(&String::from_utf8_lossy(&text));
    for entry in &timeline.entries {
        assert!(text.contains(&squeeze(&entry.time.text[11..26])), "no time of {entry:?}");
        let start: String = squeeze(&entry.sentence).chars().take(30).collect();
        assert!(text.contains(&start), "not printed: {start}");
    }
    for process in &timeline.processes {
        assert!(text.contains(&squeeze(&process.begin.text[..19].replace('T', " "))), "{}", process.command_line);
    }
    // A gap, the attributes of an alert, the note; but no button.
    for part in ["1,284openeventsmissing", "weir.exfil.fraction", "61opensofPython"] {
        assert!(text.contains(part), "not printed: {part}");
    }
    for part in ["Whole", "Showall", "Allkinds", "Search"] {
        assert!(!text.contains(part), "printed: {part}");
    }
    Ok(())
}
