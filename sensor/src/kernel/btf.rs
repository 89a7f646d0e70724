//! A small reader of the kernel's type information (`/sys/kernel/btf/vmlinux`, Documentation/bpf/btf.rst).
//!
//! It answers what the programs need before they are loaded: where a field lies, what an enumerator's value is, whether a
//! type exists. Every read is checked and every walk is bounded: hostile bytes give an error, never a panic or a long loop.

use ahash::AHashMap;
use thiserror::Error;

/// Where the running kernel shows its types.
pub const VMLINUX: &str = "/sys/kernel/btf/vmlinux";

const MAGIC: u16 = 0xeb9f;
const KIND_PTR: u32 = 2;
const KIND_STRUCT: u32 = 4;
const KIND_UNION: u32 = 5;
const KIND_ENUM: u32 = 6;
const KIND_TYPEDEF: u32 = 8;
const KIND_VOLATILE: u32 = 9;
const KIND_CONST: u32 = 10;
const KIND_RESTRICT: u32 = 11;
const KIND_FUNC: u32 = 12;
const KIND_FUNC_PROTO: u32 = 13;
const KIND_TYPE_TAG: u32 = 18;
const KIND_ENUM64: u32 = 19;

/// Bytes of `struct btf_type`.
const TYPE: usize = 12;
/// Longest chain of typedefs and qualifiers that is followed; the kernel's own limit is 32 (`MAX_RESOLVE_DEPTH`).
const CHAIN_MAX: usize = 32;
/// Deepest nesting of anonymous members that is searched.
const NESTING_MAX: usize = 8;
/// Most members that one look-up may visit; the largest kernel structures have some hundreds.
const VISITS_MAX: usize = 100_000;

/// Why type information cannot be read.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum BtfError {
    /// It does not begin as BTF of this machine's byte order does.
    #[error("not BTF: the header is missing or of the other byte order; is CONFIG_DEBUG_INFO_BTF set in this kernel?")]
    Header,
    /// Something lies outside of the file.
    #[error("damaged BTF: {what} at byte {at} is outside of it")]
    Outside {
        /// What should have been there.
        what: &'static str,
        /// Offset from the start of its section.
        at: usize,
    },
    /// A kind of type that this reader does not know, so that it cannot know its length.
    #[error("BTF has a type of kind {kind} (type {id}), which this version does not know; a newer Weir may")]
    Kind {
        /// `BTF_KIND_*`
        kind: u32,
        /// Which type.
        id: usize,
    },
}

/// Why a member has no offset.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum MemberError {
    /// No structure or union of that name.
    #[error("there is no struct {0}")]
    NoStructure(Box<str>),
    /// No such member.
    #[error("there is no member {1} in struct {0}")]
    NoMember(Box<str>, Box<str>),
    /// A bit field has no byte offset.
    #[error("member {1} of struct {0} is a bit field")]
    BitField(Box<str>, Box<str>),
}

/// An argument of a tracepoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Argument<'a> {
    /// A pointer, to the structure of that name if it is one.
    Pointer(Option<&'a str>),
    /// Anything else.
    Other,
}

/// Type information, borrowed from its bytes.
pub struct Btf<'a> {
    /// The type section.
    types: &'a [u8],
    /// The string section.
    strings: &'a [u8],
    /// Where each type begins in the type section; type 0 is `void`.
    starts: Vec<u32>,
    /// The first structure or union of each name.
    structures: AHashMap<&'a [u8], u32>,
}

/// A type's fixed part.
#[derive(Clone, Copy)]
struct Type {
    name: u32,
    kind: u32,
    /// How many members, enumerators or parameters.
    len: usize,
    /// The kind's flag: members carry a bit-field size in the top byte of their offset.
    flag: bool,
    /// The type that it refers to, or its size.
    target: u32,
    /// Where its members begin in the type section.
    members: usize,
}

impl Type {
    fn is_structure(&self) -> bool {
        matches!(self.kind, KIND_STRUCT | KIND_UNION)
    }
}

