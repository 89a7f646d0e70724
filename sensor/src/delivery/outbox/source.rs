//! The spool, as the sender sees it: it asks the keeper.

use super::keeper::{Ask, Shared};
use crate::delivery::otlp::Source;
use crate::delivery::spool::Entry;
use std::sync::Arc;
use tokio::sync::oneshot;

pub(super) struct SpoolSource {
    shared: Arc<Shared>,
}

impl SpoolSource {
    pub(super) fn new(shared: Arc<Shared>) -> SpoolSource {
        SpoolSource { shared }
    }
}

impl Source for SpoolSource {
    async fn take(&mut self, records: usize, bytes: usize) -> Vec<Entry> {
        let (answer, entries) = oneshot::channel();
        self.shared.ask(Ask::Take { records, bytes, answer });
        // A keeper that has gone gives nothing any more.
        entries.await.unwrap_or_default()
    }

    async fn acknowledge(&mut self, ids: &[u64]) {
        self.shared.ask(Ask::Acknowledge(ids.into()));
    }

    async fn put_back(&mut self, ids: &[u64]) {
        self.shared.ask(Ask::PutBack(ids.into()));
    }

    async fn set_aside(&mut self, ids: &[u64], reason: &str) {
        self.shared.ask(Ask::SetAside(ids.into(), reason.into()));
    }
}
