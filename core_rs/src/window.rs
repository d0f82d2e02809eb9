//! The window of spread samples with its lower median.
//!
//! With the default settings a full hour of samples of one symbol fits in 72 KiB: a sample is its
//! interval (its place), its nanosecond within the interval (28 bits) and its spread (12 bits; a spread
//! far from the first one stands in a list). Nothing is rounded. The median moves with each sample by a few steps.

use std::collections::VecDeque;

use crate::spectrum::{SIZES, Spectrum};

/// Bits of a nanosecond within an interval.
const OFFSET_BITS: u32 = 28;
/// Widest interval whose offset fits: 268 ms.
const PACKED_WIDTH_MAX: i64 = 1 << OFFSET_BITS;
/// Largest number of places of the packed form; windows of more are kept as a plain list.
const PACKED_PLACES_MAX: i64 = 65_536;
/// Code of a spread that stands in the list.
const LISTED: u32 = 4_095;
const _: () = assert!(SIZES + 1 < 4_095);
/// Intervals up to which the next place is found step by step.
const STEPS_MAX: i64 = 16;
const OFFSET_MASK: u32 = (1 << OFFSET_BITS) - 1;

/// Samples of the last `span` nanoseconds, at most one per interval.
#[derive(Clone, Debug)]
pub struct Window {
    span_ns: i64,
    width_ns: i64,
    store: Store,
    spectrum: Spectrum,
    oldest_at: i64,
    newest_at: i64,
    count: usize,
}

#[derive(Clone, Debug)]
enum Store {
    Packed(Packed),
    Plain(VecDeque<(i64, u32)>),
}

/// A ring with one place per interval.
#[derive(Clone, Debug)]
struct Packed {
    /// Size of the ring, which is made at the first sample: a name that is never quoted costs nothing.
    places: usize,
    /// Offset in the low 28 bits, the high 4 bits of the code above.
    words: Vec<u32>,
    /// The low 8 bits of the code; code 0 is an empty place.
    codes: Vec<u8>,
    /// Spreads without a code of their own, oldest first.
    listed: VecDeque<u32>,
    oldest: Spot,
    newest: Spot,
}

/// A place of the ring and the time at which its interval begins.
#[derive(Clone, Copy, Debug, Default)]
struct Spot {
    place: usize,
    starts: i64,
}

impl Window {
    /// Returns an empty window of samples that are taken at most once per interval of `width_ns`.
    pub fn new(span_ns: i64, width_ns: i64) -> Self {
        let width_ns = width_ns.max(1);
        let places = span_ns.checked_div(width_ns).unwrap_or(0).saturating_add(2);
        let is_packed = width_ns <= PACKED_WIDTH_MAX && places <= PACKED_PLACES_MAX;
        let most = usize::try_from(places).unwrap_or(usize::MAX);
        let store = if is_packed {
            let places = usize::try_from(places).unwrap_or(2);
            Store::Packed(Packed {
                places,
                words: Vec::new(),
                codes: Vec::new(),
                listed: VecDeque::new(),
                oldest: Spot::default(),
                newest: Spot::default(),
            })
        } else {
            Store::Plain(VecDeque::new())
        };
        Self {
            span_ns,
            width_ns,
            store,
            spectrum: Spectrum::new(most),
            oldest_at: i64::MAX,
            newest_at: i64::MIN,
            count: 0,
        }
    }

    /// Returns the number of samples.
    pub const fn len(&self) -> usize {
        self.count
    }

    /// Returns whether there is no sample.
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Returns when the oldest sample leaves.
    #[inline]
    pub const fn next_expiry(&self) -> i64 {
        self.oldest_at.saturating_add(self.span_ns)
    }

    /// Returns `sorted[(n - 1) / 2]`.
    #[inline]
    pub fn lower_median(&self) -> Option<i64> {
        self.spectrum.lower_median().map(i64::from)
    }

    /// Drops every sample `s` with `now - s >= span`.
    #[inline]
    pub fn expire(&mut self, now: i64) {
        while self.count > 0 && now.saturating_sub(self.oldest_at) >= self.span_ns {
            if now.saturating_sub(self.newest_at) >= self.span_ns {
                self.clear();
                return;
            }
            self.drop_oldest();
        }
    }

    /// Adds a sample; its interval is later than the last one's.
    pub fn push(&mut self, now: i64, value: i64) {
        let value = u32::try_from(value).unwrap_or(u32::MAX);
        self.spectrum.add(value);
        match &mut self.store {
            Store::Packed(packed) => {
                let code = self
                    .spectrum
                    .place(value)
                    .and_then(|place| u32::try_from(place).ok());
                if code.is_none() {
                    packed.listed.push_back(value);
                }
                let code = code.map_or(LISTED, |place| place.saturating_add(1));
                packed.put(now, self.width_ns, code, self.count == 0);
            }
            Store::Plain(list) => list.push_back((now, value)),
        }
        if self.count == 0 {
            self.oldest_at = now;
        }
        self.newest_at = now;
        self.count = self.count.saturating_add(1);
    }

    /// Returns all samples, oldest first.
    pub fn samples(&self) -> Vec<(i64, i64)> {
        let mut copy = self.clone();
        let mut all = Vec::with_capacity(self.count);
        while copy.count > 0 {
            let at = copy.oldest_at;
            all.push((at, i64::from(copy.drop_oldest())));
        }
        all
    }

    fn clear(&mut self) {
        match &mut self.store {
            Store::Packed(packed) => {
                packed.words.fill(0);
                packed.codes.fill(0);
                packed.listed.clear();
            }
            Store::Plain(list) => list.clear(),
        }
        self.spectrum.clear();
        self.count = 0;
        self.oldest_at = i64::MAX;
        self.newest_at = i64::MIN;
    }

