//! The page of a timeline in a real browser: it shows what it should, does what it offers, asks nobody for anything, and takes no
//! attacker's text for markup.
//!
//! Needs Debian's package `chromium`, or one of its kind named in `WEIR_CHROMIUM`; `pdftotext` (poppler-utils, or named in
//! `WEIR_PDFTOTEXT`) reads what would be printed. `cargo test -p tests --test page` after `apt-get install chromium poppler-utils`.

mod browser;
mod filters;
#[path = "../../../sensor/examples/page/fixture/mod.rs"]
mod fixture;
mod hands;
mod hostile;
mod looks;
mod page;
mod paper;
mod silence;
