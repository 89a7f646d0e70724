//! What of that which comes out of the line is shown, and to whom: the console at once, or the outbox where there is a collector.

use super::Show;
use super::select::Selection;
use crate::alert::{Notice, Severity};
use crate::delivery::health::{Delivery, Record};
use crate::delivery::outbox::{Outbox, Parcel};
use crate::delivery::spool::Kind;
use crate::delivery::{Console, ConsoleFormat, EventRecord, OutputError};
use crate::detection::Level;
use crate::event::{BootTime, Event, WallClock};
use serde::Serialize;

/// See the module.
pub struct Output {
    way: Way,
    clock: WallClock,
    show: Show,
    shown: u64,
    /// Of exported events, with this run of the sensor in front.
    uid: (String, u64),
}

enum Way {
    /// There is nothing but the console.
    Console(Console<anstream::Stdout>),
    /// What is shown is written into memory, and goes with what is sent.
    Outbox(Console<Vec<u8>>, Outbox),
}

impl Output {
    /// With an outbox all goes there. `instance` is this run of the sensor.
    pub fn new(show: Show, format: ConsoleFormat, clock: WallClock, outbox: Option<Outbox>, instance: &str) -> Output {
        let way = match outbox {
            Some(outbox) => Way::Outbox(Console::new(Vec::new(), format, clock), outbox),
            None => Way::Console(Console::new(anstream::stdout(), format, clock)),
        };
        Output { way, clock, show, shown: 0, uid: (format!("event-{instance}"), 0) }
    }

    /// True when everything that was asked for has been shown.
    pub fn show(&mut self, event: &Event, notices: &[Notice]) -> Result<bool, OutputError> {
        match &self.show {
            Show::Alerts => {
                for notice in notices {
                    self.notice(notice)?;
                }
                self.export(event);
                Ok(false)
            }
            Show::Events(selection) => {
                let enough = |shown| selection.count.is_some_and(|count| shown >= count);
                if !enough(self.shown) && selection.takes(event) {
                    match &mut self.way {
                        Way::Console(console) => console.event(event)?,
                        // Who only looks at events has no collector.
                        Way::Outbox(..) => {}
                    }
                    self.shown += 1;
                }
                Ok(enough(self.shown))
            }
        }
    }

    fn notice(&mut self, notice: &Notice) -> Result<(), OutputError> {
        let (console, outbox) = match &mut self.way {
            Way::Console(console) => return console.notice(notice),
            Way::Outbox(console, outbox) => (console, outbox),
        };
        console.notice(notice)?;
        let (kind, level, time, uid, record) = match notice {
            Notice::Alert(alert) => {
                let uid = format!("{}/{}", alert.uid, alert.revision);
                (Kind::Alert, alert.rule.level, alert.time, uid, json(&alert.record(self.clock)))
            }
            Notice::Incident(incident) => {
                let uid = format!("{}/{}", incident.uid, incident.revision);
                (Kind::Incident, incident.level, incident.time, uid, json(&incident.record(self.clock)))
            }
            Notice::Enrichment(named) => {
                let record = json(&named.record(self.clock));
                (Kind::Alert, Level::Informational, named.time(), named.record_uid(), record)
            }
        };
        let time = self.clock.unix_nanos(time);
        let severity = Severity::of(level).number;
        outbox.post(Parcel { kind, severity, time, uid: uid.into(), record, shown: console.take().into() });
        Ok(())
    }

    /// A coverage record.
    ///
    /// # Errors
    /// When the console does not take it.
    pub fn coverage(&mut self, record: &Record, time: BootTime) -> Result<(), OutputError> {
        match &mut self.way {
            Way::Console(console) => console.coverage(record),
            Way::Outbox(console, outbox) => {
                console.coverage(record)?;
                let (kind, severity, uid) = (Kind::Coverage, record.severity(), record.uid().into());
                let time = self.clock.unix_nanos(time);
                outbox.post(Parcel { kind, severity, time, uid, record: json(record), shown: console.take().into() });
                Ok(())
            }
        }
    }

    /// To the collector, where events are asked for there.
    fn export(&mut self, event: &Event) {
        let Way::Outbox(_, outbox) = &self.way else { return };
        if !outbox.takes_events() || !Selection::default().takes(event) {
            return;
        }
        let (prefix, number) = &mut self.uid;
        let uid = format!("{prefix}-{number}");
        *number += 1;
        let record = json(&EventRecord { event, clock: self.clock, uid: &uid });
        outbox.event(uid.into(), self.clock.unix_nanos(event.time), record);
    }

    /// Wall time is told by `clock` from now on.
    pub fn set_clock(&mut self, clock: WallClock) {
        self.clock = clock;
        match &mut self.way {
            Way::Console(console) => console.set_clock(clock),
            Way::Outbox(console, _) => console.set_clock(clock),
        }
    }

    /// Makes sure that all that was written to the console is out, and that somebody is there to read it.
    ///
    /// # Errors
    /// When the console does not take it.
    pub fn flush(&mut self) -> Result<(), OutputError> {
        match &mut self.way {
            Way::Console(console) => console.flush(),
            Way::Outbox(_, outbox) if outbox.is_unread() => Err(OutputError::Closed),
            Way::Outbox(..) => Ok(()),
        }
    }

    /// How delivery is, if there is any.
    pub fn delivery(&self) -> Option<Delivery> {
        match &self.way {
            Way::Console(_) => None,
            Way::Outbox(_, outbox) => Some(outbox.delivery()),
        }
    }

    /// Delivers what is left, as far as that goes in a few seconds, and has the console to itself again.
    pub async fn finish(self, format: ConsoleFormat) -> Console<anstream::Stdout> {
        match self.way {
            Way::Console(console) => console,
            Way::Outbox(_, outbox) => {
                // It waits for threads.
                let _ = tokio::task::spawn_blocking(move || outbox.finish()).await;
                Console::new(anstream::stdout(), format, self.clock)
            }
        }
    }
}

/// Strings for keys and plain values only: it cannot fail.
fn json(record: &impl Serialize) -> Box<[u8]> {
    serde_json::to_vec(record).unwrap_or_default().into()
}
