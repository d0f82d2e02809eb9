//! Counts of spreads by size, with the lower median kept at hand.

/// Neighbouring sizes that have a counter of their own; others stand in two sorted lists.
pub const SIZES: usize = 2_046;
/// Counted sizes below the first one, where there are so many.
const BELOW_FIRST: u32 = 512;
/// Sizes per block: empty blocks are stepped over at once.
const BLOCK: usize = 64;
const BLOCKS: usize = SIZES.div_ceil(BLOCK);

/// Counters: narrow ones halve the memory of a baseline, wide ones hold any number of samples.
#[derive(Clone, Debug)]
enum Counts {
    Small(Vec<u16>),
    Large(Vec<u32>),
}

impl Counts {
    fn get(&self, at: usize) -> u32 {
        match self {
            Self::Small(counts) => counts.get(at).map_or(0, |count| u32::from(*count)),
            Self::Large(counts) => counts.get(at).copied().unwrap_or(0),
        }
    }

    fn step(&mut self, at: usize, is_more: bool) {
        match self {
            Self::Small(counts) => {
                if let Some(count) = counts.get_mut(at) {
                    let less = count.saturating_sub(1);
                    *count = if is_more {
                        count.saturating_add(1)
                    } else {
                        less
                    };
                }
            }
            Self::Large(counts) => {
                if let Some(count) = counts.get_mut(at) {
                    let less = count.saturating_sub(1);
                    *count = if is_more {
                        count.saturating_add(1)
                    } else {
                        less
                    };
                }
            }
        }
    }

    fn clear(&mut self) {
        match self {
            Self::Small(counts) => counts.fill(0),
            Self::Large(counts) => counts.fill(0),
        }
    }
}

/// A multiset of spreads.
#[derive(Clone, Debug)]
pub struct Spectrum {
    counts: Counts,
    blocks: [u32; BLOCKS],
    /// The smallest counted size.
    base: u32,
    /// Sizes below the counted ones, sorted.
    low: Vec<u32>,
    /// Sizes above the counted ones, sorted.
    high: Vec<u32>,
    /// Spreads of counted sizes.
    counted: usize,
    /// Where the median stands among the counted sizes.
    at: usize,
    /// Counted spreads below it.
    below: usize,
}

impl Spectrum {
    /// Returns an empty multiset that will never hold more than `most` spreads.
    pub fn new(most: usize) -> Self {
        let counts = if most < usize::from(u16::MAX) {
            Counts::Small(vec![0; SIZES])
        } else {
            Counts::Large(vec![0; SIZES])
        };
        Self {
            counts,
            blocks: [0; BLOCKS],
            base: 0,
            low: Vec::new(),
            high: Vec::new(),
            counted: 0,
            at: 0,
            below: 0,
        }
    }

    /// Returns the place of a spread among the counted sizes; `None` for one that is not counted.
    #[inline]
    pub fn place(&self, value: u32) -> Option<usize> {
        let place = usize::try_from(value.checked_sub(self.base)?).ok()?;
        (place < SIZES).then_some(place)
    }

    /// Returns the spread at a place.
    #[inline]
    pub const fn value(&self, place: u32) -> u32 {
        self.base.saturating_add(place)
    }

    /// Adds a spread. The first one decides which sizes are counted.
    pub fn add(&mut self, value: u32) {
        if self.is_empty() {
            self.base = value.saturating_sub(BELOW_FIRST);
            self.at = 0;
            self.below = 0;
        }
        if let Some(place) = self.place(value) {
            self.count(place, true);
        } else {
            let list = self.list(value);
            let place = list.partition_point(|other| *other <= value);
            list.insert(place, value);
        }
        self.seek();
    }

    /// Takes a spread out that is in.
    pub fn remove(&mut self, value: u32) {
        if let Some(place) = self.place(value) {
            self.count(place, false);
        } else {
            let list = self.list(value);
            if let Ok(place) = list.binary_search(&value) {
                list.remove(place);
            }
        }
        self.seek();
    }

    fn list(&mut self, value: u32) -> &mut Vec<u32> {
        if value < self.base {
            &mut self.low
        } else {
            &mut self.high
        }
    }

    const fn is_empty(&self) -> bool {
        self.counted == 0 && self.low.is_empty() && self.high.is_empty()
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.counts.clear();
        self.blocks.fill(0);
        self.low.clear();
        self.high.clear();
        self.counted = 0;
        self.at = 0;
        self.below = 0;
    }

    /// Returns `sorted[(n - 1) / 2]`.
    #[inline]
    pub fn lower_median(&self) -> Option<u32> {
        let rank = self.rank()?;
        let Some(above_low) = rank.checked_sub(self.low.len()) else {
            return self.low.get(rank).copied();
        };
        match above_low.checked_sub(self.counted) {
            Some(place) => self.high.get(place).copied(),
            None => u32::try_from(self.at).ok().map(|at| self.value(at)),
        }
    }

    fn rank(&self) -> Option<usize> {
        let lists = self.low.len().saturating_add(self.high.len());
        self.counted
            .saturating_add(lists)
            .checked_sub(1)
            .map(|last| last / 2)
    }

    fn count(&mut self, size: usize, is_more: bool) {
        self.counts.step(size, is_more);
        let step = |count: usize| {
            if is_more {
                count.saturating_add(1)
            } else {
                count.saturating_sub(1)
            }
        };
        if let Some(count) = self.blocks.get_mut(size / BLOCK) {
            *count = if is_more {
                count.saturating_add(1)
            } else {
                count.saturating_sub(1)
            };
        }
        self.counted = step(self.counted);
        if size < self.at {
            self.below = step(self.below);
        }
    }

    fn here(&self) -> usize {
        usize::try_from(self.counts.get(self.at)).unwrap_or(0)
    }

    /// Moves to the size that holds the median.
    fn seek(&mut self) {
        let rank = self
            .rank()
            .and_then(|rank| rank.checked_sub(self.low.len()));
        let Some(rank) = rank.filter(|rank| *rank < self.counted) else {
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
                if self.counts.get(at) > 0 {
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
                if self.counts.get(at) > 0 {
                    return at;
                }
                at = at.saturating_add(1);
            }
        }
        SIZES.saturating_sub(1)
    }
}
