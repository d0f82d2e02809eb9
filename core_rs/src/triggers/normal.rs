//! What a normal spread is made of besides the samples.

use crate::calendar::WeekBuckets;
use crate::types::Now;

/// What is known of a symbol's normal spread besides its samples.
#[derive(Clone, Debug)]
pub struct NormalFacts {
    /// Configured normal.
    pub configured: Option<i64>,
    /// Smallest normal.
    pub floor: i64,
    /// Learned points per quarter hour of the New York week; empty without a profile.
    pub profile: Vec<Option<u32>>,
}

impl NormalFacts {
    /// Returns the learned normal of a quarter hour.
    pub fn profile_at(&self, bucket: usize) -> Option<i64> {
        self.profile.get(bucket).copied().flatten().map(i64::from)
    }
}

/// Which quarter hour of the New York week it is, and when that ends.
#[derive(Clone, Copy, Debug)]
pub struct Bucket {
    /// Number of the quarter hour.
    pub number: usize,
    /// Boot time of its end.
    pub until: i64,
}

impl Default for Bucket {
    fn default() -> Self {
        Self {
            number: 0,
            until: i64::MIN,
        }
    }
}

impl Bucket {
    /// Moves to the present.
    #[inline]
    pub fn move_to(&mut self, now: Now, weeks: &WeekBuckets) {
        if now.boot_ns >= self.until {
            let (number, until) = weeks.at(now.wall_ns);
            *self = Self {
                number,
                until: now.boot_at(until),
            };
        }
    }
}

/// Points above which a spread is anomalous, and up to which a pause may end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bounds {
    pub(super) normal: i64,
    pub(super) anomalous_above: i64,
    pub(super) clear_at: i64,
}
