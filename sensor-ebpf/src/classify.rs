//! Whether an open is of interest: by the file's name, its suffix, the directories it is in, or its inode.
//!
//! This runs for every open on the machine and is written for speed: where the verifier knows the type of the file pointer,
//! everything is a plain load, and filters spare nearly all look-ups of what is in no table.

use crate::files::I_CTIME_QUERIED;
use crate::globals::{bounded, get, offset, read, task_load};
use crate::label::{self, key_of};
use aya_ebpf::{
    btf_maps::{Array, HashMap, LruHashMap},
    macros::btf_map,
};
use sensor_common::classify::{
    self, CLASSES, Classifier, DIRECTORY_DEPTH, InodeKey, LookKey, NAME_MAX, NameKey, SuffixKey, tail_hint,
};
use sensor_common::record::File;

#[btf_map]
static CLASSIFIER: Array<Classifier, 1> = Array::new();
#[btf_map]
static SUFFIXES: HashMap<SuffixKey, u32, { classify::SUFFIXES as usize }> = HashMap::new();
#[btf_map]
static NAMES: HashMap<NameKey, u32, { classify::NAMES as usize }> = HashMap::new();
#[btf_map]
static DIRECTORIES: HashMap<NameKey, u32, { classify::NAMES as usize }> = HashMap::new();
/// When the file had last changed (ctime, nanoseconds since the epoch) that was sent for a look, or that was looked at.
#[btf_map]
static LOOKED_AT: LruHashMap<LookKey, u64, { classify::LOOKED_AT as usize }> = LruHashMap::new();
#[btf_map]
static WATCHED: HashMap<InodeKey, u32, { classify::WATCHED as usize }> = HashMap::new();

/// Words of a name that lies in its dentry: `DNAME_INLINE_LEN` is 32 or more on 64-bit kernels, so that all names of up to
/// [`NAME_MAX`] bytes and their NUL do (`__d_alloc`, fs/dcache.c).
const INLINE_WORDS: usize = 4;

/// The name of a dentry (`struct dentry *`).
#[derive(Clone, Copy)]
struct Name<const TYPED: bool> {
    dentry: u64,
    length: u64,
}

impl<const TYPED: bool> Name<TYPED> {
    #[inline(always)]
    fn of(dentry: u64) -> Self {
        Name { dentry, length: u64::from(get::<TYPED, u32>(dentry, offset!(dentry_name_len))) }
    }

    /// The whole of a name of at most [`NAME_MAX`] bytes; what follows it is zeroed.
    #[inline(always)]
    fn words(self) -> [u64; INLINE_WORDS] {
        let place = offset!(dentry_short_name);
        let mut words = if TYPED {
            [
                get::<TYPED, u64>(self.dentry, place),
                get::<TYPED, u64>(self.dentry, place + 8),
                get::<TYPED, u64>(self.dentry, place + 16),
                get::<TYPED, u64>(self.dentry, place + 24),
            ]
        } else {
            read(self.dentry + place)
        };
        cut(&mut words, self.length);
        words
    }

    /// The last 16 bytes, with NULs in front of a shorter name.
    #[inline(always)]
    fn tail(self) -> [u64; 2] {
        let length = self.length;
        if length > NAME_MAX as u64 {
            let name: u64 = get::<TYPED, u64>(self.dentry, offset!(dentry_name));
            return read(name + length - 16);
        }
        tail_of(self.words(), length)
    }
}

/// The last 16 bytes of a name of at most [`NAME_MAX`] bytes, with NULs in front of a shorter one.
#[inline(always)]
fn tail_of(words: [u64; INLINE_WORDS], length: u64) -> [u64; 2] {
    // Which word has the last byte, and the two before it.
    let [before, middle, last] = if length <= 8 {
        [0, 0, words[0]]
    } else if length <= 16 {
        [0, words[0], words[1]]
    } else if length <= 24 {
        [words[0], words[1], words[2]]
    } else {
        [words[1], words[2], words[3]]
    };
    // Bits by which the last byte is short of the end of its word.
    let shift = 64u64.wrapping_sub(length * 8) & 63;
    if shift == 0 {
        return [middle, last];
    }
    let back = (64 - shift) & 63;
    [middle << shift | before >> back, last << shift | middle >> back]
}

/// `words`, with what is behind `length` bytes zeroed.
#[inline(always)]
fn cut(words: &mut [u64; INLINE_WORDS], length: u64) {
    for (index, word) in words.iter_mut().enumerate() {
        let start = index as u64 * 8;
        if length <= start {
            *word = 0;
        } else if length < start + 8 {
            *word &= !(u64::MAX << (((length - start) * 8) & 63));
        }
    }
}

#[inline(always)]
fn classes(entry: Option<*const u32>) -> u32 {
    // SAFETY: a value of a preallocated hash map: it may be replaced while it is read, but stays readable.
    entry.map_or(0, |classes| unsafe { *classes })
}

