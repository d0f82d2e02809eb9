//! The window of spread samples with its lower median.

use std::collections::VecDeque;

/// Samples of the last `span` nanoseconds, and the same in sorted order.
#[derive(Clone, Debug)]
pub struct Window {
    span_ns: i64,
    samples: VecDeque<(i64, u32)>,
    sorted: Vec<u32>,
}

impl Window {
    /// Returns an empty window.
    pub const fn new(span_ns: i64) -> Self {
        Self { span_ns, samples: VecDeque::new(), sorted: Vec::new() }
    }

    /// Returns the number of samples.
    pub fn len(&self) -> usize {
        self.samples.len()
    }

    /// Returns whether there is no sample.
    pub fn is_empty(&self) -> bool {
        self.samples.is_empty()
    }

    /// Drops every sample `s` with `now - s >= span`.
    pub fn expire(&mut self, now: i64) {
        while let Some((at, value)) = self.samples.front().copied() {
            if now.saturating_sub(at) < self.span_ns {
                return;
            }
            self.samples.pop_front();
            if let Ok(place) = self.sorted.binary_search(&value) {
                self.sorted.remove(place);
            }
        }
    }

    /// Returns when the oldest sample leaves.
    pub fn next_expiry(&self) -> i64 {
        self.samples.front().map_or(i64::MAX, |(at, _)| at.saturating_add(self.span_ns))
    }

    /// Adds a sample that is not older than the last.
    pub fn push(&mut self, now: i64, value: i64) {
        let value = u32::try_from(value).unwrap_or(u32::MAX);
        self.samples.push_back((now, value));
        let place = self.sorted.partition_point(|other| *other <= value);
        self.sorted.insert(place, value);
    }

    /// Returns `sorted[(n - 1) / 2]`.
    pub fn lower_median(&self) -> Option<i64> {
        let middle = self.sorted.len().checked_sub(1)? / 2;
        self.sorted.get(middle).map(|value| i64::from(*value))
    }

    /// Returns all samples, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = (i64, i64)> + '_ {
        self.samples.iter().map(|(at, value)| (*at, i64::from(*value)))
    }
}
