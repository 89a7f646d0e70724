//! What a descriptor stands for, as far as it can carry content from one process to another.

use crate::classify::{S_IFMT, S_IFREG};
use crate::globals::{bounded, get, offset, read, read_user};
use crate::scratch::{Tail, Text};
use sensor_common::classify::{InodeKey, last_component};
use sensor_common::config::ABSENT;
use sensor_common::label::{COOKIE, Carrier, NAMED, NOT_ACCEPTED};

/// Types of a file in `i_mode` (include/uapi/linux/stat.h).
const S_IFIFO: u32 = 0o010_000;
const S_IFBLK: u32 = 0o060_000;
const S_IFSOCK: u32 = 0o140_000;

/// Families of sockets (include/linux/socket.h).
pub const AF_UNIX: u16 = 1;
pub const AF_INET: u16 = 2;
pub const AF_INET6: u16 = 10;

/// Magic numbers of file systems (include/uapi/linux/magic.h) whose files are no content: `PROC_SUPER_MAGIC`, `SYSFS_MAGIC`,
/// `CGROUP_SUPER_MAGIC`, `CGROUP2_SUPER_MAGIC`, `DEBUGFS_MAGIC`, `TRACEFS_MAGIC`, `SECURITYFS_MAGIC`.
const PROC: u32 = 0x9fa0;
const SYSFS: u32 = 0x6265_6572;
const CGROUP: u32 = 0x0027_e0eb;
const CGROUP2: u32 = 0x6367_7270;
const DEBUGFS: u32 = 0x6462_6720;
const TRACEFS: u32 = 0x7472_6163;
const SECURITYFS: u32 = 0x7363_6673;
/// Those whose files are in memory only: `TMPFS_MAGIC`, `HUGETLBFS_MAGIC`, `RAMFS_MAGIC`.
const TMPFS: u32 = 0x0102_1994;
const HUGETLBFS: u32 = 0x9584_58f6;
const RAMFS: u32 = 0x8584_58f6;

/// Something that can carry content.
pub struct Object {
    /// Key of the map `CARRIERS`.
    pub key: InodeKey,
    /// A [`Carrier`]; 0 if it carries nothing.
    pub carrier: u32,
    /// Its `struct inode *`, 0 if it has none.
    pub inode: u64,
}

/// Key and type of an inode (`struct inode *`). `TYPED`: the verifier knows the type of the pointer.
#[inline(always)]
pub fn key_of<const TYPED: bool>(inode: u64) -> InodeKey {
    let superblock: u64 = get::<TYPED, u64>(inode, offset!(inode_sb));
    InodeKey {
        inode: get::<TYPED, u64>(inode, offset!(inode_ino)),
        device: get::<TYPED, u32>(superblock, offset!(sb_dev)),
        reserved: 0,
    }
}

/// Whether that inode is a socket.
#[inline(always)]
pub fn is_socket(mode: u32) -> bool {
    mode & S_IFMT == S_IFSOCK
}

/// The inner socket (`struct sock *`) of a file that is one, and its family.
#[inline(always)]
pub fn sock_of(file: u64) -> (u64, u16) {
    let socket: u64 = read(file + offset!(file_private));
    let sock: u64 = read(socket + offset!(socket_sk));
    (sock, read(sock + offset!(sock_family)))
}

/// The key of a unix socket that has been written to and that nobody had accepted yet; `device` 0 for other sockets.
#[inline(always)]
pub fn before_accept(file: u64) -> InodeKey {
    let (sock, family) = sock_of(file);
    InodeKey { inode: sock, device: if family == AF_UNIX { NOT_ACCEPTED } else { 0 }, reserved: 0 }
}

/// The key of a unix socket that is bound to a name, for datagrams that were sent to that name; `device` 0 if it has none.
///
/// The end of the last component only: a volume is mounted elsewhere in the next container. So it is a bound: sockets whose names end
/// alike are taken for one.
#[inline(always)]
pub fn by_own_name(file: u64) -> InodeKey {
    let (sock, family) = sock_of(file);
    if family != AF_UNIX || offset!(unix_dentry) == u64::from(ABSENT) {
        return InodeKey::ZERO;
    }
    let dentry: u64 = read(sock + offset!(unix_dentry));
    if dentry == 0 {
        return InodeKey::ZERO;
    }
    let length = u64::from(read::<u32>(dentry + offset!(dentry_name_len)));
    let name: u64 = read(dentry + offset!(dentry_name));
    InodeKey { inode: end_of(name, length), device: NAMED, reserved: 0 }
}

