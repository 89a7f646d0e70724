use super::*;

/// Writes BTF: types are numbered from 1 in the order in which they are added.
#[derive(Default)]
struct Writer {
    types: Vec<u8>,
    strings: Vec<u8>,
}

impl Writer {
    fn string(&mut self, text: &str) -> u32 {
        if text.is_empty() {
            return 0;
        }
        if self.strings.is_empty() {
            self.strings.push(0);
        }
        let at = self.strings.len() as u32;
        self.strings.extend_from_slice(text.as_bytes());
        self.strings.push(0);
        at
    }

    fn add(&mut self, name: &str, kind: u32, len: usize, flag: bool, target: u32, extra: &[u32]) {
        let info = kind << 24 | len as u32 | u32::from(flag) << 31;
        for word in [self.string(name), info, target].iter().chain(extra) {
            self.types.extend_from_slice(&word.to_ne_bytes());
        }
    }

    fn members(&mut self, members: &[(&str, u32, u32)]) -> Vec<u32> {
        members.iter().flat_map(|(name, target, place)| [self.string(name), *target, *place]).collect()
    }

    fn structure(&mut self, name: &str, flag: bool, members: &[(&str, u32, u32)]) {
        let extra = self.members(members);
        self.add(name, KIND_STRUCT, members.len(), flag, 64, &extra);
    }

    fn finish(self) -> Vec<u8> {
        let mut bytes = MAGIC.to_ne_bytes().to_vec();
        bytes.extend_from_slice(&[1, 0]);
        let (types, strings) = (self.types.len() as u32, self.strings.len() as u32);
        for word in [24, 0, types, types, strings] {
            bytes.extend_from_slice(&u32::to_ne_bytes(word));
        }
        [bytes, self.types, self.strings].concat()
    }
}

/// 1 int, 2 const int, 3 typedef of 2, 4 struct inner, 5 anonymous union, 6 struct outer, 7 and 8 enums, 9 to 13 a
/// tracepoint, 14 a typedef of itself, 15 a struct that contains itself without a name, 16 a function.
fn sample() -> Vec<u8> {
    let mut writer = Writer::default();
    writer.add("int", 1, 0, false, 4, &[32]);
    writer.add("", KIND_CONST, 0, false, 1, &[]);
    writer.add("number", KIND_TYPEDEF, 0, false, 2, &[]);
    writer.structure("inner", false, &[("a", 1, 0), ("b", 3, 32)]);
    let union = writer.members(&[("left", 1, 0), ("nested", 4, 64)]);
    writer.add("", KIND_UNION, 2, false, 16, &union);
    writer.structure("outer", true, &[("first", 4, 0), ("", 5, 64), ("bits", 1, 3 << 24 | 256), ("odd", 1, 260)]);
    let values = [writer.string("ZERO_cgrp_id"), 0, writer.string("pids_cgrp_id"), 11];
    writer.add("cgroup_subsys_id", KIND_ENUM, 2, false, 4, &values);
    let value = [writer.string("LARGE"), 1, 2];
    writer.add("", KIND_ENUM64, 1, false, 8, &value);
    writer.add("", KIND_PTR, 0, false, 0, &[]);
    writer.add("", KIND_PTR, 0, false, 4, &[]);
    writer.add("", KIND_FUNC_PROTO, 4, false, 0, &[0, 9, 0, 9, 0, 10, 0, 3]);
    writer.add("", KIND_PTR, 0, false, 11, &[]);
    writer.add("btf_trace_happened", KIND_TYPEDEF, 0, false, 12, &[]);
    writer.add("endless", KIND_TYPEDEF, 0, false, 14, &[]);
    writer.structure("matryoshka", false, &[("", 15, 8), ("", 15, 8), ("loop", 14, 0)]);
    writer.add("do_it", KIND_FUNC, 0, false, 11, &[]);
    writer.finish()
}

#[test]
fn members_are_found_through_anonymous_ones_typedefs_and_paths() {
    let bytes = sample();
    let btf = Btf::parse(&bytes).unwrap();
    assert_eq!(btf.offset("inner", "b"), Ok(4));
    assert_eq!(btf.offset("outer", "first.b"), Ok(4));
    assert_eq!(btf.offset("outer", "left"), Ok(8));
    assert_eq!(btf.offset("outer", "nested.b"), Ok(20));
    assert!(btf.has_structure("outer") && !btf.has_structure("number") && !btf.has_structure(""));
    assert!(btf.has_typedef("number") && !btf.has_typedef("numb") && !btf.has_typedef("outer"));
    assert_eq!(btf.function("do_it"), Some(16));
    assert_eq!(btf.function("int"), None);
}