/// Not a class of content, but of what is to be looked at: a file of the name `mem`. The agent asks for it where the memory of
/// processes is watched by opens.
pub const PROC_MEM: u32 = sensor_common::classify::PROC_MEM;
/// Not a class either: a file that is large enough to be of interest.
pub const CANDIDATE: u32 = sensor_common::classify::CANDIDATE;
/// Nor this: a file that carries what somebody wrote to it.
pub const CARRIES: u32 = sensor_common::classify::CARRIES;
/// Type of a file in `i_mode`, and that of a regular one (include/uapi/linux/stat.h).
pub const S_IFMT: u32 = 0o170_000;
pub const S_IFREG: u32 = 0o100_000;

/// The classes of an open file (`struct file *`) whose type the verifier knows; 0 if it is of no interest.
#[inline(always)]
pub fn of_typed_file(file: u64) -> u32 {
    let dentry: u64 = get::<true, u64>(file, offset!(file_dentry));
    let inode: u64 = get::<true, u64>(file, offset!(file_inode));
    match of_place::<true>(dentry, inode, || get::<true, u64>(file, offset!(file_mnt))) {
        0 if may_grow::<true>(file) => CANDIDATE,
        found => found,
    }
}

/// The classes of an open file (`struct file *`); 0 if it is of no interest.
#[inline(always)]
pub fn of_file(file: u64) -> u32 {
    match of_dentry(read(file + offset!(file_dentry)), read(file + offset!(file_mnt))) {
        0 if may_grow::<false>(file) => CANDIDATE,
        found => found,
    }
}

/// The classes of a name and of the file that it leads to. A function of its own in the object: most hooks call it.
#[inline(never)]
pub fn of_dentry(dentry: u64, mount: u64) -> u32 {
    of_place::<false>(dentry, read(dentry + offset!(dentry_inode)), || mount)
}

#[inline(always)]
fn of_place<const TYPED: bool>(dentry: u64, inode: u64, mount: impl FnOnce() -> u64) -> u32 {
    let Some(classifier) = CLASSIFIER.get_ptr(0) else { return 0 };
    // SAFETY: the one element of an array map; the agent may be writing it, and then tells nothing new before it is done.
    let classifier = unsafe { &*classifier };

    let name = Name::<TYPED>::of(dentry);
    let [low, high] = name.tail();
    let mut found = of_suffix(classifier, low, high);
    if name.length <= NAME_MAX as u64 && classifier.names.may_contain(tail_hint(high)) {
        found |= classes(NAMES.get_ptr(NameKey::from_words(name.words())));
    }
    let key = key_of::<TYPED>(inode);
    if classifier.inodes != 0 {
        found |= classes(WATCHED.get_ptr(key));
    }
    if classifier.directory_lengths != 0 {
        found |= of_directories::<TYPED>(mount, dentry, classifier.directory_lengths);
    }
    if found & CLASSES == 0 && label::carried(&key).is_some() {
        found |= CARRIES;
    }
    if found & CLASSES == 0
        && classifier.candidate_size != 0
        && get::<TYPED, u64>(inode, offset!(inode_size)) >= classifier.candidate_size
        && u32::from(get::<TYPED, u16>(inode, offset!(inode_mode))) & S_IFMT == S_IFREG
        && !is_settled::<TYPED>(inode)
    {
        return found | CANDIDATE;
    }
    found
}

/// Whether somebody has looked into the file, as it is now, and found nothing. Asked before anything else is read of it: most
/// opens of large files end here.
#[inline(always)]
fn is_settled<const TYPED: bool>(inode: u64) -> bool {
    let superblock: u64 = get::<TYPED, u64>(inode, offset!(inode_sb));
    let key = LookKey {
        inode: get::<TYPED, u64>(inode, offset!(inode_ino)),
        device: get::<TYPED, u32>(superblock, offset!(sb_dev)),
        asker: 0,
    };
    // Not by type: before 6.11 the nanoseconds are half of a larger field.
    let seconds: u64 = read(inode + offset!(inode_ctime_seconds));
    let nanoseconds = read::<u32>(inode + offset!(inode_ctime_nanoseconds)) & !I_CTIME_QUERIED;
    is_that(LOOKED_AT.get_ptr(key), seconds * 1_000_000_000 + u64::from(nanoseconds))
}

/// A file is new: what was known of the content of the one that had its number before is forgotten. What that was.
#[inline(always)]
pub fn forget(key: &InodeKey) -> u32 {
    let found = classes(WATCHED.get_ptr(key));
    if found != 0 {
        let _ = WATCHED.remove(key);
    }
    found
}

/// Whether a file of these facts, as it is now, is to be sent for a look at its content: this process has not asked. From now on
/// it has. The agent keeps the answer for all; until then each process counts, for any may be the thief.
#[inline(always)]
pub fn is_new(file: &File, process: u32, reads: bool) -> bool {
    let key = LookKey { inode: file.inode, device: file.device, asker: LookKey::asker(process, reads) };
    let changed = file.changed_seconds as u64 * 1_000_000_000 + u64::from(file.changed_nanoseconds);
    if is_that(LOOKED_AT.get_ptr(key), changed) {
        return false;
    }
    // If there is no room it is looked at again, which costs little.
    let _ = LOOKED_AT.insert(key, changed, 0);
    true
}

