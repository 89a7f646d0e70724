//! Whether an open is of interest: by the file's name, its suffix, the directories it is in, or its inode.
//!
//! This runs for every open on the machine. One read of a dentry gets all that is needed of it, and the bit masks of
//! [`Classifier`] spare the look-ups of names that cannot be in a table.

use crate::globals::{offset, read};
use aya_ebpf::{
    btf_maps::{Array, HashMap},
    macros::btf_map,
};
use sensor_common::classify::{self, Classifier, DIRECTORY_DEPTH, InodeKey, NAME_MAX, NameKey, SuffixKey};

#[btf_map]
static CLASSIFIER: Array<Classifier, 1> = Array::new();
#[btf_map]
static SUFFIXES: HashMap<SuffixKey, u32, { classify::SUFFIXES as usize }> = HashMap::new();
#[btf_map]
static NAMES: HashMap<NameKey, u32, { classify::NAMES as usize }> = HashMap::new();
#[btf_map]
static DIRECTORIES: HashMap<NameKey, u32, { classify::NAMES as usize }> = HashMap::new();
#[btf_map]
static WATCHED: HashMap<InodeKey, u32, { classify::WATCHED as usize }> = HashMap::new();

/// `parent`, `d_name` and `d_inode` of a `struct dentry`, which lie side by side since 2.6.38.
#[repr(C)]
#[derive(Clone, Copy)]
struct Dentry {
    parent: u64,
    /// `struct qstr`: hash in the low half, length in the high half.
    hash_length: u64,
    name: u64,
}

impl Dentry {
    #[inline(always)]
    fn read(dentry: u64) -> Dentry {
        // Constants: one of the two branches is dropped at load.
        if offset!(dentry_name_len) == offset!(dentry_parent) + 12
            && offset!(dentry_name) == offset!(dentry_parent) + 16
        {
            return read(dentry + offset!(dentry_parent));
        }
        Dentry {
            parent: read(dentry + offset!(dentry_parent)),
            hash_length: read::<u64>(dentry + offset!(dentry_name_len)) << 32,
            name: read(dentry + offset!(dentry_name)),
        }
    }

    #[inline(always)]
    fn length(self) -> u64 {
        self.hash_length >> 32
    }

    /// Its classes in `table`, whose lengths are `lengths`.
    #[inline(always)]
    fn look_up<const N: usize>(self, table: &HashMap<NameKey, u32, N>, lengths: u64) -> u32 {
        let length = self.length();
        if length > NAME_MAX as u64 || lengths >> (length & 63) & 1 == 0 {
            return 0;
        }
        // Names of up to 31 bytes lie in the dentry itself (`DNAME_INLINE_LEN` is 32 or more on 64-bit kernels), so that 32
        // bytes can be read whatever the length.
        let mut words: [u64; 4] = read(self.name);
        mask_behind(&mut words, length);
        classes(table.get_ptr(NameKey::from_words(words)))
    }

    /// The key of its suffix.
    #[inline(always)]
    fn suffix(self) -> Option<SuffixKey> {
        let length = self.length();
        if length >= 16 {
            let [low, high]: [u64; 2] = read(self.name + length - 16);
            return SuffixKey::from_tail(low, high);
        }
        let [low, high]: [u64; 2] = read(self.name);
        // Move the name's end to the end of the 16 bytes.
        let shift = (16 - length) * 8;
        match shift {
            0 => SuffixKey::from_tail(low, high),
            1..=63 => SuffixKey::from_tail(low << (shift & 63), high << (shift & 63) | low >> ((64 - shift) & 63)),
            _ => SuffixKey::from_tail(0, low << ((shift - 64) & 63)),
        }
    }
}

/// Zeroes what lies behind `length` bytes.
#[inline(always)]
fn mask_behind(words: &mut [u64; 4], length: u64) {
    for (index, word) in words.iter_mut().enumerate() {
        let start = index as u64 * 8;
        if length <= start {
            *word = 0;
        } else if length < start + 8 {
            *word &= !(u64::MAX << ((length - start) * 8 & 63));
        }
    }
}

#[inline(always)]
fn classes(entry: Option<*const u32>) -> u32 {
    // SAFETY: a value of a preallocated hash map: it may be replaced while it is read, but stays readable.
    entry.map_or(0, |classes| unsafe { *classes })
}

/// The classes of an open file (`struct file *`); 0 if it is of no interest.
#[inline(always)]
pub fn of_file(file: u64) -> u32 {
    let Some(classifier) = CLASSIFIER.get_ptr(0) else { return 0 };
    // SAFETY: the one element of an array map.
    let Classifier { name_lengths, directory_lengths, inodes } = unsafe { *classifier };

    let leaf = Dentry::read(read(file + offset!(file_dentry)));
    let mut found = leaf.look_up(&NAMES, name_lengths);
    if let Some(key) = leaf.suffix() {
        found |= classes(SUFFIXES.get_ptr(key));
    }
    if inodes != 0 {
        found |= of_inode(read(file + offset!(file_inode)));
    }
    if directory_lengths != 0 {
        found |= of_directories(file, leaf.parent, directory_lengths);
    }
    found
}

#[inline(always)]
fn of_inode(inode: u64) -> u32 {
    let superblock: u64 = read(inode + offset!(inode_sb));
    let key =
        InodeKey { inode: read(inode + offset!(inode_ino)), device: read(superblock + offset!(sb_dev)), reserved: 0 };
    classes(WATCHED.get_ptr(key))
}

/// The classes of the directories above, across the first mount on the way: a volume is often mounted on the very
/// directory that a rule names.
#[inline(always)]
fn of_directories(file: u64, parent: u64, lengths: u64) -> u32 {
    let mut found = 0;
    let mut dentry = parent;
    let mut crossed = false;
    for _ in 0..DIRECTORY_DEPTH {
        let directory = Dentry::read(dentry);
        if directory.parent == dentry {
            if crossed {
                break;
            }
            crossed = true;
            let mount = read::<u64>(file + offset!(file_mnt)) - offset!(mount_mnt);
            dentry = read(mount + offset!(mount_mountpoint));
            continue;
        }
        found |= directory.look_up(&DIRECTORIES, lengths);
        dentry = directory.parent;
    }
    found
}
