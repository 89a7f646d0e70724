//! What this machine is called: `host.name` of what is told and kept.

/// In the environment, what Kubernetes calls the machine (`spec.nodeName`, by the downward API). A pod has a hostname of its own, which no
/// one knows any more when it is gone.
pub const NODE_NAME: &str = "NODE_NAME";

/// The node's name where the environment says it, else the kernel's name of the machine (uname(2)); none where both are empty.
pub fn name() -> Option<String> {
    let kernel = rustix::system::uname();
    choose(std::env::var(NODE_NAME).ok(), kernel.nodename().to_str().unwrap_or_default())
}

fn choose(node: Option<String>, kernel: &str) -> Option<String> {
    let node = node.filter(|name| !name.is_empty());
    node.or_else(|| Some(kernel.to_owned()).filter(|name| !name.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::choose;

    #[test]
    fn the_node_goes_before_the_pod() {
        let name = |node: Option<&str>, kernel| choose(node.map(str::to_owned), kernel);
        assert_eq!(name(Some("node-1"), "weir-x7f3k").as_deref(), Some("node-1"));
        assert_eq!(name(Some(""), "machine").as_deref(), Some("machine"));
        assert_eq!(name(None, "machine").as_deref(), Some("machine"));
        assert_eq!(name(None, ""), None);
    }
}
