//! A short list that never outgrows its limit, and knows how much it left out.

/// At most `MAX` things; what did not fit is counted. One that did not fit is counted each time that it comes, since nobody
/// remembers that it did before: `beyond` is at most that many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct List<T, const MAX: usize> {
    items: Vec<T>,
    beyond: u64,
}

impl<T, const MAX: usize> Default for List<T, MAX> {
    fn default() -> Self {
        List { items: Vec::new(), beyond: 0 }
    }
}

impl<T, const MAX: usize> List<T, MAX> {
    /// What is in it, in order.
    pub fn items(&self) -> &[T] {
        &self.items
    }

    /// How often something did not fit.
    pub fn beyond(&self) -> u64 {
        self.beyond
    }

    /// What is in it and what did not fit, together.
    pub fn total(&self) -> u64 {
        self.beyond.saturating_add(self.items.len() as u64)
    }

    /// Whether there is no room for another one.
    pub fn is_full(&self) -> bool {
        self.items.len() >= MAX
    }

    /// The one that `is` says yes to, or `new` put in at the end, if there is room; and whether it is new (also without room).
    pub fn entry(&mut self, is: impl Fn(&T) -> bool, new: impl FnOnce() -> T) -> (Option<&mut T>, bool) {
        match self.items.iter().position(is) {
            Some(at) => (self.items.get_mut(at), false),
            None if self.items.len() < MAX => {
                self.items.push(new());
                (self.items.last_mut(), true)
            }
            None => {
                self.beyond = self.beyond.saturating_add(1);
                (None, true)
            }
        }
    }

    /// Takes in another list: what `same` finds in both is joined, the rest put in at the end where there is room.
    pub fn absorb(&mut self, other: List<T, MAX>, same: impl Fn(&T, &T) -> bool, join: impl Fn(&mut T, T)) {
        self.add_beyond(other.beyond);
        for item in other.items {
            match self.items.iter().position(|known| same(known, &item)) {
                Some(at) => {
                    if let Some(known) = self.items.get_mut(at) {
                        join(known, item);
                    }
                }
                None if self.items.len() < MAX => self.items.push(item),
                None => self.add_beyond(1),
            }
        }
    }

    /// The one that `is` says yes to.
    pub fn get_mut(&mut self, is: impl Fn(&T) -> bool) -> Option<&mut T> {
        self.items.iter_mut().find(|item| is(item))
    }

    /// Takes one out.
    pub fn take(&mut self, is: impl Fn(&T) -> bool) -> Option<T> {
        let at = self.items.iter().position(is)?;
        Some(self.items.remove(at))
    }

    /// Takes in what another list left out.
    pub fn add_beyond(&mut self, count: u64) {
        self.beyond = self.beyond.saturating_add(count);
    }

    /// Sorts what is in it; equal ones stay in their order.
    pub fn sort_by_key<K: Ord>(&mut self, key: impl FnMut(&T) -> K) {
        self.items.sort_by_key(key);
    }
}
