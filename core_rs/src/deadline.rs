//! Deadlines: one queue per account, so that the common event compares a single integer.

use core::cmp::Reverse;
use std::collections::BinaryHeap;

/// No deadline.
pub const NEVER: i64 = i64::MAX;

/// What falls due; the order is the order of work at one instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Due {
    /// The day ends.
    Rollover,
    /// Enough errors have left the window.
    ErrorRelease,
    /// The spread of symbol `n` was quiet for long enough.
    SpreadHold(u32),
    /// The latest suspect of symbol `n` is accepted.
    Jump(u32),
    /// The price of symbol `n` is too old.
    Stale(u32),
    /// A marked breach of loss trigger `n` was not confirmed in time.
    Confirm(u32),
    /// Source `n` gave no proof for too long.
    Connection(u32),
}

/// The deadline of one owner. Moving it later costs nothing; the queue notices when it gets there.
#[derive(Clone, Copy, Debug)]
pub struct Timer {
    due: i64,
    queued: i64,
}

impl Default for Timer {
    fn default() -> Self {
        Self {
            due: NEVER,
            queued: NEVER,
        }
    }
}

impl Timer {
    /// Returns when it falls due.
    pub const fn due(&self) -> i64 {
        self.due
    }

    /// Drops the deadline.
    pub const fn clear(&mut self) {
        self.due = NEVER;
    }

    /// Sets the deadline.
    #[inline]
    pub fn set(&mut self, queue: &mut Queue, key: Due, due: i64) {
        self.due = due;
        if due < self.queued {
            self.queued = due;
            queue.push(due, key);
        }
    }

    /// Tells whether the entry that the queue gave up at `now` makes this deadline fire. A deadline that
    /// moved later goes back into the queue.
    pub fn fires(&mut self, queue: &mut Queue, entry: Entry, now: i64) -> bool {
        if entry.at != self.queued {
            return false;
        }
        self.queued = NEVER;
        if self.due > now {
            if self.due != NEVER {
                let due = self.due;
                self.set(queue, entry.key, due);
            }
            return false;
        }
        self.due = NEVER;
        true
    }
}

/// One entry of the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// When it was to fall due.
    pub at: i64,
    /// Whose it is.
    pub key: Due,
}

/// Deadlines by time, then by the order of work.
#[derive(Clone, Debug, Default)]
pub struct Queue {
    heap: BinaryHeap<Reverse<Entry>>,
}

impl Queue {
    /// Returns a queue with room, so that ordinary work does not allocate.
    pub fn with_capacity(capacity: usize) -> Self {
        Self {
            heap: BinaryHeap::with_capacity(capacity),
        }
    }

    fn push(&mut self, at: i64, key: Due) {
        self.heap.push(Reverse(Entry { at, key }));
    }

    /// Returns the earliest entry's time; the true deadline may be later, never earlier.
    #[inline]
    pub fn next(&self) -> i64 {
        self.heap.peek().map_or(NEVER, |entry| entry.0.at)
    }

    /// Takes the earliest entry at or before `now`.
    pub fn pop(&mut self, now: i64) -> Option<Entry> {
        if self.next() > now {
            return None;
        }
        self.heap.pop().map(|entry| entry.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_moved_later_fires_once_and_late() {
        let mut queue = Queue::default();
        let mut timer = Timer::default();
        timer.set(&mut queue, Due::Rollover, 10);
        timer.set(&mut queue, Due::Rollover, 20);
        let entry = queue.pop(10).unwrap();
        assert!(!timer.fires(&mut queue, entry, 10));
        assert!(queue.pop(19).is_none());
        let entry = queue.pop(20).unwrap();
        assert!(timer.fires(&mut queue, entry, 20));
        assert_eq!(queue.next(), NEVER);
    }

    #[test]
    fn a_deadline_moved_earlier_leaves_a_dead_entry_behind() {
        let mut queue = Queue::default();
        let mut timer = Timer::default();
        timer.set(&mut queue, Due::Jump(3), 20);
        timer.set(&mut queue, Due::Jump(3), 10);
        let first = queue.pop(10).unwrap();
        assert!(timer.fires(&mut queue, first, 10));
        let dead = queue.pop(20).unwrap();
        assert!(!timer.fires(&mut queue, dead, 20));
    }
}