impl<'a> Btf<'a> {
    /// Reads the type section's outline. For a kernel's 150,000 types: some ten milliseconds and 2 MB.
    ///
    /// # Errors
    /// [`BtfError`] when `bytes` is not BTF of this byte order, or is cut off or damaged.
    pub fn parse(bytes: &'a [u8]) -> Result<Btf<'a>, BtfError> {
        let header = |at| u32_at(bytes, at).and_then(|value| usize::try_from(value).ok()).ok_or(BtfError::Header);
        if bytes.get(..2) != Some(MAGIC.to_ne_bytes().as_slice()) {
            return Err(BtfError::Header);
        }
        let header_len = header(4)?;
        let section = |what, offset: usize, len: usize| {
            let start = header_len.checked_add(offset).ok_or(BtfError::Header)?;
            let end = start.checked_add(len).ok_or(BtfError::Header)?;
            bytes.get(start..end).ok_or(BtfError::Outside { what, at: start })
        };
        let types = section("the type section", header(8)?, header(12)?)?;
        let strings = section("the string section", header(16)?, header(20)?)?;

        let mut btf = Btf { types, strings, starts: vec![0], structures: AHashMap::new() };
        let mut at = 0;
        while at < types.len() {
            let found = btf.type_at(at).ok_or(BtfError::Outside { what: "a type", at })?;
            let id = btf.starts.len();
            let extra = match found.kind {
                1 | 14 | 17 => 4,                                   // INT, VAR, DECL_TAG
                3 => 12,                                            // ARRAY
                KIND_STRUCT | KIND_UNION => 12 * found.len,         // and their members
                KIND_ENUM | KIND_FUNC_PROTO => 8 * found.len,       // enumerators, parameters
                15 | KIND_ENUM64 => 12 * found.len,                 // DATASEC: variables; enumerators
                KIND_PTR | 7..=KIND_FUNC | 16 | KIND_TYPE_TAG => 0, // FWD to FUNC, FLOAT
                kind => return Err(BtfError::Kind { kind, id }),
            };
            let end = found.members + extra;
            if end > types.len() {
                return Err(BtfError::Outside { what: "a type's members", at });
            }
            let start = u32::try_from(at).map_err(|_| BtfError::Header)?;
            btf.starts.push(start);
            if found.is_structure()
                && found.name != 0
                && let Some(name) = btf.string(found.name)
                && let Ok(id) = u32::try_from(id)
            {
                btf.structures.entry(name).or_insert(id);
            }
            at = end;
        }
        Ok(btf)
    }

    /// Byte offset of a member in a structure or union. `path` is `member` or `member.member`; anonymous structures and
    /// unions on the way are searched, typedefs and qualifiers are seen through.
    ///
    /// # Errors
    /// [`MemberError`] says which part is missing.
    pub fn offset(&self, structure: &str, path: &str) -> Result<u32, MemberError> {
        let mut id =
            *self.structures.get(structure.as_bytes()).ok_or_else(|| MemberError::NoStructure(structure.into()))?;
        let (mut bits, mut visits) = (0u64, VISITS_MAX);
        for name in path.split('.') {
            let (offset, target, bit_field) = self
                .member(id, name.as_bytes(), NESTING_MAX, &mut visits)
                .ok_or_else(|| MemberError::NoMember(structure.into(), path.into()))?;
            bits = bits.saturating_add(offset);
            if bit_field {
                return Err(MemberError::BitField(structure.into(), path.into()));
            }
            id = target;
        }
        if bits % 8 != 0 {
            return Err(MemberError::BitField(structure.into(), path.into()));
        }
        u32::try_from(bits / 8).map_err(|_| MemberError::NoMember(structure.into(), path.into()))
    }

    /// Bytes of a structure or union.
    pub fn size(&self, name: &str) -> Option<u32> {
        self.type_of(*self.structures.get(name.as_bytes())?).map(|found| found.target)
    }

    /// Whether there is a structure or union of that name.
    pub fn has_structure(&self, name: &str) -> bool {
        self.structures.contains_key(name.as_bytes())
    }

    /// Whether there is a typedef of that name: `btf_trace_NAME` for each tracepoint that `tp_btf` programs can attach to.
    pub fn has_typedef(&self, name: &str) -> bool {
        self.find(KIND_TYPEDEF, name).is_some()
    }

    /// The id of a function, by which a trampoline is attached to it.
    pub fn function(&self, name: &str) -> Option<u32> {
        self.find(KIND_FUNC, name)
    }

    /// What a `tp_btf` program on that tracepoint gets; `None` if there is no such tracepoint. Kernels have changed the
    /// arguments of some over time; this tells which they are here.
    pub fn tracepoint_arguments(&self, name: &str) -> Option<Vec<Argument<'a>>> {
        let typedef = self.type_of(self.find(KIND_TYPEDEF, &format!("btf_trace_{name}"))?)?;
        let pointer = self.type_of(self.stripped(typedef.target)?)?;
        let prototype = self.type_of(pointer.target)?;
        if pointer.kind != KIND_PTR || prototype.kind != KIND_FUNC_PROTO {
            return None;
        }
        // The first parameter is the tracepoint's own (`void *__data`), which programs do not get.
        (1..prototype.len)
            .map(|index| Some(self.argument(self.word(prototype.members.checked_add(index * 8 + 4)?)?)))
            .collect()
    }

