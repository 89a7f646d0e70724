//! The end: everything is taken off, or left to the next agent; what still waits is told, kept and sent.

use super::handover::Kept;
use super::{Agent, AgentError, LAST_LOOKS, system};
use crate::delivery::{ConsoleFormat, OutputError};
use crate::kernel::{self, Ring};
use std::time::{Duration, Instant};

impl Agent {
    /// What is being looked into is told before the end, if its file system answers in time.
    fn finish_looks(&mut self) -> Result<(), OutputError> {
        let end = Instant::now() + LAST_LOOKS;
        self.push_found()?;
        while self.recognition.is_busy() && Instant::now() < end && !self.done {
            std::thread::sleep(Duration::from_millis(1));
            self.push_found()?;
        }
        Ok(())
    }

    /// Keeps how far the kernel's counts are told for the agent that goes on from here.
    async fn leave(&mut self) {
        let Some(told) = self.told(true) else { return };
        let ledger = self.line.saved_ledger();
        self.ledger.end_write().await;
        self.ledger.save(system::now(), move || Kept { ledger, told: Some(told) }).await;
    }

    /// Detaches everything that is not pinned, then takes what still waits.
    pub(super) async fn finish(
        mut self,
        ring: &mut Ring,
        system: &system::System,
        format: ConsoleFormat,
    ) -> Result<(), AgentError> {
        self.guard = None;
        // Still there, since what the kernel left out is counted with them.
        self.programs.iter_mut().for_each(kernel::Attached::detach);
        // Programs that stay go on filling it: what comes from now on is the next agent's.
        self.drain_until(system::now(), ring, system)?;
        let result = self
            .finish_looks()
            .and_then(|()| self.count(ring, system))
            .and_then(|()| self.keep_house())
            .and_then(|()| self.push_tick(system::now(), true))
            .and_then(|()| self.end_health())
            .and_then(|()| self.output.flush());
        if self.ledger.is_kept() {
            self.save().await;
            self.leave().await;
            self.ledger.end_write().await;
            self.correlations.end_write().await;
        }
        let recording = self.recorder.as_mut().map(|recorder| {
            if let Err(error) = recorder.finish() {
                tracing::warn!(%error, "the end of the recording is missing");
            }
            recorder.statistics()
        });
        let evidence = self.evidence.as_mut().map(|evidence| {
            evidence.finish();
            evidence.counts()
        });
        self.health.finish().await;
        let mut console = self.output.finish(format).await;
        result?;
        if self.statistics {
            let own = |counts: Vec<(&'static str, u64)>| {
                counts.into_iter().map(|(name, count)| (name.into(), count)).collect()
            };
            let looks = own(self.recognition.statistics(self.line.candidates()));
            let carriers = own(self.carriers.statistics());
            let filters = self.line.detection().filtered();
            let mut others = vec![("looks", looks), ("carriers", carriers), ("filters", filters)];
            others.extend(recording.map(|counts| ("recording", own(counts.named()))));
            others.extend(evidence.map(|counts| ("evidence", own(counts.named()))));
            console.statistics(&self.before, &others)?;
        }
        Ok(())
    }
}
