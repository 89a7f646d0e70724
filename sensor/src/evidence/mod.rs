//! What is kept of what happened, so that it can be looked at again.
//!
//! [`recording`] is a file of everything that went into the line, from which a replay makes the same alerts again. [`store`] keeps
//! everything that was seen and told, [`integrity`] proves that it was not changed, [`archive`] takes an incident elsewhere, and [`parquet`] everything. [`source`] is
//! what timelines are cut out of, [`timeline`] what comes of that, and [`page`] that as one HTML page. [`lines`] is a source over files of
//! JSON lines, [`place`] finds which source a place is, [`words`] says in words what attributes say; the console uses these too.
//!
//! Here is what writes and reads evidence; nothing that decides what is worth telling, and nothing that the line waits for. It depends
//! on [`crate::event`] and on what makes text harmless in [`crate::alert`]; the timeline's formats also on [`crate::delivery::ocsf`].

pub mod archive;
pub mod integrity;
pub mod lines;
pub mod page;
pub mod parquet;
pub mod place;
pub mod recording;
pub mod source;
pub mod store;
pub mod timeline;
pub mod words;

/// Where evidence is kept, unless it is said otherwise.
pub const DIRECTORY: &str = "/var/lib/weir/evidence";
