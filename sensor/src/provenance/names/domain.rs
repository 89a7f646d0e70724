//! Whose a name is.

/// The registered domain of `name`, by the public suffix list, private suffixes included: of shared hosts (object stores, pages)
/// each tenant is told apart. A name that is a suffix itself, or has one label, is its own. Lower case is expected.
pub fn registered_domain(name: &str) -> &str {
    psl::domain_str(name).unwrap_or(name)
}
