//! A timeline as one HTML page: opened from a disk, mailed, printed; it loads nothing and tells nobody.
//!
//! The page is `page.html` with three things in it: the timeline as JSON, one style sheet and one script, which are the files of
//! `style/` and `script/` one after the other. Its policy lets a browser run that script and apply that sheet, by their hashes, and
//! nothing else: whatever an attacker wrote into a path could at most be shown. There is no framework and no build step.
//!
//! `cargo run -p sensor --example page > x.html` writes one to look at.

mod embed;
#[cfg(test)]
mod tests;

use super::timeline::model::Timeline;
use std::io::{self, Write};

/// The page; `{{policy}}` and the like are what is put in.
const TEMPLATE: &str = include_str!("page.html");

/// The style sheet; later files may refer to what earlier ones set.
const STYLE: &[&str] = &[
    include_str!("style/base.css"),
    include_str!("style/head.css"),
    include_str!("style/plots.css"),
    include_str!("style/table.css"),
    include_str!("style/print.css"),
];

/// The script; each file uses what is in those before it.
const SCRIPT: &[&str] = &[
    include_str!("script/text.js"),
    include_str!("script/model.js"),
    include_str!("script/view.js"),
    include_str!("script/axis.js"),
    include_str!("script/plot.js"),
    include_str!("script/marks.js"),
    include_str!("script/tree.js"),
    include_str!("script/chart.js"),
    include_str!("script/head.js"),
    include_str!("script/filter.js"),
    include_str!("script/row.js"),
    include_str!("script/table.js"),
    include_str!("script/main.js"),
];

/// Writes the page of a timeline.
///
/// # Errors
/// `out` refuses.
pub fn write(timeline: &Timeline, out: &mut impl Write) -> io::Result<()> {
    let (style, script) = (STYLE.concat(), SCRIPT.concat());
    let mut rest = TEMPLATE;
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((name, after)) = after.split_once("}}") else { break };
        out.write_all(before.as_bytes())?;
        match name {
            "policy" => out.write_all(policy(&style, &script).as_bytes())?,
            "style" => out.write_all(style.as_bytes())?,
            "script" => out.write_all(script.as_bytes())?,
            "timeline" => embed::write(timeline, out)?,
            _ => {}
        }
        rest = after;
    }
    out.write_all(rest.as_bytes())
}

/// The page as a text; for one that goes to a file, [`write`] needs less memory.
///
/// # Errors
/// None that is known: writing to memory does not fail.
pub fn page(timeline: &Timeline) -> io::Result<String> {
    let mut out = Vec::new();
    write(timeline, &mut out)?;
    String::from_utf8(out).map_err(io::Error::other)
}

/// The page's content security policy (CSP level 3): this script, this sheet, and no request to anywhere.
fn policy(style: &str, script: &str) -> String {
    format!(
        "default-src 'none'; script-src '{}'; style-src '{}'; img-src data:; base-uri 'none'; form-action 'none'",
        embed::hash(script),
        embed::hash(style)
    )
}
