//! A recording: everything that went into the line, in order, in one file.
//!
//! - The file is a sequence of zstd frames, each with a checksum; in them are JSON lines, never one in two frames. So standard
//!   tools read it (`zstdcat FILE | jq`), and what is damaged or cut off costs its own frame and no other.
//! - A line is a [`Record`]: the header first, then each event as it was before the line added to it, what the wall clock was when
//!   that changed, and gaps. What the line derives is not in it, for it comes again.
//! - Parts go by their names (`sensor/src/event` says how). A name that is missing is what it is by default, where there is a
//!   default; a kind or a value that nobody knows is an error. What is added to an event later needs a default:
//!   `samples/version-1.jsonl` must be readable for ever.
//! - [`Recorder`] writes on a thread of its own, behind a bounded channel. What the disk does not take is left out, counted, and a
//!   gap in the recording when it goes on; the file is cut back to its last whole frame.
//! - [`Reader`] trusts nothing: frames, lines and what they unpack to are bounded, and what cannot be read is counted.
//!
//! zstd (BSD; the crate is MIT) for its ratio: JSON has every name in every line. docs/replay.md says what a real run took.

mod frames;
mod reader;
mod record;
mod recorder;
mod sink;

#[cfg(test)]
mod tests;

pub use frames::{Damage, Frames, pack};
pub use reader::{Reader, RecordingError, parse};
pub use record::{Gap, Header, Limits, Record, VERSION};
pub use recorder::{Recorder, Statistics, append, append_clock};
