//! The contract between the kernel side (`sensor-ebpf`) and the agent (`sensor`).
//!
//! Plain data only: what crosses the ring buffer ([`record`]), what is counted in kernel maps ([`count`]), how a file name
//! is turned into a key for classification ([`classify`]), who holds classified content ([`label`]), and what the agent tells the programs before they are loaded
//! ([`config`]). No policy and no I/O may live here. Both sides are built from the same commit; [`record::VERSION`] is
//! checked all the same, because a pinned map can outlive an agent.
#![no_std]

pub mod classify;
pub mod config;
pub mod count;
pub mod flow;
pub mod label;
pub mod record;

/// Derives that only the agent needs: reading a record out of bytes without `unsafe`.
macro_rules! plain {
    ($(#[$attr:meta])* pub struct $name:ident { $($(#[$fattr:meta])* pub $field:ident : $ty:ty),* $(,)? }) => {
        $(#[$attr])*
        #[repr(C)]
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[cfg_attr(
            feature = "user",
            derive(zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::KnownLayout, zerocopy::Immutable)
        )]
        pub struct $name { $($(#[$fattr])* pub $field: $ty),* }

        impl $name {
            /// The all-zero value; usable in statics.
            pub const ZERO: Self = Self { $($field: <$ty as crate::Zero>::ZERO),* };
        }
        impl crate::Zero for $name { const ZERO: Self = $name::ZERO; }
    };
}
pub(crate) use plain;

/// A type whose all-zero bytes are a valid, meaningful "nothing known".
pub trait Zero: Sized {
    /// The all-zero value.
    const ZERO: Self;
}
macro_rules! zero { ($($t:ty),*) => { $(impl Zero for $t { const ZERO: Self = 0; })* }; }
zero!(u8, u16, u32, u64, i32, i64);
impl<T: Zero + Copy, const N: usize> Zero for [T; N] {
    const ZERO: Self = [T::ZERO; N];
}
