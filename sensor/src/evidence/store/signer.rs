//! Who signs closed segments.

/// Signs with Ed25519 (RFC 8032), on the thread that keeps the store.
pub trait Signer: Send {
    /// The signature of `message`.
    fn sign(&self, message: &[u8]) -> [u8; 64];
    /// The key to check it with.
    fn public(&self) -> [u8; 32];
}