#[inline(always)]
fn is_that(entry: Option<*const u64>, changed: u64) -> bool {
    // SAFETY: the value of a hash map: it may be replaced while it is read, but stays readable.
    entry.is_some_and(|at| unsafe { *at } == changed)
}

/// Whether an open of a file that no key matches is for a look all the same: what a process opens to read and to write may be
/// small or empty now, and hold weights when it is read over this very descriptor.
#[inline(always)]
fn may_grow<const TYPED: bool>(file: u64) -> bool {
    const O_ACCMODE: u32 = 3;
    const O_RDWR: u32 = 2;
    if get::<TYPED, u32>(file, offset!(file_flags)) & O_ACCMODE != O_RDWR {
        return false;
    }
    let Some(classifier) = CLASSIFIER.get_ptr(0) else { return false };
    // SAFETY: as in `of_place`.
    let looks = unsafe { (*classifier).candidate_size } != 0;
    let inode: u64 = get::<TYPED, u64>(file, offset!(file_inode));
    looks && u32::from(get::<TYPED, u16>(inode, offset!(inode_mode))) & S_IFMT == S_IFREG
}

#[inline(always)]
fn of_suffix(classifier: &Classifier, low: u64, high: u64) -> u32 {
    match SuffixKey::from_tail(low, high) {
        Some(key) if classifier.suffixes.may_contain(key.hint()) => classes(SUFFIXES.get_ptr(key)),
        _ => 0,
    }
}

/// The classes of a path that is only known as text: of its last component, the directories do not count. `text` is a kernel
/// address, `length` its bytes without the NUL.
#[inline(never)]
pub fn of_text(text: u64, length: u64) -> u32 {
    const WINDOW: usize = NAME_MAX + 1;
    let Some(classifier) = CLASSIFIER.get_ptr(0) else { return 0 };
    // SAFETY: as above.
    let classifier = unsafe { &*classifier };
    // The last component, if it is short enough to be a name that is looked for; else its end. Without a branch for each byte,
    // of which the verifier would follow all combinations.
    let seen = if length < WINDOW as u64 { length } else { WINDOW as u64 };
    let bytes: [u8; WINDOW] = read(text + length - seen);
    let mut start = 0;
    for index in 0..WINDOW {
        // SAFETY: within the array; volatile, so that the loop stays one of bytes.
        let byte = u64::from(unsafe { core::ptr::read_volatile(bytes.as_ptr().add(index)) });
        let is_slash = bounded::<1>((byte ^ u64::from(b'/')).wrapping_sub(1) >> 63);
        start += is_slash * (index as u64 + 1 - start);
    }
    // Zeroes behind a short text are no slashes.
    let whole = start > 0 || length == seen;
    let window = bounded::<63>(seen - start);
    let mut words: [u64; INLINE_WORDS] = read(text + length - window);
    cut(&mut words, window);
    let tail = if window > NAME_MAX as u64 { read(text + length - 16) } else { tail_of(words, window) };
    let mut found = of_suffix(classifier, tail[0], tail[1]);
    if whole && window <= NAME_MAX as u64 && classifier.names.may_contain(tail_hint(tail[1])) {
        found |= classes(NAMES.get_ptr(NameKey::from_words(words)));
    }
    found
}

/// The classes of the directories above.
#[inline(always)]
fn of_directories<const TYPED: bool>(mount: impl FnOnce() -> u64, dentry: u64, lengths: u64) -> u32 {
    let (mut found, at_root) = above::<TYPED>(dentry, lengths);
    // A volume is often mounted on the very directory that a rule names: look across one mount, unless it is the root of
    // the process, which most files are in.
    if at_root {
        let mount = mount();
        let root: u64 = {
            let fs: u64 = task_load(offset!(task_fs));
            read(fs + offset!(fs_root_mnt))
        };
        if mount != root {
            let point: u64 = read(mount - offset!(mount_mnt) + offset!(mount_mountpoint));
            found |= directory::<false>(point, lengths) | above::<false>(point, lengths).0;
        }
    }
    found
}

/// The classes of the directories above `dentry` in its mount, and whether the mount's file system's root was reached.
#[inline(always)]
fn above<const TYPED: bool>(dentry: u64, lengths: u64) -> (u32, bool) {
    let mut found = 0;
    let mut below = dentry;
    for _ in 0..DIRECTORY_DEPTH {
        let parent: u64 = get::<TYPED, u64>(below, offset!(dentry_parent));
        if parent == below {
            return (found, true);
        }
        found |= directory::<TYPED>(parent, lengths);
        below = parent;
    }
    (found, false)
}

/// The classes of a directory's name.
#[inline(always)]
fn directory<const TYPED: bool>(dentry: u64, lengths: u64) -> u32 {
    let name = Name::<TYPED>::of(dentry);
    if name.length > NAME_MAX as u64 || lengths >> (name.length & 63) & 1 == 0 {
        return 0;
    }
    classes(DIRECTORIES.get_ptr(NameKey::from_words(name.words())))
}
