//! The files of a stage, and what containers see of them.

use crate::actor::process::HOST_PROC;
use crate::board::Trouble;
use crate::scene::Bind;
use crate::weights;
use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};

/// The weights file as containers see it.
pub const MODEL: &str = "/models/llama/model.safetensors";
/// MiB.
const MODEL_SIZE: u64 = 5;
/// A directory that all containers of the stage see and may write.
pub const SHARED: &str = "/shared";
/// The directory of the service account's token, as kubelet mounts it.
pub const ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// Writes them below `files`: a model with what lies beside it, an empty shared directory, and a service account as kubelet's atomic
/// writer lays it out. The model's content, and its inode as text.
pub fn write(files: &Path, seed: u64) -> Result<(Vec<u8>, String), Trouble> {
    let mut model = Vec::new();
    weights::safetensors_into(&mut model, MODEL_SIZE, seed)?;
    let llama = files.join("models/llama");
    fs::create_dir_all(&llama)?;
    let path = llama.join("model.safetensors");
    fs::write(&path, &model)?;
    fs::write(llama.join("config.json"), r#"{"architectures": ["LlamaForCausalLM"], "hidden_size": 64}"#)?;
    fs::write(llama.join("tokenizer.json"), vec![b' '; 1 << 20])?;
    fs::create_dir_all(files.join("shared"))?;
    let (account, version) = (files.join("account"), "..2026_08_01_12_00_00.1234567890");
    fs::create_dir_all(account.join(version))?;
    for name in ["token", "namespace", "ca.crt"] {
        fs::write(account.join(version).join(name), "no secret\n")?;
        symlink(format!("..data/{name}"), account.join(name))?;
    }
    symlink(version, account.join("..data"))?;
    let inode = fs::metadata(&path)?.ino().to_string();
    Ok((model, inode))
}

/// What a container is shown.
pub fn binds(files: &Path, models: bool) -> Vec<Bind> {
    let bind = |source: PathBuf, target: &str, read_only| Bind { source, target: target.into(), read_only };
    let mut binds = vec![
        bind(files.join("shared"), SHARED, false),
        bind(files.join("account"), ACCOUNT, true),
        bind("/proc".into(), HOST_PROC, true),
    ];
    if models {
        binds.push(bind(files.join("models"), "/models", false));
    }
    binds
}