    /// What a function takes; `None` if the kernel tells of no such function.
    pub fn function_arguments(&self, name: &str) -> Option<Vec<Argument<'a>>> {
        let prototype = self.type_of(self.type_of(self.function(name)?)?.target)?;
        if prototype.kind != KIND_FUNC_PROTO {
            return None;
        }
        (0..prototype.len)
            .map(|index| Some(self.argument(self.word(prototype.members.checked_add(index * 8 + 4)?)?)))
            .collect()
    }

    fn argument(&self, id: u32) -> Argument<'a> {
        match self.stripped(id).and_then(|id| self.type_of(id)) {
            Some(Type { kind: KIND_PTR, target, .. }) => {
                let structure = self.stripped(target).and_then(|id| self.type_of(id)).filter(Type::is_structure);
                Argument::Pointer(structure.and_then(|found| std::str::from_utf8(self.string(found.name)?).ok()))
            }
            _ => Argument::Other,
        }
    }

    /// The value of an enumerator, whichever enum it is in; the first if several have one of that name.
    pub fn enumerator(&self, name: &str) -> Option<u64> {
        self.all().find_map(|(_, found)| {
            let width = match found.kind {
                KIND_ENUM => 8,
                KIND_ENUM64 => 12,
                _ => return None,
            };
            (0..found.len).find_map(|index| {
                let at = found.members.checked_add(index * width)?;
                if !self.string_is(self.word(at)?, name.as_bytes()) {
                    return None;
                }
                let low = self.word(at + 4)?;
                let high = if width == 12 { self.word(at + 8)? } else { 0 };
                Some(u64::from(high) << 32 | u64::from(low))
            })
        })
    }

    /// A member's offset in bits, its type, and whether it is a bit field; searched in anonymous members as well.
    fn member(&self, id: u32, name: &[u8], nesting: usize, visits: &mut usize) -> Option<(u64, u32, bool)> {
        let nesting = nesting.checked_sub(1)?;
        let found = self.type_of(self.stripped(id)?)?;
        if !found.is_structure() {
            return None;
        }
        for index in 0..found.len {
            *visits = visits.checked_sub(1)?;
            let at = found.members.checked_add(index * 12)?;
            let (member, target, place) = (self.word(at)?, self.word(at + 4)?, self.word(at + 8)?);
            let (bits, size) = if found.flag { (place & 0x00ff_ffff, place >> 24) } else { (place, 0) };
            if member == 0 {
                if let Some((inner, target, bit_field)) = self.member(target, name, nesting, visits) {
                    return Some((inner.saturating_add(bits.into()), target, bit_field));
                }
            } else if self.string_is(member, name) {
                return Some((bits.into(), target, size != 0));
            }
        }
        None
    }

    /// The type behind typedefs, qualifiers and tags.
    fn stripped(&self, mut id: u32) -> Option<u32> {
        for _ in 0..CHAIN_MAX {
            match self.type_of(id)? {
                Type {
                    kind: KIND_TYPEDEF | KIND_VOLATILE | KIND_CONST | KIND_RESTRICT | KIND_TYPE_TAG,
                    target,
                    ..
                } => id = target,
                _ => return Some(id),
            }
        }
        None
    }

    fn find(&self, kind: u32, name: &str) -> Option<u32> {
        self.all()
            .find_map(|(id, found)| (found.kind == kind && self.string_is(found.name, name.as_bytes())).then_some(id))
    }

    fn all(&self) -> impl Iterator<Item = (u32, Type)> {
        (1u32..).zip(self.starts.iter().skip(1)).filter_map(|(id, start)| Some((id, self.type_at(*start as usize)?)))
    }

    fn type_of(&self, id: u32) -> Option<Type> {
        // Type 0 is void, and its place in `starts` only keeps the numbers right.
        let start = self.starts.get(usize::try_from(id).ok().filter(|id| *id != 0)?)?;
        self.type_at(usize::try_from(*start).ok()?)
    }

    fn type_at(&self, at: usize) -> Option<Type> {
        let (name, info, target) = (self.word(at)?, self.word(at.checked_add(4)?)?, self.word(at.checked_add(8)?)?);
        Some(Type {
            name,
            kind: info >> 24 & 0x1f,
            len: usize::try_from(info & 0xffff).ok()?,
            flag: info >> 31 != 0,
            target,
            members: at.checked_add(TYPE)?,
        })
    }

    fn word(&self, at: usize) -> Option<u32> {
        u32_at(self.types, at)
    }

    fn string(&self, at: u32) -> Option<&'a [u8]> {
        self.strings.get(usize::try_from(at).ok()?..)?.split(|byte| *byte == 0).next()
    }

    fn string_is(&self, at: u32, text: &[u8]) -> bool {
        usize::try_from(at)
            .ok()
            .and_then(|at| self.strings.get(at..))
            .and_then(|rest| rest.strip_prefix(text))
            .is_some_and(|rest| rest.first() == Some(&0))
    }
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let field = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_ne_bytes(field.try_into().ok()?))
}

#[cfg(test)]
mod tests;
