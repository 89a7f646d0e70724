//! How a file's name becomes a key of the kernel's classification tables.
//!
//! The programs and the agent call the same functions, so that what the agent puts into a table is what a program looks up.
//! A match in the kernel only decides that an open is worth sending; the agent looks again at the full path. Keys may
//! therefore match a little too much (case is folded by setting bit 5 of every byte), never too little.

use crate::plain;

/// Most bytes of a suffix, the dot not counted: `safetensors` has 11.
pub const SUFFIX_MAX: usize = 15;
/// Most bytes of an exact file or directory name that can be classified in the kernel.
pub const NAME_MAX: usize = 31;
/// Most ancestors of a file whose names are looked up among the directories.
pub const DIRECTORY_DEPTH: usize = 4;

/// Most entries of the suffix table.
pub const SUFFIXES: u32 = 256;
/// Most entries of the name table, and of the directory table.
pub const NAMES: u32 = 512;
/// Most watched inodes.
pub const WATCHED: u32 = 65_536;
/// A bit beside those of the classes, which the agent gives to the name `mem`: an open of such a file in a proc file system is
/// an access to a process's memory. Never sent.
pub const PROC_MEM: u32 = 1 << 31;
/// A bit beside those of the classes, within the kernel: nothing but its size says that the file could be of interest.
pub const CANDIDATE: u32 = 1 << 30;
/// A bit beside those of the classes, within the kernel: the file carries what somebody wrote to it who holds something.
pub const CARRIES: u32 = 1 << 29;
/// The bits that mean classes; [`crate::label::PERHAPS`] is the first that does not.
pub const CLASSES: u32 = crate::label::PERHAPS - 1;
/// Entries of the kernel's map of files that were sent for a look at their content, or were looked at; the least recently used
/// goes first, and is sent again.
pub const LOOKED_AT: u32 = 65_536;

const FOLD: u64 = 0x2020_2020_2020_2020;

plain! {
    /// Key of the map `SUFFIXES`: what follows the last dot of a name, folded, at the end of 16 bytes.
    pub struct SuffixKey {
        /// Bytes 0..8 and 8..16 as little-endian words.
        pub words: [u64; 2],
    }
}

plain! {
    /// Key of the maps `NAMES` and `DIRECTORIES`: a whole name, folded, at the start of 32 bytes.
    pub struct NameKey {
        /// Bytes 0..8, 8..16, 16..24 and 24..32 as little-endian words.
        pub words: [u64; 4],
    }
}

plain! {
    /// Key of the map `WATCHED`: an inode.
    pub struct InodeKey {
        /// `inode.i_ino`
        pub inode: u64,
        /// `super_block.s_dev`, the kernel's own encoding.
        pub device: u32,
        /// Reserved, 0.
        pub reserved: u32,
    }
}

plain! {
    /// Key of the map `LOOKED_AT`: a file, and for whom it was sent for a look at its content.
    ///
    /// Until the agent has an answer, each process's first open is sent, so that none that reads is missed; the answer
    /// "nothing of interest" is kept for all.
    pub struct LookKey {
        /// `inode.i_ino`
        pub inode: u64,
        /// `super_block.s_dev`, the kernel's own encoding.
        pub device: u32,
        /// The process ([`LookKey::asker`]); 0: everybody, since the agent has looked.
        pub asker: u32,
    }
}

impl LookKey {
    /// What stands for a process id in a key. Whoever may only write is told apart: the same process may come back to read.
    #[inline(always)]
    pub const fn asker(pid: u32, reads: bool) -> u32 {
        // Process ids have at most 22 bits (PID_MAX_LIMIT, include/linux/threads.h).
        if reads { pid } else { pid | 1 << 31 }
    }
}

/// Words of a [`Filter`].
pub const FILTER_WORDS: usize = 4;

plain! {
    /// A set of 64-bit words that says "certainly not there" or "perhaps": 256 bits, one for each value of a hash.
    pub struct Filter {
        /// The bits.
        pub bits: [u64; FILTER_WORDS],
    }
}

impl Filter {
    /// The bit of `word`: multiplicative hashing (Knuth, TAOCP 6.4) by 2^64 divided by the golden ratio.
    #[inline(always)]
    fn bit(word: u64) -> (usize, u64) {
        let hash = word.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56;
        ((hash >> 6) as usize, 1 << (hash & 63))
    }

    /// Adds `word`.
    pub fn insert(&mut self, word: u64) {
        let (index, bit) = Filter::bit(word);
        self.bits[index & (FILTER_WORDS - 1)] |= bit;
    }

