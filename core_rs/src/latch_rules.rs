//! What has become durable: pure bookkeeping of the latch's two copies.
//!
//! The twin of `Copies` and `Latcher.settle` in `edgeguard/guard`. A halt counts as durable when one copy
//! has it, a resume when both have it: that is what makes "halted if any says so" safe.

use std::collections::BTreeMap;

/// One of the two copies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The two-slot file.
    File,
    /// The journal's row.
    Row,
}

/// What a finished write means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// One copy at least has this halt.
    Durable {
        /// The halt.
        halt_id: String,
    },
    /// Both copies are without this halt, or the write of one of them failed.
    Resume {
        /// The halt that is to be lifted.
        halt_id: String,
        /// Whether both have it.
        is_written: bool,
    },
}

/// Which record each copy has on disk, and who waits for which.
#[derive(Clone, Debug, Default)]
pub struct LatchRules {
    file: i64,
    row: i64,
    halts: BTreeMap<String, i64>,
    resumes: BTreeMap<String, i64>,
}

impl LatchRules {
    /// The record `number`, which holds these halts, is on its way to both copies.
    pub fn begun<'a>(&mut self, number: i64, halts: impl IntoIterator<Item = &'a str>) {
        for halt_id in halts {
            self.halts.entry(halt_id.to_owned()).or_insert(number);
        }
    }

    /// Somebody waits until both copies reached `number`, the record without `halt_id`.
    pub fn await_resume(&mut self, halt_id: &str, number: i64) {
        self.resumes.insert(halt_id.to_owned(), number);
    }

    /// The write of record `number` in one place ended.
    pub fn settle(&mut self, place: Place, number: i64, is_good: bool) -> Vec<Told> {
        if is_good {
            let known = match place {
                Place::File => &mut self.file,
                Place::Row => &mut self.row,
            };
            *known = number.max(*known);
        }
        let (any, both) = (self.file.max(self.row), self.both());
        let mut told = Vec::new();
        self.halts.retain(|halt_id, wanted| {
            let waits = any < *wanted;
            if !waits {
                told.push(Told::Durable {
                    halt_id: halt_id.clone(),
                });
            }
            waits
        });
        self.resumes.retain(|halt_id, wanted| {
            let is_failed = !is_good && number >= *wanted;
            let is_written = both >= *wanted;
            if is_failed || is_written {
                told.push(Told::Resume {
                    halt_id: halt_id.clone(),
                    is_written: !is_failed,
                });
            }
            !is_failed && !is_written
        });
        told
    }

    /// Returns the newest record that both copies have reached in this run, 0 for none.
    #[must_use]
    pub fn both(&self) -> i64 {
        self.file.min(self.row)
    }
}
