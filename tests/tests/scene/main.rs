//! The support library, against the plain kernel: the truth that the end-to-end tests compare the sensor with must be true.

mod acts;
mod containers;
mod harness;
mod opens;
mod uploads;
mod weights;
