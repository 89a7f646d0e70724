//! The log of a container, as the runtime writes it for the kubelet: `TIME STREAM P|F TEXT`, `P` where a line goes on in the next
//! (KEP "CRI container logs").

use std::path::Path;

/// The whole lines that there are, of both streams.
pub fn lines(path: &Path) -> Vec<String> {
    let text = std::fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&text).into_owned();
    let mut lines = Vec::new();
    let mut begun: [String; 2] = Default::default();
    for line in text.lines() {
        let mut parts = line.splitn(4, ' ').skip(1);
        let (Some(stream), Some(tag), Some(text)) = (parts.next(), parts.next(), parts.next()) else { continue };
        let whole = &mut begun[usize::from(stream == "stderr")];
        whole.push_str(text);
        if tag.starts_with('F') {
            lines.push(std::mem::take(whole));
        }
    }
    lines
}
