//! The model files are what they claim to be.

use serde_json::Value;
use std::error::Error;
use std::fs;
use tests::scene::Directory;
use tests::weights;

#[test]
fn a_safetensors_file_is_complete() -> Result<(), Box<dyn Error>> {
    let directory = Directory::new()?;
    let path = directory.path().join("model.safetensors");
    let size = weights::safetensors(&path, 3, 7)?;
    let content = fs::read(&path)?;
    assert_eq!(content.len() as u64, size);
    let length = u64::from_le_bytes(content[..8].try_into()?) as usize;
    assert_eq!(length % 8, 0);
    let header: Value = serde_json::from_slice(&content[8..8 + length])?;
    let mut spans: Vec<(u64, u64)> = Vec::new();
    for (name, tensor) in header.as_object().ok_or("not an object")?.iter().filter(|(name, _)| *name != "__metadata__")
    {
        let number = |index: usize| tensor["data_offsets"][index].as_u64().ok_or_else(|| name.clone());
        let (start, end) = (number(0)?, number(1)?);
        assert_eq!(tensor["shape"][0].as_u64().map(|values| values * 4), Some(end - start), "{name}");
        spans.push((start, end));
    }
    spans.sort();
    assert_eq!(spans.first().map(|span| span.0), Some(0));
    assert!(spans.windows(2).all(|pair| pair[0].1 == pair[1].0), "tensors follow each other: {spans:?}");
    assert_eq!(spans.last().map(|span| span.1), Some(size - 8 - length as u64));
    assert_eq!(spans.last().map(|span| span.1), Some(3 << 20));
    Ok(())
}

#[test]
fn a_gguf_file_has_its_magic_and_aligned_data() -> Result<(), Box<dyn Error>> {
    let directory = Directory::new()?;
    let path = directory.path().join("model.gguf");
    let size = weights::gguf(&path, 2, 7)?;
    let content = fs::read(&path)?;
    assert!(content.starts_with(b"GGUF\x03\0\0\0"));
    assert_eq!((size - (2 << 20)) % 32, 0);
    Ok(())
}

#[test]
fn the_seed_decides_the_bytes() -> Result<(), Box<dyn Error>> {
    let directory = Directory::new()?;
    let written = |name: &str, seed: u64| -> Result<Vec<u8>, Box<dyn Error>> {
        let path = directory.path().join(name);
        weights::safetensors(&path, 1, seed)?;
        Ok(fs::read(&path)?)
    };
    assert!(written("a", 1)? == written("b", 1)?);
    assert!(written("a", 1)? != written("c", 2)?);
    Ok(())
}
