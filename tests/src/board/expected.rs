//! What is true of a scenario.

use serde_json::Value;
use std::error::Error;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Why a scenario could not be played, or was not what it is to be.
pub type Trouble = Box<dyn Error + Send + Sync>;

/// How a play ended.
#[derive(Debug)]
pub enum Played {
    /// In an attack, of which this is to be said.
    Attack(Expected),
    /// In nothing that is to be told.
    Harmless,
    /// The machine does not offer what it takes.
    Skipped(String),
}

/// What an alert has to say of an attack.
#[derive(Clone, Debug)]
pub struct Expected {
    /// The inode of the file that was taken, as text; of what was replaced also that of what came in its place.
    pub inodes: Vec<String>,
    /// Who opened it: pids on the host, any of which will do.
    pub readers: Vec<u32>,
    /// Who sent: the same; nobody if nothing was sent.
    pub senders: Vec<u32>,
    /// Whereto, any of which will do; the port counts unless it is 0.
    pub destinations: Vec<SocketAddr>,
    /// How much: names of attributes in the order of preference, and what each should be. None: nothing was sent.
    pub bytes: Vec<(&'static str, u64)>,
    /// When the first byte left, or the deed began.
    pub began: SystemTime,
    /// Ids of the containers in which it is told: the sender's.
    pub containers: Vec<String>,
    /// The bytes that left are those of the file, unchanged: what came was compared with it.
    pub verbatim: bool,
}

impl Expected {
    /// From the lines of the actors; `containers` is where the sender is.
    pub fn of(lines: &[Value], containers: &[&str]) -> Result<Expected, Trouble> {
        let of_role = |role: &str| lines.iter().filter(move |line| line["role"] == *role).collect::<Vec<_>>();
        let pids = |lines: &[&Value]| -> Vec<u32> {
            lines.iter().filter_map(|line| u32::try_from(line["process.pid"].as_u64()?).ok()).collect()
        };
        let (readers, senders) = (of_role("reader"), of_role("sender"));
        let sent: u64 = senders.iter().filter_map(|line| line["bytes_sent"].as_u64()).sum();
        let began = senders.iter().filter_map(|line| line["began"].as_u64()).min();
        let destinations = senders.iter().filter_map(|line| line["destinations"].as_array()).flatten();
        Ok(Expected {
            inodes: readers.iter().filter_map(|line| line["file.inode"].as_str()).map(str::to_owned).collect(),
            readers: pids(&readers),
            senders: pids(&senders),
            destinations: destinations.filter_map(|text| text.as_str()?.parse().ok()).collect(),
            bytes: vec![("weir.exfil.bytes", sent), ("weir.flow.bytes", sent)],
            began: began.map_or_else(SystemTime::now, |nanos| UNIX_EPOCH + Duration::from_nanos(nanos)),
            containers: containers.iter().map(|id| (*id).to_owned()).collect(),
            verbatim: true,
        })
    }

    /// How many bytes left; 0 if none did.
    pub fn sent(&self) -> u64 {
        self.bytes.first().map_or(0, |(_, bytes)| *bytes)
    }
}