    /// Takes the oldest sample out and finds the next.
    fn drop_oldest(&mut self) -> u32 {
        self.count = self.count.saturating_sub(1);
        let (value, next) = match &mut self.store {
            Store::Packed(packed) => {
                let (code, next) = packed.take(self.newest_at, self.width_ns);
                let value = if code == LISTED {
                    packed.listed.pop_front().unwrap_or(0)
                } else {
                    self.spectrum.value(code.saturating_sub(1))
                };
                (value, next)
            }
            Store::Plain(list) => {
                let value = list.pop_front().map_or(0, |(_, value)| value);
                (value, list.front().map_or(i64::MAX, |(at, _)| *at))
            }
        };
        self.oldest_at = if self.count == 0 { i64::MAX } else { next };
        self.spectrum.remove(value);
        value
    }
}

impl Packed {
    /// Returns where the interval of an instant stands.
    fn spot(&self, at: i64, width: i64) -> Spot {
        let interval = at.div_euclid(width);
        let places = i64::try_from(self.places).unwrap_or(1).max(1);
        let place = usize::try_from(interval.rem_euclid(places)).unwrap_or(0);
        Spot {
            place,
            starts: interval.saturating_mul(width),
        }
    }

    #[inline]
    fn step(&self, spot: Spot, width: i64) -> Spot {
        let next = spot.place.saturating_add(1);
        let place = if next >= self.places { 0 } else { next };
        Spot {
            place,
            starts: spot.starts.saturating_add(width),
        }
    }

    fn put(&mut self, now: i64, width: i64, code: u32, is_first: bool) {
        if self.codes.is_empty() {
            self.words = vec![0; self.places];
            self.codes = vec![0; self.places];
        }
        // Steps are cheaper than a division, and the next sample is seldom far.
        let mut spot = self.newest;
        if is_first || now.saturating_sub(spot.starts) >= width.saturating_mul(STEPS_MAX) {
            spot = self.spot(now, width);
        }
        while now.saturating_sub(spot.starts) >= width {
            spot = self.step(spot, width);
        }
        self.newest = spot;
        if is_first {
            self.oldest = spot;
        }
        let offset = u32::try_from(now.saturating_sub(spot.starts)).unwrap_or(0);
        let [low, ..] = code.to_le_bytes();
        if let (Some(word), Some(byte)) = (
            self.words.get_mut(spot.place),
            self.codes.get_mut(spot.place),
        ) {
            *word = offset & OFFSET_MASK | (code >> 8) << OFFSET_BITS;
            *byte = low;
        }
    }

    /// Empties the place of the oldest sample; returns its code and the time of the next sample.
    fn take(&mut self, newest_at: i64, width: i64) -> (u32, i64) {
        let mut spot = self.oldest;
        let mut code = 0;
        if let (Some(word), Some(byte)) = (
            self.words.get_mut(spot.place),
            self.codes.get_mut(spot.place),
        ) {
            code = *word >> OFFSET_BITS << 8 | u32::from(*byte);
            *word = 0;
            *byte = 0;
        }
        loop {
            spot = self.step(spot, width);
            if spot.starts > newest_at {
                return (code, i64::MAX);
            }
            let (Some(word), Some(byte)) = (self.words.get(spot.place), self.codes.get(spot.place))
            else {
                return (code, i64::MAX);
            };
            if *word >> OFFSET_BITS != 0 || *byte != 0 {
                self.oldest = spot;
                return (
                    code,
                    spot.starts.saturating_add(i64::from(*word & OFFSET_MASK)),
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A window that keeps everything in a list and sorts it for every question.
    struct Brute {
        span: i64,
        samples: Vec<(i64, i64)>,
    }

    impl Brute {
        fn median(&mut self, now: i64) -> Option<i64> {
            self.samples
                .retain(|(at, _)| now.saturating_sub(*at) < self.span);
            let mut sorted: Vec<i64> = self.samples.iter().map(|(_, value)| *value).collect();
            sorted.sort_unstable();
            sorted.get(sorted.len().checked_sub(1)? / 2).copied()
        }
    }

    struct Random(u64);

    impl Random {
        fn below(&mut self, bound: i64) -> i64 {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            i64::try_from(self.0.checked_rem(bound.unsigned_abs()).unwrap()).unwrap()
        }
    }

    #[test]
    fn the_median_equals_the_sorted_one_in_both_forms() {
        for (seed, width, span, widest) in [
            (1, 250, 10_000, 20),
            (2, 1 << 29, 1 << 36, 20),
            (3, 250, 10_000, 100_000),
            (4, 7, 7, 3),
            (5, 250, 1_000, 4_200),
            (6, 250, 50_000, 7_000),
        ] {
            let mut random = Random(seed);
            let mut window = Window::new(span, width);
            let mut brute = Brute {
                span,
                samples: Vec::new(),
            };
            let mut now = -3 * span;
            for _ in 0..20_000 {
                let gap = if random.below(200) == 0 {
                    3 * span
                } else {
                    2 * width
                };
                let before = now.div_euclid(width);
                now += random.below(gap);
                window.expire(now);
                assert_eq!(window.lower_median(), brute.median(now));
                assert_eq!(window.len(), brute.samples.len());
                if now.div_euclid(width) > before {
                    let value = random.below(widest);
                    window.push(now, value);
                    brute.samples.push((now, value));
                }
            }
            assert_eq!(window.samples(), brute.samples);
        }
    }

    #[test]
    fn the_default_hour_fits_in_72_kib() {
        let window = Window::new(3_600_000_000_000, 250_000_000);
        let Store::Packed(packed) = &window.store else {
            panic!("the default is packed")
        };
        assert!(packed.words.len() * 4 + packed.codes.len() <= 72 * 1024);
    }
}
