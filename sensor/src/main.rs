//! `weir`: the binary. Everything is in the library.

fn main() {}
