//! Records out of the ring buffer.
//!
//! Programs do not wake the agent for a record: that would cost the process they watch some microseconds each. They wake it
//! when much is waiting ([`super::layout::WAKE_BYTES`]), so that a flood is drained at once; for the rest the agent looks by
//! itself, every [`SHORTEST`] while records come and less often while none do. So a record waits [`LONGEST`] at most.

use aya::maps::{MapData, RingBuf};
use std::io;
use std::time::Duration;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::time::{Instant, sleep_until};

/// The pause between two looks while records come.
pub const SHORTEST: Duration = Duration::from_millis(50);
/// The pause to which it doubles while none come. A look costs 20 to 90 us, most of it waking up: with the shortest pause
/// throughout, an idle agent would use 0.17 % of a core here.
pub const LONGEST: Duration = Duration::from_millis(200);

/// Most records that one turn should take, so that timers and signals get theirs: some milliseconds' worth.
pub const BATCH: usize = 4096;

/// The reading end of the ring.
pub struct Ring {
    ring: AsyncFd<RingBuf<MapData>>,
    /// When to look next without having been woken.
    next: Instant,
    /// The pause before that.
    pause: Duration,
    /// The last turn ended at its bound: there may be more.
    more: bool,
    /// Bytes of the turns since the ring was last empty.
    waited: u64,
    /// The most that these have been since somebody asked.
    fullest: u64,
}

impl Ring {
    /// Registers the ring with the runtime that it is called in.
    ///
    /// # Errors
    /// When the kernel cannot poll it.
    ///
    /// # Panics
    /// Outside of a runtime with I/O and time, as [`AsyncFd`] does.
    pub fn new(events: RingBuf<MapData>) -> io::Result<Ring> {
        // SAFETY: the ring owns the map's descriptor, always answers with that one, and closes it only when it is dropped;
        // `AsyncFd` owns the ring, and it is never taken out or replaced.
        let ring = unsafe { AsyncFd::register_with_interest(events, Interest::READABLE) };
        let ring = ring.map_err(|error| error.into_parts().1)?;
        Ok(Ring { ring, next: Instant::now(), pause: SHORTEST, more: false, waited: 0, fullest: 0 })
    }

    /// Waits until it is worth looking: woken by a program, the pause over, or more left from the last turn. Can be
    /// cancelled, as `select!` does, without losing anything.
    ///
    /// # Errors
    /// When the runtime shuts down.
    pub async fn ready(&mut self) -> io::Result<()> {
        if self.more {
            // Others first: this turn's signals and timers.
            tokio::task::yield_now().await;
            return Ok(());
        }
        tokio::select! {
            guard = self.ring.readable() => guard?.clear_ready(),
            () = sleep_until(self.next) => (),
        }
        Ok(())
    }

    /// Hands at most `limit` waiting records to `each`, oldest first, and returns how many. To be called after
    /// [`Ring::ready`], and once at the end, when the programs are detached.
    pub fn drain(&mut self, limit: usize, mut each: impl FnMut(&[u8])) -> usize {
        let ring = self.ring.get_mut();
        let mut taken = 0;
        while taken < limit {
            match ring.next() {
                Some(record) => {
                    self.waited += footprint(record.len());
                    each(&record);
                }
                None => break,
            }
            taken += 1;
        }
        self.more = taken == limit;
        self.fullest = self.fullest.max(self.waited);
        if !self.more {
            self.waited = 0;
        }
        self.pause = if taken == 0 { (self.pause * 2).min(LONGEST) } else { SHORTEST };
        self.next = Instant::now() + self.pause;
        taken
    }

    /// The most bytes that were taken out at once since this was last asked: so full was the ring, or fuller than it was by what came
    /// in while it was emptied.
    pub fn take_fullest(&mut self) -> u64 {
        std::mem::take(&mut self.fullest)
    }
}

/// What a record of that length takes in the ring: a header of 8 bytes, rounded up to 8 (`__bpf_ringbuf_reserve`, kernel/bpf/ringbuf.c).
fn footprint(length: usize) -> u64 {
    (length as u64 + 8).next_multiple_of(8)
}
