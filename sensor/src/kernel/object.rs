//! The eBPF object: embedded in the binary, or another one for tests of a fresh build.

use std::borrow::Cow;
use std::path::PathBuf;
use thiserror::Error;

/// Names an object file to load instead of the embedded one.
pub const OVERRIDE: &str = "WEIR_EBPF_OBJECT";

/// As built by `cargo xtask ebpf build`. Aligned, as its ELF structures are read in place.
static EMBEDDED: &[u8] = aya::include_bytes_aligned!("../../ebpf/weir.bpf.o");

/// The object that was named instead cannot be read.
#[derive(Debug, Error)]
#[error(
    "cannot read the eBPF object {path}, named by {OVERRIDE}: {source}; unset the variable to use the embedded one"
)]
pub struct ObjectError {
    path: PathBuf,
    source: std::io::Error,
}

/// The object to load: the embedded one, unless `file` names another (the caller reads [`OVERRIDE`] from the environment).
///
/// # Errors
/// [`ObjectError`] when that file cannot be read.
pub fn read(file: Option<PathBuf>) -> Result<Cow<'static, [u8]>, ObjectError> {
    match file {
        Some(path) => match std::fs::read(&path) {
            // The parser wants 4-byte alignment, which the allocator gives (more) for anything of this size.
            Ok(bytes) => Ok(Cow::Owned(bytes)),
            Err(source) => Err(ObjectError { path, source }),
        },
        None => Ok(Cow::Borrowed(EMBEDDED)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_object_is_an_elf_file_for_bpf() {
        let object = read(None).unwrap();
        assert_eq!(object.get(..4), Some(b"\x7fELF".as_slice()));
        assert_eq!(object.get(18..20), Some([247, 0].as_slice()), "EM_BPF");
        assert_eq!(object.as_ptr().addr() % 4, 0);
    }

    #[test]
    fn an_unreadable_override_is_named() {
        let error = read(Some("/no/such/object".into())).unwrap_err().to_string();
        assert!(error.contains("/no/such/object") && error.contains(OVERRIDE), "{error}");
    }
}
