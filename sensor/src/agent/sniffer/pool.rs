//! The threads that read, and those that were written off.

use super::{Content, Limits, Request, Unread, Verdict};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;
use tokio::sync::mpsc::UnboundedSender;

/// Reads a file and judges it. It may take as long as it will.
type Look = dyn Fn(&Request) -> Result<Content, Unread> + Send + Sync;

pub(super) struct Pool {
    limits: Limits,
    shared: Arc<Shared>,
    next: u64,
}

struct Shared {
    state: Mutex<State>,
    /// Something waits, or all is over.
    wake: Condvar,
    answers: UnboundedSender<Verdict>,
    look: Box<Look>,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Request>,
    /// Threads that work or wait for work.
    threads: usize,
    /// What each thread is at, and since when.
    busy: BTreeMap<u64, (Request, Instant)>,
    /// Threads that were written off and have not come back, and the device that they hang at.
    written_off: BTreeMap<u64, u32>,
    over: bool,
}

impl Pool {
    pub(super) fn start(
        limits: Limits,
        answers: UnboundedSender<Verdict>,
        look: impl Fn(&Request) -> Result<Content, Unread> + Send + Sync + 'static,
    ) -> Pool {
        let shared = Shared { state: Mutex::default(), wake: Condvar::new(), answers, look: Box::new(look) };
        let mut pool = Pool { limits, shared: Arc::new(shared), next: 0 };
        pool.fill();
        pool
    }

    /// Puts a request into the queue; `false` if there is no room, no thread, or its device hangs.
    pub(super) fn put(&self, request: Request) -> bool {
        let mut state = self.shared.lock();
        let hangs = state.written_off.values().any(|device| *device == request.file.device);
        if hangs || state.threads == 0 || state.queue.len() >= self.limits.queue {
            return false;
        }
        state.queue.push_back(request);
        drop(state);
        self.shared.wake.notify_one();
        true
    }

    /// Gives up the threads that have been at one file for longer than the deadline, answers for them, and for what else waits on
    /// their devices, and starts others.
    pub(super) fn write_off(&mut self, now: Instant) -> Vec<Request> {
        let deadline = self.limits.deadline;
        let mut state = self.shared.lock();
        let is_overdue = |since: Instant| now.saturating_duration_since(since) >= deadline;
        let overdue = state.busy.extract_if(.., |_, (_, since)| is_overdue(*since)).collect::<Vec<_>>();
        let mut hung = Vec::new();
        for (thread, (request, _)) in overdue {
            state.threads -= 1;
            state.written_off.insert(thread, request.file.device);
            hung.push(request);
        }
        // With no thread left what waits would wait for ever; on a device that hangs, the next thread would.
        let none_left = state.threads == 0 && state.written_off.len() > self.limits.written_off;
        let State { queue, written_off, .. } = &mut *state;
        let mut left = VecDeque::with_capacity(queue.len());
        let mut unread = Vec::new();
        for request in queue.drain(..) {
            let hangs = written_off.values().any(|device| *device == request.file.device);
            if hangs || none_left { unread.push(request) } else { left.push_back(request) }
        }
        *queue = left;
        drop(state);
        self.fill();
        for request in hung.iter().chain(&unread) {
            self.shared.answer(request.clone(), Err(Unread::Hung));
        }
        hung
    }

    /// Threads that have not come back.
    pub(super) fn written_off(&self) -> usize {
        self.shared.lock().written_off.len()
    }

    /// Starts as many threads as there should be.
    fn fill(&mut self) {
        let mut state = self.shared.lock();
        while state.threads < self.limits.threads && state.written_off.len() <= self.limits.written_off {
            let (shared, id) = (Arc::clone(&self.shared), self.next);
            let thread = thread::Builder::new().name("weir-sniffer".to_owned()).spawn(move || shared.work(id));
            if let Err(error) = thread {
                tracing::warn!(%error, "no thread can be started to read files: it is tried again in a second");
                return;
            }
            self.next += 1;
            state.threads += 1;
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        // Not waited for: one may hang.
        self.shared.lock().over = true;
        self.shared.wake.notify_all();
    }
}

impl Shared {
    /// What a thread does until all is over, or it finds itself written off.
    fn work(&self, id: u64) {
        let mut state = self.lock();
        while !state.over {
            let Some(request) = state.queue.pop_front() else {
                state = self.wake.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            state.busy.insert(id, (request.clone(), Instant::now()));
            drop(state);
            let content = (self.look)(&request);
            state = self.lock();
            if state.busy.remove(&id).is_none() {
                // Somebody else has answered, and another thread is in this one's place.
                state.written_off.remove(&id);
                return;
            }
            self.answer(request, content);
        }
    }

    fn answer(&self, request: Request, content: Result<Content, Unread>) {
        // Nobody listens any more: the agent ends.
        let _ = self.answers.send(Verdict { request, content });
    }

    /// No thread panics while it holds the lock; if one did, what is in it is still whole.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
