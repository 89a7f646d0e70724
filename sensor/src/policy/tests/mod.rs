//! What is declared, for whom, and what comes of it.

mod declared;
