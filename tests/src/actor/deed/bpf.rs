//! bpf(2): a program of its own, and somebody else's maps and links, by their ids.

use super::{Done, What};
use crate::Context;
use crate::actor::open::owned;
use serde_json::{Value, json};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

// enum bpf_cmd (include/uapi/linux/bpf.h)
const MAP_DELETE_ELEM: i64 = 3;
const MAP_GET_NEXT_KEY: i64 = 4;
const PROG_LOAD: i64 = 5;
const PROG_GET_NEXT_ID: i64 = 11;
const MAP_GET_NEXT_ID: i64 = 12;
const PROG_GET_FD_BY_ID: i64 = 13;
const MAP_GET_FD_BY_ID: i64 = 14;
const OBJ_GET_INFO_BY_FD: i64 = 15;
const LINK_GET_FD_BY_ID: i64 = 30;
const LINK_GET_NEXT_ID: i64 = 31;
const LINK_DETACH: i64 = 34;

/// `BPF_PROG_TYPE_SOCKET_FILTER`
const SOCKET_FILTER: u32 = 1;
/// Places of names in `struct bpf_prog_info` and `struct bpf_map_info`, bytes; each has 16 bytes (`BPF_OBJ_NAME_LEN`).
const PROGRAM_NAME: usize = 64;
const MAP_NAME: usize = 24;
/// Places of `map_info.key_size` and `link_info.prog_id`, bytes.
const KEY_SIZE: usize = 8;
const LINK_PROGRAM: usize = 8;

/// `union bpf_attr`, and what it is filled with. All places are multiples of four.
#[repr(C, align(8))]
struct Words([u32; 32]);

impl Words {
    fn of(words: &[u32]) -> Words {
        let mut all = [0; 32];
        all.iter_mut().zip(words).for_each(|(place, word)| *place = *word);
        Words(all)
    }

    fn word(&self, place: usize) -> u32 {
        self.0.get(place / 4).copied().unwrap_or_default()
    }

    fn name(&self, place: usize) -> String {
        let words = self.0.get(place / 4..place / 4 + 4).unwrap_or_default();
        let bytes = words.iter().flat_map(|word| word.to_ne_bytes()).take_while(|byte| *byte != 0);
        String::from_utf8_lossy(&bytes.collect::<Vec<_>>()).into_owned()
    }

    /// Both halves of an address.
    fn address<T>(of: *const T) -> [u32; 2] {
        let address = of.expose_provenance() as u64;
        let halves = [address as u32, (address >> 32) as u32];
        if cfg!(target_endian = "big") { [halves[1], halves[0]] } else { halves }
    }
}

/// # Safety
/// Addresses in `attributes` are 0, or valid for as many bytes as the command reads or writes there.
unsafe fn bpf(command: i64, attributes: &mut Words) -> io::Result<i64> {
    // SAFETY: the attributes are of the size given and live through the call; for addresses in them the caller vouches.
    match unsafe { libc::syscall(libc::SYS_bpf, command, &raw mut *attributes, size_of::<Words>()) } {
        ..0 => Err(io::Error::last_os_error()),
        done => Ok(done),
    }
}

/// Loads a program of two instructions: `return 0`.
pub fn load(name: &str) -> io::Result<Done> {
    let program: [u64; 2] = [0xb7, 0x95];
    let license = c"GPL";
    let mut attributes = Words::of(&[SOCKET_FILTER, 2]);
    attributes.0[2..4].copy_from_slice(&Words::address(program.as_ptr()));
    attributes.0[4..6].copy_from_slice(&Words::address(license.as_ptr()));
    let mut chosen = [0; 16];
    chosen.iter_mut().take(15).zip(name.bytes()).for_each(|(place, byte)| *place = byte);
    for (place, bytes) in attributes.0[12..16].iter_mut().zip(chosen.chunks_exact(4)) {
        *place = bytes.try_into().map_or(0, u32::from_ne_bytes);
    }
    // SAFETY: the program has two instructions, the licence ends with NUL; both live through the call and are only read.
    match unsafe { bpf(PROG_LOAD, &mut attributes) } {
        Err(error) if matches!(error.raw_os_error(), Some(libc::EPERM | libc::ENOSYS)) => {
            return Ok(Err(format!("the kernel loads no programs: {error}")));
        }
        program => drop(owned(program?)?),
    }
    Ok(Ok(vec![json!({
        "weir.event.kind": "bpf",
        "weir.bpf.command": "prog_load",
        "weir.bpf.object": null,
        "weir.bpf.object.id": null,
        "weir.bpf.own": false,
        "weir.bpf.program.type": SOCKET_FILTER,
        "weir.bpf.program.name": name,
    })]))
}