    /// False: `word` was not added.
    #[inline(always)]
    pub fn may_contain(&self, word: u64) -> bool {
        let (index, bit) = Filter::bit(word);
        self.bits[index & (FILTER_WORDS - 1)] & bit != 0
    }
}

plain! {
    /// The one element of the array `CLASSIFIER`: what spares most look-ups.
    pub struct Classifier {
        /// [`SuffixKey::hint`] of every suffix.
        pub suffixes: Filter,
        /// [`tail_hint`] of every name.
        pub names: Filter,
        /// Bit n: the directory table has a name of n bytes.
        pub directory_lengths: u64,
        /// Not 0: the inode table has entries.
        pub inodes: u64,
        /// Regular files of at least so many bytes that are in no class are sent once, for a look at their content; 0: none.
        pub candidate_size: u64,
    }
}

/// What [`Classifier::names`] holds of a name whose last eight bytes are `high` (NULs in front of a shorter one).
#[inline(always)]
pub fn tail_hint(high: u64) -> u64 {
    high | FOLD
}

impl SuffixKey {
    /// The key for the last 16 bytes of a name, as little-endian words, NULs in front of a shorter name.
    /// `None` if there is no dot among them: no suffix, or a longer one than [`SUFFIX_MAX`].
    #[inline(always)]
    pub fn from_tail(low: u64, high: u64) -> Option<SuffixKey> {
        let (in_low, in_high) = (dots(low), dots(high));
        let words = if in_high != 0 {
            [0, after_last(high, in_high)]
        } else if in_low != 0 {
            [after_last(low, in_low), high]
        } else {
            return None;
        };
        Some(SuffixKey { words: [words[0] | FOLD, words[1] | FOLD] })
    }

    /// What [`Classifier::suffixes`] holds of it.
    #[inline(always)]
    pub fn hint(&self) -> u64 {
        self.words[1]
    }

    /// The key for a suffix, written without its dot. `None` if it is empty, too long, or has a dot in it.
    pub fn new(suffix: &str) -> Option<SuffixKey> {
        let bytes = suffix.as_bytes();
        if bytes.is_empty() || bytes.len() > SUFFIX_MAX || bytes.contains(&b'.') {
            return None;
        }
        let mut tail = [0u8; 16];
        let start = 16 - bytes.len();
        tail[start - 1] = b'.';
        tail[start..].copy_from_slice(bytes);
        let (low, high) = tail.split_at(8);
        SuffixKey::from_tail(word(low), word(high))
    }
}

impl NameKey {
    /// The key for a name's bytes as little-endian words, NULs behind a shorter name.
    #[inline(always)]
    pub fn from_words(words: [u64; 4]) -> NameKey {
        NameKey { words: [words[0] | FOLD, words[1] | FOLD, words[2] | FOLD, words[3] | FOLD] }
    }

    /// The key for a name. `None` if it is empty, longer than [`NAME_MAX`], or has a slash in it.
    pub fn new(name: &str) -> Option<NameKey> {
        let bytes = name.as_bytes();
        if bytes.is_empty() || bytes.len() > NAME_MAX || bytes.contains(&b'/') {
            return None;
        }
        let mut padded = [0u8; 32];
        padded[..bytes.len()].copy_from_slice(bytes);
        let mut words = [0; 4];
        for (word_, chunk) in words.iter_mut().zip(padded.chunks_exact(8)) {
            *word_ = word(chunk);
        }
        Some(NameKey::from_words(words))
    }

    /// Bytes of the name. A space at its end does not count: folded, a NUL is one too.
    pub fn length(&self) -> usize {
        self.bytes().iter().rposition(|byte| *byte != b' ').map_or(0, |last| last + 1)
    }

    /// What [`Classifier::names`] holds of it.
    pub fn hint(&self) -> u64 {
        let (bytes, length) = (self.bytes(), self.length());
        let mut tail = [b' '; 8];
        for (place, byte) in tail.iter_mut().rev().zip(bytes[..length].iter().rev()) {
            *place = *byte;
        }
        word(&tail)
    }

    fn bytes(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        for (chunk, word) in bytes.chunks_exact_mut(8).zip(self.words) {
            chunk.copy_from_slice(&word.to_le_bytes());
        }
        bytes
    }
}

/// What is behind the last slash in `word`, the end of a path as a little-endian word, NULs in front of a shorter one.
#[inline(always)]
pub fn last_component(word: u64) -> u64 {
    match bytes_like(word, 0x2f2f_2f2f_2f2f_2f2f) {
        0 => word,
        slashes => after_last(word, slashes),
    }
}

/// 0x80 in every byte of `word` that is a dot, 0 in all others.
#[inline(always)]
fn dots(word: u64) -> u64 {
    bytes_like(word, 0x2e2e_2e2e_2e2e_2e2e)
}

