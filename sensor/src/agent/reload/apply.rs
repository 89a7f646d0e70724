//! Putting what was read into effect, between two events.

use super::{Fresh, Outcome, Refused};
use crate::agent::{Agent, system};
use crate::delivery::OutputError;
use crate::event::Event;
use crate::kernel::Ring;
use std::time::Instant;

/// Most problems that are logged of one reading.
const LOGGED: usize = 100;

impl Agent {
    /// Puts the files that were read into effect; or says why not, and goes on with what was.
    pub(in crate::agent) fn reload(
        &mut self,
        outcome: Outcome,
        ring: &mut Ring,
        system: &system::System,
    ) -> Result<(), OutputError> {
        match outcome {
            Ok(Some(fresh)) => {
                // What happened before is judged by what was in effect then.
                self.drain(ring, system)?;
                self.take_over(*fresh)
            }
            Ok(None) => {
                self.in_effect.refused = None;
                tracing::info!("the files were read again: they say what is in effect already");
                Ok(())
            }
            Err(refused) => {
                self.refuse(refused);
                Ok(())
            }
        }
    }

    fn take_over(&mut self, fresh: Fresh) -> Result<(), OutputError> {
        let began = Instant::now();
        if let Some(keys) = &fresh.keys
            && let Err(error) = self.tables.replace(keys)
        {
            let back = self.tables.replace(&self.line.classes().keys());
            if let Err(error) = back {
                tracing::error!(%error, "some opens may go unseen: restart the sensor");
            }
            self.refuse(format!("the kernel does not take the classes: {error}").into());
            return Ok(());
        }
        if let Some(contents) = &fresh.contents {
            self.recognition.reclassify(contents.clone(), &mut self.tables);
        }
        let now = system::now();
        self.in_effect.replaced_by(&fresh, now);
        let body = self.line.reload(fresh.reload);
        let what = &self.in_effect.what;
        tracing::info!(
            ruleset = %what.ruleset, rules = what.rules, filters = what.filters, classes = %what.classes,
            events_waited = ?began.elapsed(), "other rules are in effect"
        );
        self.push(Event::new(now, None, Default::default(), body))?;
        self.output.flush()
    }

    fn refuse(&mut self, refused: Refused) {
        for problem in refused.problems.iter().take(LOGGED) {
            tracing::error!(problem, "the files are not taken, the rules before them stay in effect");
        }
        if let Some(left @ 1..) = refused.problems.len().checked_sub(LOGGED) {
            tracing::error!(left, "there are more problems: see `weir rules check`");
        }
        self.in_effect.refused = Some((system::now(), refused));
    }
}
