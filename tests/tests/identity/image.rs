//! An image that needs no registry: directories to mount the host's programs in, and a program that only waits.

use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

/// What the sandboxes run.
pub const PAUSE: &str = "registry.example.org:5000/weir/pause:1";
/// What the containers run.
pub const SERVING: &str = "registry.example.org:5000/serving/vllm:v1";

/// An archive of both images, in `directory`, as `docker save` writes it; nothing where this processor has no program for it here.
pub fn archive(directory: &Path) -> io::Result<Option<PathBuf>> {
    let Some(program) = pause() else { return Ok(None) };
    let rootfs = directory.join("image");
    for path in ["dev", "etc", "proc", "sys", "tmp", "usr"] {
        fs::create_dir_all(rootfs.join(path))?;
    }
    for name in ["bin", "sbin", "lib", "lib64"] {
        symlink(Path::new("usr").join(name), rootfs.join(name))?;
    }
    fs::write(rootfs.join("pause"), program)?;
    fs::set_permissions(rootfs.join("pause"), fs::Permissions::from_mode(0o755))?;
    tar(&rootfs, &directory.join("layer.tar"), &["."])?;
    let layer = digest(&directory.join("layer.tar"))?;
    let config = serde_json::json!({
        "architecture": if cfg!(target_arch = "x86_64") { "amd64" } else { std::env::consts::ARCH },
        "os": "linux",
        "config": { "Entrypoint": ["/pause"] },
        "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{layer}")] },
    });
    fs::write(directory.join("config.json"), config.to_string())?;
    let manifest =
        serde_json::json!([{ "Config": "config.json", "RepoTags": [PAUSE, SERVING], "Layers": ["layer.tar"] }]);
    fs::write(directory.join("manifest.json"), manifest.to_string())?;
    let archive = directory.join("image.tar");
    tar(directory, &archive, &["manifest.json", "config.json", "layer.tar"])?;
    Ok(Some(archive))
}

fn tar(directory: &Path, to: &Path, what: &[&str]) -> io::Result<()> {
    let status = Command::new("tar").arg("-C").arg(directory).arg("-cf").arg(to).args(what).status()?;
    if status.success() { Ok(()) } else { Err(io::Error::other("tar failed")) }
}

fn digest(path: &Path) -> io::Result<String> {
    let output = Command::new("sha256sum").arg(path).output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    text.split(' ').next().map(str::to_owned).ok_or_else(|| io::Error::other("sha256sum failed"))
}

/// A static program for x86_64 that waits for signals: the ELF header, one segment, and `pause` in a loop.
fn pause() -> Option<Vec<u8>> {
    if !cfg!(target_arch = "x86_64") {
        return None;
    }
    // mov $34 (pause), %eax; syscall; jmp to the first
    let code = [0xb8, 0x22, 0, 0, 0, 0x0f, 0x05, 0xeb, 0xf7];
    let (base, headers) = (0x40_0000_u64, 64 + 56);
    let mut elf = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let halves = |elf: &mut Vec<u8>, values: &[u16]| values.iter().for_each(|value| elf.extend(value.to_le_bytes()));
    let words = |elf: &mut Vec<u8>, values: &[u32]| values.iter().for_each(|value| elf.extend(value.to_le_bytes()));
    let longs = |elf: &mut Vec<u8>, values: &[u64]| values.iter().for_each(|value| elf.extend(value.to_le_bytes()));
    // Executable, x86_64, version 1, entry, program headers behind this one, no sections.
    halves(&mut elf, &[2, 62]);
    words(&mut elf, &[1]);
    longs(&mut elf, &[base + headers, 64, 0]);
    words(&mut elf, &[0]);
    halves(&mut elf, &[64, 56, 1, 0, 0, 0]);
    // One segment that is loaded, readable and executable: the whole file.
    let size = headers + code.len() as u64;
    words(&mut elf, &[1, 5]);
    longs(&mut elf, &[0, base, base, size, size, 0x1000]);
    elf.extend(code);
    Some(elf)
}