/// The last eight bytes of a string at a kernel address, NULs in front of a shorter one.
#[inline(always)]
fn end_of(text: u64, length: u64) -> u64 {
    if length >= 8 { read(text + length - 8) } else { read::<u64>(text) << (bounded::<7>(8 - length) * 8) }
}

/// The same of the name that a datagram is sent to: a `struct sockaddr_un` in the process's memory. Another of its threads can have changed
/// it since.
#[inline(always)]
pub fn by_name(tail: &Tail, address: u64) -> InodeKey {
    if read_user::<u16>(address) != AF_UNIX {
        return InodeKey::ZERO;
    }
    let (name, _) = tail.text(0, Text::User(address + 2));
    if name.len < 2 {
        return InodeKey::ZERO;
    }
    let end = end_of(tail.address(0), u64::from(name.len) - 1);
    InodeKey { inode: last_component(end), device: NAMED, reserved: 0 }
}

/// Whether the file of an inode is in memory only.
#[inline(always)]
pub fn is_in_memory(inode: u64) -> bool {
    let superblock: u64 = read(inode + offset!(inode_sb));
    matches!(read::<u64>(superblock + offset!(sb_magic)) as u32, TMPFS | HUGETLBFS | RAMFS)
}

/// Where that goes which is written to `file` (`struct file *`).
#[inline(always)]
pub fn receiver(file: u64, object: &mut Object) {
    let inode: u64 = read(file + offset!(file_inode));
    let mode = u32::from(read::<u16>(inode + offset!(inode_mode)));
    object.inode = inode;
    object.carrier = 0;
    object.key = key_of::<false>(inode);
    if mode & S_IFMT == S_IFREG {
        let superblock: u64 = read(inode + offset!(inode_sb));
        object.carrier = match read::<u64>(superblock + offset!(sb_magic)) as u32 {
            PROC | SYSFS | CGROUP | CGROUP2 | DEBUGFS | TRACEFS | SECURITYFS => 0,
            TMPFS | HUGETLBFS | RAMFS => Carrier::Memory as u32,
            _ => Carrier::File as u32,
        };
    } else if mode & S_IFMT == S_IFIFO {
        object.carrier = Carrier::Pipe as u32;
    } else if mode & S_IFMT == S_IFBLK {
        object.carrier = Carrier::Device as u32;
    } else if mode & S_IFMT == S_IFSOCK {
        of_socket(file, object);
    }
}

/// What kind of thing `file` is, a [`Carrier`], of one that has a label.
#[inline(never)]
pub fn carrier(file: u64) -> u32 {
    let mut object = Object { key: InodeKey::ZERO, carrier: 0, inode: 0 };
    receiver(file, &mut object);
    // A unix socket that others write to has no peer of its own; nothing else that has a label carries nothing.
    if object.carrier == 0 { Carrier::UnixSocket as u32 } else { object.carrier }
}

#[inline(always)]
fn of_socket(file: u64, object: &mut Object) {
    let (sock, family) = sock_of(file);
    if family == AF_INET || family == AF_INET6 {
        object.inode = 0;
        object.carrier = Carrier::InetSocket as u32;
        object.key = InodeKey { inode: read(sock + offset!(sock_cookie)), device: COOKIE, reserved: 0 };
        return;
    }
    if family != AF_UNIX || offset!(unix_peer) == u64::from(ABSENT) {
        return;
    }
    // Of a datagram socket without a peer it is not known here where it goes.
    let peer: u64 = read(sock + offset!(unix_peer));
    if peer == 0 {
        return;
    }
    object.carrier = Carrier::UnixSocket as u32;
    let socket: u64 = read(peer + offset!(sock_socket));
    let other: u64 = if socket == 0 { 0 } else { read(socket + offset!(socket_file)) };
    if other == 0 {
        object.inode = 0;
        object.key = InodeKey { inode: peer, device: NOT_ACCEPTED, reserved: 0 };
    } else {
        object.inode = read(other + offset!(file_inode));
        object.key = key_of::<false>(object.inode);
    }
}
