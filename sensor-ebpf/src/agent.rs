//! Which agent these programs serve, and whether they are at work at all.
//!
//! Programs and maps can outlive the agent that loaded them (pinned). The next agent loads programs of its own beside them, on the
//! same maps; one write to `AGENT` then makes those work and these rest, so that nothing is told twice and nothing is missed but
//! what is under way on another CPU in that instant.

use crate::globals::config;
use aya_ebpf::{btf_maps::Array, macros::btf_map};
use core::ptr;
use sensor_common::config::Agent;

/// Its one element is written by the agent, but for `tgid`, which its end clears.
#[btf_map]
static AGENT: Array<Agent, 1> = Array::new();

/// Whether these programs are at work: not before their agent has taken over, nor after another one has.
#[inline(always)]
pub fn at_work() -> bool {
    // SAFETY: the one element of an array map; volatile, since the agent writes it while programs run.
    AGENT.get_ptr(0).is_some_and(|agent| unsafe { ptr::read_volatile(&(*agent).generation) } == config!(generation))
}

/// Whether that is the agent's process.
#[inline(always)]
pub fn is(tgid: u32) -> bool {
    // SAFETY: as above.
    AGENT.get_ptr(0).is_some_and(|agent| tgid != 0 && unsafe { ptr::read_volatile(&(*agent).tgid) } == tgid)
}

/// A process ended. If it was the agent, nobody is: its number can be another's next.
#[inline(always)]
pub fn ended(tgid: u32) {
    if is(tgid)
        && let Some(agent) = AGENT.get_ptr_mut(0)
    {
        // SAFETY: as above. That an agent takes over between look and write cannot be: it waits for the end of the one before.
        unsafe { ptr::write_volatile(&mut (*agent).tgid, 0) }
    }
}