/// 0x80 in every byte of `word` that is that of `pattern`, 0 in all others.
#[inline(always)]
fn bytes_like(word: u64, pattern: u64) -> u64 {
    const LOW7: u64 = 0x7f7f_7f7f_7f7f_7f7f;
    let zero_where_like = word ^ pattern;
    !(((zero_where_like & LOW7) + LOW7) | zero_where_like | LOW7)
}

/// `word` without the last (highest) of its dots and everything before it.
#[inline(always)]
fn after_last(word: u64, dots: u64) -> u64 {
    // Smear the highest mark down, then widen each 0x80 to 0xff: the bytes to drop.
    let mut marks = dots;
    marks |= marks >> 8;
    marks |= marks >> 16;
    marks |= marks >> 32;
    word & !(marks | (marks - (marks >> 7)))
}

fn word(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tail(name: &str) -> Option<SuffixKey> {
        let mut tail = [0u8; 16];
        let bytes = name.as_bytes();
        let bytes = &bytes[bytes.len().saturating_sub(16)..];
        tail[16 - bytes.len()..].copy_from_slice(bytes);
        let (low, high) = tail.split_at(8);
        SuffixKey::from_tail(word(low), word(high))
    }

    #[test]
    fn a_suffix_is_what_follows_the_last_dot_whatever_its_place_and_case() {
        for (name, suffix) in [
            ("model.safetensors", "safetensors"),
            ("MODEL-00001-of-00002.SafeTensors", "safetensors"),
            ("a.b.c.gguf", "gguf"),
            (".pt", "pt"),
            ("x.123456789012345", "123456789012345"),
            ("1234567.8", "8"),
            ("12345678.9abcdef0", "9abcdef0"),
        ] {
            assert_eq!(tail(name), SuffixKey::new(suffix), "{name}");
            assert!(SuffixKey::new(suffix).is_some());
        }
    }

    #[test]
    fn the_last_component_is_what_is_behind_the_last_slash() {
        for (end, component) in
            [("ed/agent", "agent"), ("/a/b/cde", "cde"), ("whatever", "whatever"), ("agent", "agent")]
        {
            let mut bytes = [0; 8];
            bytes[8 - end.len()..].copy_from_slice(end.as_bytes());
            let mut expected = [0; 8];
            expected[8 - component.len()..].copy_from_slice(component.as_bytes());
            assert_eq!(last_component(word(&bytes)), word(&expected), "{end}");
        }
    }

    #[test]
    fn what_has_no_suffix_gets_no_key() {
        assert_eq!(tail("model"), None);
        assert_eq!(tail("x.1234567890123456"), None, "16 bytes are too long");
        assert_ne!(tail("model.safetensors.json"), SuffixKey::new("safetensors"));
        assert_eq!(SuffixKey::new(""), None);
        assert_eq!(SuffixKey::new("tar.gz"), None);
        assert_eq!(SuffixKey::new("1234567890123456"), None);
    }

    #[test]
    fn a_name_is_hinted_at_by_its_last_eight_bytes() {
        for name in ["a", "Token", "12345678", "credentials", "0123456789012345678901234567890"] {
            let key = NameKey::new(name).unwrap();
            let mut tail = [0u8; 8];
            let last = &name.as_bytes()[name.len().saturating_sub(8)..];
            tail[8 - last.len()..].copy_from_slice(last);
            assert_eq!(key.hint(), tail_hint(word(&tail)), "{name}");
            assert_eq!(key.length(), name.len());
        }
    }

    #[test]
    fn a_filter_has_what_was_added() {
        let mut filter = Filter::ZERO;
        let words = [0, 1, u64::MAX, 0x2020_2020_2020_2020, 0x7473_6e65_7472_6f73];
        for (index, word) in words.into_iter().enumerate() {
            filter.insert(word);
            assert!(words[..=index].iter().all(|word| filter.may_contain(*word)));
        }
        assert!((0..1000).any(|word| !filter.may_contain(word)), "it filters");
    }

    #[test]
    fn names_fold_case_and_keep_length() {
        assert_eq!(NameKey::new("Token"), NameKey::new("tOKEN"));
        assert_ne!(NameKey::new("token"), NameKey::new("token1"));
        assert_eq!(NameKey::new(""), None);
        assert_eq!(NameKey::new("a/b"), None);
        let longest = core::str::from_utf8(&[b'x'; NAME_MAX]).unwrap();
        assert!(NameKey::new(longest).is_some());
        let too_long = core::str::from_utf8(&[b'x'; NAME_MAX + 1]).unwrap();
        assert_eq!(NameKey::new(too_long), None);
    }
}
