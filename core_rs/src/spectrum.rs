//! Counts of spreads by size, with the lower median kept at hand.

/// Sizes that have a counter of their own; wider ones stand in a sorted list.
const SIZES: usize = 4_094;
/// Sizes per block: empty blocks are stepped over at once.
const BLOCK: usize = 64;
const BLOCKS: usize = SIZES.div_ceil(BLOCK);

/// A multiset of spreads.
#[derive(Clone, Debug)]
pub struct Spectrum {
    counts: Vec<u32>,
    blocks: [u32; BLOCKS],
    wide: Vec<u32>,
    narrow: usize,
    /// Where the median stands among the narrow sizes.
    at: usize,
    /// Narrow samples below it.
    below: usize,
}

impl Default for Spectrum {
    fn default() -> Self {
        Self {
            counts: vec![0; SIZES],
            blocks: [0; BLOCKS],
            wide: Vec::new(),
            narrow: 0,
            at: 0,
            below: 0,
        }
    }
}

impl Spectrum {
    /// Adds a spread.
    pub fn add(&mut self, value: u32) {
        let size = usize::try_from(value).unwrap_or(usize::MAX);
        if size >= SIZES {
            let place = self.wide.partition_point(|other| *other <= value);
            self.wide.insert(place, value);
        } else {
            self.count(size, true);
        }
        self.seek();
    }

    /// Takes a spread out that is in.
    pub fn remove(&mut self, value: u32) {
        let size = usize::try_from(value).unwrap_or(usize::MAX);
        if size >= SIZES {
            if let Ok(place) = self.wide.binary_search(&value) {
                self.wide.remove(place);
            }
        } else {
            self.count(size, false);
        }
        self.seek();
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.counts.fill(0);
        self.blocks.fill(0);
        self.wide.clear();
        self.narrow = 0;
        self.at = 0;
        self.below = 0;
    }

    /// Returns `sorted[(n - 1) / 2]`.
    pub fn lower_median(&self) -> Option<u32> {
        let rank = self.rank()?;
        match rank.checked_sub(self.narrow) {
            Some(place) => self.wide.get(place).copied(),
            None => u32::try_from(self.at).ok(),
        }
    }

    fn rank(&self) -> Option<usize> {
        let count = self.narrow.saturating_add(self.wide.len());
        count.checked_sub(1).map(|last| last / 2)
    }

    fn count(&mut self, size: usize, is_more: bool) {
        let step = |count: u32| {
            if is_more {
                count.saturating_add(1)
            } else {
                count.saturating_sub(1)
            }
        };
        if let Some(count) = self.counts.get_mut(size) {
            *count = step(*count);
        }
        if let Some(count) = self.blocks.get_mut(size / BLOCK) {
            *count = step(*count);
        }
        self.narrow = if is_more {
            self.narrow.saturating_add(1)
        } else {
            self.narrow.saturating_sub(1)
        };
        if size < self.at {
            self.below = if is_more {
                self.below.saturating_add(1)
            } else {
                self.below.saturating_sub(1)
            };
        }
    }

    fn here(&self) -> usize {
        self.counts
            .get(self.at)
            .map_or(0, |count| usize::try_from(*count).unwrap_or(0))
    }

    /// Moves to the size that holds the median.
    fn seek(&mut self) {
        let Some(rank) = self.rank().filter(|rank| *rank < self.narrow) else {
            return;
        };
        while self.below > rank {
            self.at = self.previous(self.at);
            self.below = self.below.saturating_sub(self.here());
        }
        while self.below.saturating_add(self.here()) <= rank {
            self.below = self.below.saturating_add(self.here());
            self.at = self.following(self.at);
        }
    }

    /// The next size below that has samples; there is one when this is called.
    fn previous(&self, from: usize) -> usize {
        let mut at = from;
        while at > 0 {
            let start = (at.saturating_sub(1) / BLOCK).saturating_mul(BLOCK);
            if self
                .blocks
                .get(start / BLOCK)
                .is_none_or(|count| *count == 0)
            {
                at = start;
                continue;
            }
            while at > start {
                at = at.saturating_sub(1);
                if self.counts.get(at).is_some_and(|count| *count > 0) {
                    return at;
                }
            }
        }
        0
    }

    /// The next size above that has samples; there is one when this is called.
    fn following(&self, from: usize) -> usize {
        let mut at = from.saturating_add(1);
        while at < SIZES {
            let end = (at / BLOCK)
                .saturating_add(1)
                .saturating_mul(BLOCK)
                .min(SIZES);
            if self.blocks.get(at / BLOCK).is_none_or(|count| *count == 0) {
                at = end;
                continue;
            }
            while at < end {
                if self.counts.get(at).is_some_and(|count| *count > 0) {
                    return at;
                }
                at = at.saturating_add(1);
            }
        }
        SIZES.saturating_sub(1)
    }
}