#[test]
fn what_is_missing_is_named() {
    let bytes = sample();
    let btf = Btf::parse(&bytes).unwrap();
    let missing = |path: &str| MemberError::NoMember("outer".into(), path.into());
    assert_eq!(btf.offset("other", "a"), Err(MemberError::NoStructure("other".into())));
    assert_eq!(btf.offset("outer", "a"), Err(missing("a")));
    assert_eq!(btf.offset("outer", "first.c"), Err(missing("first.c")));
    assert_eq!(btf.offset("outer", "left.a"), Err(missing("left.a")), "an int has no members");
    assert_eq!(btf.offset("outer", "bits"), Err(MemberError::BitField("outer".into(), "bits".into())));
    assert_eq!(btf.offset("outer", "odd"), Err(MemberError::BitField("outer".into(), "odd".into())));
}

#[test]
fn enumerators_are_found_in_any_enum() {
    let bytes = sample();
    let btf = Btf::parse(&bytes).unwrap();
    assert_eq!(btf.enumerator("pids_cgrp_id"), Some(11));
    assert_eq!(btf.enumerator("LARGE"), Some(2 << 32 | 1));
    assert_eq!(btf.enumerator("pids"), None);
}

#[test]
fn a_tracepoint_tells_its_arguments() {
    let bytes = sample();
    let btf = Btf::parse(&bytes).unwrap();
    let expected = [Argument::Pointer(None), Argument::Pointer(Some("inner")), Argument::Other];
    assert_eq!(btf.tracepoint_arguments("happened").as_deref(), Some(expected.as_slice()));
    assert_eq!(btf.tracepoint_arguments("never"), None);
}

#[test]
fn circles_end() {
    let bytes = sample();
    let btf = Btf::parse(&bytes).unwrap();
    assert!(btf.offset("matryoshka", "loop").is_ok());
    assert!(btf.offset("matryoshka", "nothing").is_err());
    assert!(btf.offset("matryoshka", "loop.a").is_err(), "a typedef of itself");
}

#[test]
fn what_is_not_btf_is_refused() {
    let bytes = sample();
    assert_eq!(Btf::parse(b"").err(), Some(BtfError::Header));
    assert_eq!(Btf::parse(b"\x7fELF and more than a header's worth").err(), Some(BtfError::Header));
    let swapped: Vec<u8> = [&[bytes[1], bytes[0]], &bytes[2..]].concat();
    assert_eq!(Btf::parse(&swapped).err(), Some(BtfError::Header));
    for length in 0..bytes.len() {
        assert!(Btf::parse(&bytes[..length]).is_err(), "{length} bytes");
    }
    let mut writer = Writer::default();
    writer.add("new", 31, 0, false, 0, &[]);
    assert_eq!(Btf::parse(&writer.finish()).err(), Some(BtfError::Kind { kind: 31, id: 1 }));
}

#[test]
fn no_flipped_bit_panics() {
    let bytes = sample();
    for at in 0..bytes.len() {
        for mask in [1, 2, 4, 8, 16, 32, 64, 128, 255, bytes[at]] {
            let mut changed = bytes.clone();
            changed[at] ^= mask;
            if let Ok(btf) = Btf::parse(&changed) {
                exercise(&btf);
            }
        }
    }
}

/// Every query, for what it does to hostile bytes.
fn exercise(btf: &Btf<'_>) {
    for (structure, path) in
        [("outer", "nested.b"), ("outer", "bits"), ("matryoshka", "loop.a"), ("inner", "b"), ("inner", "nothing")]
    {
        let _ = btf.offset(structure, path);
    }
    let _ = btf.enumerator("pids_cgrp_id");
    let _ = btf.enumerator("LARGE");
    let _ = btf.tracepoint_arguments("happened");
    let _ = btf.function("do_it");
}

/// The running kernel's own.
#[test]
fn the_running_kernel_is_understood() {
    let Ok(bytes) = std::fs::read(VMLINUX) else {
        println!("skipped: this kernel has no {VMLINUX}");
        return;
    };
    let btf = Btf::parse(&bytes).unwrap();
    assert_eq!(btf.offset("list_head", "prev"), Ok(8));
    assert_eq!(btf.offset("task_struct", "no_such_member").ok(), None);
    assert!(btf.offset("dentry", "d_name.name").unwrap() > btf.offset("dentry", "d_name.len").unwrap());
    assert!(btf.has_typedef("btf_trace_sched_process_exec"));
    assert_eq!(btf.enumerator("BPF_FUNC_map_lookup_elem"), Some(1));
    let exec = btf.tracepoint_arguments("sched_process_exec").unwrap();
    assert_eq!(exec.first(), Some(&Argument::Pointer(Some("task_struct"))));
}
