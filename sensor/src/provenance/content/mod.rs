//! What a file is by its content: a bounded look at its first and last bytes, whatever it is called.
//!
//! [`sniff`] is a pure function of a [`Sample`]. It never panics, never unpacks, and looks at each byte a bounded number of
//! times; lengths in the sample are believed only where the file's size allows them. `rules/classes.yml` says which formats are
//! in which class.
//!
//! How surely a format is told ([`Confidence`]):
//! - by a magic of four bytes or more, or a header whose parts agree with each other and the file's size: certain;
//! - by two bytes, by an undocumented magic, or where other things than models are kept in the same format (pickle, HDF5,
//!   NumPy): likely. Only a file of some size is believed then.
//!
//! Not told, since nothing in it says so: ONNX's external data, a TensorFlow checkpoint's data, OpenVINO's and Core ML's
//! weights, Flax's msgpack, shards of MosaicML, and whatever is encrypted or compressed. A file cut in its middle is told by the
//! part that has its head. JSON is an index, a configuration, a tokenizer, never weights, but for XGBoost's models.

mod archive;
mod bytes;
mod classes;
mod dataset;
mod format;
mod pickle;
mod protobuf;
#[doc(hidden)]
pub mod samples;
mod secret;
mod weights;

#[cfg(test)]
mod tests;

pub use classes::ContentClasses;
pub use format::{Format, FormatSet};

/// Bytes of a file's beginning that are looked at, at most.
pub const HEAD_MAX: usize = 4096;

/// Bytes of a file's end that are looked at, at most.
pub const TAIL_MAX: usize = 64;

/// What is known of a file's content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample<'a> {
    /// Its first bytes: [`HEAD_MAX`] of them, or all where it has fewer. What goes beyond is not looked at.
    pub head: &'a [u8],
    /// Its last bytes: [`TAIL_MAX`] of them, or all where it has fewer. What comes before is not looked at.
    pub tail: &'a [u8],
    /// Bytes that it has in all.
    pub size: u64,
}

impl<'a> Sample<'a> {
    /// Of a whole file in memory.
    pub fn of(file: &'a [u8]) -> Sample<'a> {
        Sample {
            head: file.get(..HEAD_MAX).unwrap_or(file),
            tail: file.get(file.len().saturating_sub(TAIL_MAX)..).unwrap_or_default(),
            size: file.len() as u64,
        }
    }
}

/// How surely a format was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Confidence {
    /// It looks like it, and small files often do: a class takes it from a minimum size on.
    Likely,
    /// It is.
    Certain,
}

impl Confidence {
    /// The name in output.
    pub const fn name(self) -> &'static str {
        match self {
            Confidence::Likely => "likely",
            Confidence::Certain => "certain",
        }
    }
}

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Found {
    /// The format.
    pub format: Format,
    /// How surely.
    pub confidence: Confidence,
}

impl Found {
    const fn certain(format: Format) -> Found {
        Found { format, confidence: Confidence::Certain }
    }

    const fn likely(format: Format) -> Found {
        Found { format, confidence: Confidence::Likely }
    }

    /// Certain if `sure`, else likely.
    const fn sure(format: Format, sure: bool) -> Found {
        if sure { Found::certain(format) } else { Found::likely(format) }
    }
}

/// The format of a file, if its bytes tell.
pub fn sniff(sample: &Sample<'_>) -> Option<Found> {
    let sample = Sample { head: Sample::of(sample.head).head, tail: Sample::of(sample.tail).tail, size: sample.size };
    // What has strong magics comes first; what could be taken for something else, last.
    let ways: [fn(&Sample<'_>) -> Option<Found>; 7] = [
        weights::by_magic,
        dataset::by_magic,
        archive::look_in,
        secret::by_text,
        pickle::by_opcodes,
        protobuf::by_fields,
        archive::by_magic,
    ];
    ways.into_iter().find_map(|way| way(&sample))
}
