//! What one step of an account may use: the time, the names, and a place for its findings.

use crate::decision::Finding;
use crate::names::Names;
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

/// Releases within the last hour: when there were too many, the next pause is sticky.
#[derive(Clone, Debug)]
pub struct ReleaseBudget {
    recent: Vec<i64>,
    max: usize,
}

impl ReleaseBudget {
    /// Allows `max` releases within any hour.
    pub fn new(max: usize) -> Self {
        Self {
            recent: Vec::new(),
            max,
        }
    }

    /// Returns whether a pause that begins now is sticky.
    pub fn is_spent(&self, now: i64) -> bool {
        let recent = self
            .recent
            .iter()
            .filter(|at| now.saturating_sub(**at) < HOUR_NS)
            .count();
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
