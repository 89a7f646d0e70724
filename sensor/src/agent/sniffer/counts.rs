//! What became of all questions.

use super::{Content, Unread};

/// What became of all questions. Totals since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Questions.
    pub asked: u64,
    /// Answered from memory.
    pub known: u64,
    /// Asked while the same was under way: one answer for both.
    pub joined: u64,
    /// Not taken: the queue was full, or the file system hangs.
    pub refused: u64,
    /// Answered: the file was read, and nothing known is in it.
    pub unknown: u64,
    /// Answered: its format was told.
    pub recognised: u64,
    /// Answered by [`Unread::Gone`].
    pub gone: u64,
    /// Answered by [`Unread::Changed`].
    pub changed: u64,
    /// Answered by [`Unread::NotPermitted`].
    pub not_permitted: u64,
    /// Answered by [`Unread::NotRegular`].
    pub not_regular: u64,
    /// Answered by [`Unread::Failed`].
    pub failed: u64,
    /// Answered by [`Unread::Hung`]: as many threads were written off.
    pub hung: u64,
}

impl Counts {
    /// Counts an answer.
    pub(super) fn count(&mut self, answer: &Result<Content, Unread>) {
        let count = match answer {
            Ok(Content { found: None, .. }) => &mut self.unknown,
            Ok(_) => &mut self.recognised,
            Err(Unread::Gone) => &mut self.gone,
            Err(Unread::Changed) => &mut self.changed,
            Err(Unread::NotPermitted) => &mut self.not_permitted,
            Err(Unread::NotRegular) => &mut self.not_regular,
            Err(Unread::Failed(_)) => &mut self.failed,
            Err(Unread::Hung) => &mut self.hung,
        };
        *count += 1;
    }
}