/// Takes the object of that id, and then deletes a map's first key, or detaches a link. The truth takes it for the sensor's own.
pub fn touch(what: What, id: u32) -> io::Result<Done> {
    let (by_id, object) = match what {
        What::BpfLinkDetach => (LINK_GET_FD_BY_ID, "link"),
        _ => (MAP_GET_FD_BY_ID, "map"),
    };
    let descriptor = by_its_id(by_id, id).context(|| format!("{object} {id}"))?;
    let number = descriptor.as_raw_fd().cast_unsigned();
    let mut commands = vec![format!("{object}_get_fd_by_id")];
    if what == What::BpfLinkDetach {
        // SAFETY: no addresses.
        unsafe { bpf(LINK_DETACH, &mut Words::of(&[number])) }.context(|| format!("detaching link {id}"))?;
        commands.push("link_detach".into());
    }
    if what == What::BpfMapDeleteElem {
        let length = usize::try_from(information(&descriptor)?.word(KEY_SIZE)).unwrap_or(usize::MAX);
        let mut key = vec![0u8; length.min(4096)];
        let mut attributes = Words::of(&[number]);
        attributes.0[4..6].copy_from_slice(&Words::address(key.as_mut_ptr()));
        // SAFETY: `key` has room for a key of the map. Of no key the next is the first.
        unsafe { bpf(MAP_GET_NEXT_KEY, &mut attributes) }.context(|| format!("map {id} has no first key"))?;
        let mut attributes = Words::of(&[number]);
        attributes.0[2..4].copy_from_slice(&Words::address(key.as_ptr()));
        // SAFETY: as above.
        unsafe { bpf(MAP_DELETE_ELEM, &mut attributes) }.context(|| format!("deleting a key of map {id}"))?;
        commands.push("map_delete_elem".into());
    }
    let truth = |command| {
        json!({
            "weir.event.kind": "bpf",
            "weir.bpf.command": command,
            "weir.bpf.object": object,
            "weir.bpf.object.id": id,
            "weir.bpf.own": true,
            "weir.bpf.program.type": null,
            "weir.bpf.program.name": null,
        })
    };
    Ok(Ok(commands.into_iter().map(truth).collect()))
}

/// Ids of all that has that name: `programs`, `maps`, and the `links` of such programs. The kernel keeps 15 characters of it.
pub fn find(name: &str) -> io::Result<Value> {
    let wanted: String = name.chars().take(15).collect();
    let named = |next, by_id, place| -> io::Result<Vec<u32>> {
        let all = all(next, by_id)?;
        Ok(all.into_iter().filter(|(_, info)| info.name(place) == wanted).map(|(id, _)| id).collect())
    };
    let programs = named(PROG_GET_NEXT_ID, PROG_GET_FD_BY_ID, PROGRAM_NAME)?;
    let maps = named(MAP_GET_NEXT_ID, MAP_GET_FD_BY_ID, MAP_NAME)?;
    let links = all(LINK_GET_NEXT_ID, LINK_GET_FD_BY_ID)?;
    let links = links.into_iter().filter(|(_, info)| programs.contains(&info.word(LINK_PROGRAM))).map(|(id, _)| id);
    let links: Vec<u32> = links.collect();
    Ok(json!({ "programs": programs, "maps": maps, "links": links }))
}

/// Each object that there is, with its id. One that goes meanwhile is passed over.
fn all(next: i64, by_id: i64) -> io::Result<Vec<(u32, Words)>> {
    let (mut found, mut id) = (Vec::new(), 0);
    loop {
        let mut attributes = Words::of(&[id]);
        // SAFETY: no addresses.
        match unsafe { bpf(next, &mut attributes) } {
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => return Ok(found),
            done => done?,
        };
        id = attributes.word(4);
        match by_its_id(by_id, id) {
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => {}
            object => found.push((id, information(&object?)?)),
        }
    }
}

fn by_its_id(command: i64, id: u32) -> io::Result<OwnedFd> {
    // SAFETY: no addresses.
    owned(unsafe { bpf(command, &mut Words::of(&[id])) }?)
}

/// The first 128 bytes of `struct bpf_prog_info`, `bpf_map_info` or `bpf_link_info`.
fn information(object: &OwnedFd) -> io::Result<Words> {
    let mut info = Words::of(&[]);
    let mut attributes = Words::of(&[object.as_raw_fd().cast_unsigned(), size_of::<Words>() as u32]);
    attributes.0[2..4].copy_from_slice(&Words::address(&raw mut info));
    // SAFETY: `info` has the length given; it is empty, so that the kernel follows no address in it.
    unsafe { bpf(OBJ_GET_INFO_BY_FD, &mut attributes) }?;
    Ok(info)
}
