//! A STIX 2.1 bundle.
use super::super::model::Timeline;
use std::io::{self, Write};
pub fn write(_timeline: &Timeline, _out: &mut dyn Write) -> io::Result<()> {
    Ok(())
}
