//! What one step of an account may use: the time, the names, and a place for its findings.

use crate::decision::Finding;
use crate::types::Now;

/// Nanoseconds of the hour in which releases are counted.
const HOUR_NS: i64 = 3_600_000_000_000;

/// The surroundings of one step.
#[derive(Debug)]
pub struct Context<'a> {
    /// Time of the event, or of the deadline.
    pub now: Now,
    /// Symbol names by id.
    pub names: &'a Names,
    /// Findings of this step.
    pub out: &'a mut Vec<Finding>,
    /// Set when a fresh read of the account is wanted.
    pub fresh_read: &'a mut bool,
}

/// Symbol names: ids are given once and never change.
#[derive(Clone, Debug)]
pub struct Names {
    names: Vec<Box<str>>,
    table: Vec<u32>,
    last: u32,
}

/// Id of no symbol.
pub const UNKNOWN: u32 = u32::MAX;

impl Default for Names {
    fn default() -> Self {
        Self { names: Vec::new(), table: vec![UNKNOWN; 64], last: UNKNOWN }
    }
}

impl Names {
    /// Returns the number of names.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Returns whether there is no name.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Returns the name of an id.
    pub fn name(&self, id: u32) -> &str {
        usize::try_from(id).ok().and_then(|at| self.names.get(at)).map_or("", |name| name)
    }

    /// Returns the id of a name, `UNKNOWN` when it has none; remembers the last answer.
    #[inline]
    pub fn find(&mut self, name: &[u8]) -> u32 {
        if self.name(self.last).as_bytes() == name && self.last != UNKNOWN {
            return self.last;
        }
        let id = self.lookup(name);
        if id != UNKNOWN {
            self.last = id;
        }
        id
    }

    /// Returns the id of a name, `UNKNOWN` when it has none.
    #[inline]
    pub fn lookup(&self, name: &[u8]) -> u32 {
        let mask = self.table.len().wrapping_sub(1);
        let mut slot = hash(name) & mask;
        loop {
            match self.table.get(slot) {
                Some(&id) if id != UNKNOWN => {
                    if self.name(id).as_bytes() == name {
                        return id;
                    }
                }
                _ => return UNKNOWN,
            }
            slot = slot.wrapping_add(1) & mask;
        }
    }

    /// Returns the id of a name, a new one if needed.
    pub fn intern(&mut self, name: &str) -> u32 {
        let known = self.lookup(name.as_bytes());
        if known != UNKNOWN {
            return known;
        }
        let id = u32::try_from(self.names.len()).unwrap_or(UNKNOWN);
        self.names.push(name.into());
        if self.names.len().saturating_mul(4) > self.table.len() {
            self.table = vec![UNKNOWN; self.table.len().saturating_mul(4)];
            for (at, name) in self.names.iter().enumerate() {
                let id = u32::try_from(at).unwrap_or(UNKNOWN);
                place(&mut self.table, name.as_bytes(), id);
            }
        } else {
            place(&mut self.table, name.as_bytes(), id);
        }
        id
    }
}

fn place(table: &mut [u32], name: &[u8], id: u32) {
    let mask = table.len().wrapping_sub(1);
    let mut slot = hash(name) & mask;
    while let Some(entry) = table.get_mut(slot) {
        if *entry == UNKNOWN {
            *entry = id;
            return;
        }
        slot = slot.wrapping_add(1) & mask;
    }
}

/// A fixed multiply-and-rotate hash: the table never holds names that a stranger may add without bound.
#[inline]
#[allow(clippy::as_conversions, clippy::cast_possible_truncation, reason = "a hash keeps the bits it needs")]
fn hash(name: &[u8]) -> usize {
    const SEED: u64 = 0x517c_c1b7_2722_0a95;
    let mut state: u64 = 0;
    let mut rest = name;
    while let Some((chunk, tail)) = rest.split_first_chunk::<8>() {
        state = (state.rotate_left(5) ^ u64::from_le_bytes(*chunk)).wrapping_mul(SEED);
        rest = tail;
    }
    let mut last: u64 = 0;
    for byte in rest {
        last = last << 8 | u64::from(*byte);
    }
    state = (state.rotate_left(5) ^ last).wrapping_mul(SEED);
    (state >> 32) as usize
}

/// Releases within the last hour: when there were too many, the next pause is sticky.
#[derive(Clone, Debug)]
pub struct ReleaseBudget {
    recent: Vec<i64>,
    max: usize,
}

impl ReleaseBudget {
    /// Allows `max` releases within any hour.
    pub fn new(max: usize) -> Self {
        Self { recent: Vec::new(), max }
    }

    /// Returns whether a pause that begins now is sticky.
    pub fn is_spent(&self, now: i64) -> bool {
        let recent = self.recent.iter().filter(|at| now.saturating_sub(**at) < HOUR_NS).count();
        recent >= self.max
    }

    /// Counts a release.
    pub fn spend(&mut self, now: i64) {
        self.recent.retain(|at| now.saturating_sub(*at) < HOUR_NS);
        self.recent.push(now);
    }

    /// Forgets all releases: after an operator's resume.
    pub fn reset(&mut self) {
        self.recent.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keep_their_ids_through_growth() {
        let mut names = Names::default();
        for at in 0..1_000u32 {
            assert_eq!(names.intern(&format!("SYM{at}")), at);
        }
        for at in 0..1_000u32 {
            assert_eq!(names.find(format!("SYM{at}").as_bytes()), at);
        }
        assert_eq!(names.find(b"EURUSD"), UNKNOWN);
        assert_eq!(names.find(b""), UNKNOWN);
        assert_eq!(names.intern("SYM7"), 7);
    }

    #[test]
    fn the_budget_counts_releases_of_the_last_hour() {
        let mut budget = ReleaseBudget::new(2);
        assert!(!budget.is_spent(0));
        budget.spend(0);
        budget.spend(1);
        assert!(budget.is_spent(HOUR_NS - 1));
        assert!(!budget.is_spent(HOUR_NS));
        assert!(ReleaseBudget::new(0).is_spent(0));
    }
}
