//! What the spool may take.

/// What the spool may take, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// All segments and acknowledgements, as they lie on disk.
    pub bytes: u64,
    /// One segment: what goes at once when there is no room.
    pub segment: u64,
    /// One record, with its header.
    pub record: u64,
}

/// Least that makes sense: some segments beside each other.
const BYTES_MIN: u64 = 64 << 10;
/// Offsets in a segment are 32 bits; a segment is read in one piece when the spool is opened.
pub(super) const SEGMENT_MAX: u64 = 64 << 20;

/// The section `spool:` of weir.yml.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Section {
    /// Most bytes that what waits for a collector may take on the disk; 64 MiB if not given, 64 KiB at least.
    pub bytes: Option<u64>,
}

impl Section {
    /// The limits that it asks for.
    pub fn limits(&self) -> Limits {
        let usual = Limits::default();
        Limits { bytes: self.bytes.unwrap_or(usual.bytes), ..usual }.fitting()
    }
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { bytes: 64 << 20, segment: 1 << 20, record: 512 << 10 }
    }
}

impl Limits {
    /// The same, made to fit each other: at least 64 KiB, segments of a quarter of all at most, records of a segment at most.
    pub fn fitting(self) -> Limits {
        let bytes = self.bytes.max(BYTES_MIN);
        let segment = self.segment.clamp(4 << 10, (bytes / 4).min(SEGMENT_MAX));
        Limits { bytes, segment, record: self.record.min(segment) }
    }
}
