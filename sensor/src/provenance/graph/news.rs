//! What is in touch with who or what has got more gets it too.

use super::*;

impl Graph {
    /// What is in touch with who or what has got more gets it too. Whether a process did.
    pub(super) fn tell(&mut self, first: News) -> bool {
        let mut waiting = VecDeque::from([first]);
        let mut gained = false;
        for _ in 0..NEWS {
            let Some(news) = waiting.pop_front() else { return gained };
            match news {
                News::Process(key) => {
                    let Some(holder) = self.processes.peek(&key) else { continue };
                    let (from, things) = (Arc::clone(&holder.holding), holder.mapped.clone());
                    for id in things {
                        let Some(thing) = self.carriers.get(&id) else { continue };
                        let name = thing.name.clone();
                        if Arc::make_mut(&mut thing.holding).take(&from, u64::MAX, u64::MAX, &name) {
                            let bytes = thing.holding.bytes();
                            self.marks.push(Mark::Carrier(id, WEIGHTS, bytes));
                            waiting.push_back(News::Thing(id));
                        }
                    }
                }
                News::Thing(id) => {
                    let Some(thing) = self.carriers.peek(&id) else { continue };
                    let (from, keys, name) = (Arc::clone(&thing.holding), thing.mapped.clone(), thing.name.clone());
                    for key in keys {
                        let Some(holder) = self.processes.get(&key) else { continue };
                        if Arc::make_mut(&mut holder.holding).take(&from, u64::MAX, u64::MAX, &name) {
                            gained = true;
                            self.mark_holder(key);
                            waiting.push_back(News::Process(key));
                        }
                    }
                }
            }
        }
        self.counts.news_refused += waiting.len() as u64;
        gained
    }

    pub(super) fn mark_holder(&mut self, key: ProcessKey) {
        if let Some(holder) = self.processes.peek(&key) {
            self.marks.push(Mark::Holder(key, WEIGHTS, holder.holding.bytes()));
        }
    }
}
