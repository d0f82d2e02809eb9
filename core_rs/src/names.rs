//! Names and their ids: found by a few machine words, without touching the text.

/// Id of no name.
pub const UNKNOWN: u32 = u32::MAX;
/// Places of the smallest table.
const PLACES_MIN: usize = 64;
/// A table has at least this many places per name.
const PLACES_PER_NAME: usize = 4;

/// A name as three words: exact up to 16 bytes, beyond that a fingerprint that is checked against the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Key {
    low: u64,
    high: u64,
    length: u32,
}

impl Key {
    #[inline]
    fn of(name: &[u8]) -> Self {
        let length = u32::try_from(name.len()).unwrap_or(u32::MAX);
        if let (Some(first), Some(last)) = (name.first_chunk::<8>(), name.last_chunk::<8>()) {
            let (mut low, mut high) = (u64::from_le_bytes(*first), u64::from_le_bytes(*last));
            if length > 16 {
                (low, high) = fingerprint(name);
            }
            return Self { low, high, length };
        }
        if let (Some(first), Some(last)) = (name.first_chunk::<4>(), name.last_chunk::<4>()) {
            let (first, last) = (u32::from_le_bytes(*first), u32::from_le_bytes(*last));
            return Self { low: u64::from(first) | u64::from(last) << 32, high: 0, length };
        }
        let low = name.iter().fold(0, |word: u64, byte| word << 8 | u64::from(*byte));
        Self { low, high: 0, length }
    }

    /// Both halves of one wide product: every bit of the name moves the low bits of the hash.
    #[inline]
    #[allow(clippy::as_conversions, clippy::cast_possible_truncation, reason = "a hash keeps the bits it needs")]
    const fn hash(self) -> usize {
        let mixed = self.low ^ self.high.rotate_left(29) ^ self.length as u64;
        let product = (mixed as u128).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835 >> 64);
        ((product >> 64) as u64 ^ product as u64) as usize
    }
}

#[cold]
fn fingerprint(name: &[u8]) -> (u64, u64) {
    const SEED: u64 = 0x517c_c1b7_2722_0a95;
    let mut words = (0u64, SEED);
    for chunk in name.chunks(8) {
        let word = chunk.iter().fold(0, |word: u64, byte| word << 8 | u64::from(*byte));
        words.0 = (words.0.rotate_left(5) ^ word).wrapping_mul(SEED);
        words.1 = (words.1.rotate_left(11) ^ word).wrapping_mul(!SEED);
    }
    words
}

#[derive(Clone, Copy, Debug)]
struct Place {
    key: Key,
    id: u32,
}

const EMPTY: Place = Place { key: Key { low: 0, high: 0, length: 0 }, id: UNKNOWN };

/// Names: ids are given once, from 0, and never change.
#[derive(Clone, Debug)]
pub struct Names {
    names: Vec<Box<str>>,
    table: Vec<Place>,
}

impl Default for Names {
    fn default() -> Self {
        Self { names: Vec::new(), table: vec![EMPTY; PLACES_MIN] }
    }
}

impl Names {
    /// Returns the number of names.
    pub const fn len(&self) -> usize {
        self.names.len()
    }

    /// Returns whether there is no name.
    pub const fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Returns the name of an id, an empty text for none.
    pub fn name(&self, id: u32) -> &str {
        usize::try_from(id).ok().and_then(|at| self.names.get(at)).map_or("", |name| name)
    }

    /// Returns the id of a name, `UNKNOWN` when it has none.
    #[inline]
    pub fn lookup(&self, name: &[u8]) -> u32 {
        let key = Key::of(name);
        let mask = self.table.len().wrapping_sub(1);
        let mut at = key.hash() & mask;
        while let Some(place) = self.table.get(at) {
            if place.id == UNKNOWN {
                return UNKNOWN;
            }
            if place.key == key && (key.length <= 16 || self.name(place.id).as_bytes() == name) {
                return place.id;
            }
            at = at.wrapping_add(1) & mask;
        }
        UNKNOWN
    }

    /// Returns the id of a name, a new one if needed.
    pub fn intern(&mut self, name: &str) -> u32 {
        let known = self.lookup(name.as_bytes());
        if known != UNKNOWN {
            return known;
        }
        let id = u32::try_from(self.names.len()).unwrap_or(UNKNOWN);
        self.names.push(name.into());
        if self.names.len().saturating_mul(PLACES_PER_NAME) > self.table.len() {
            self.table = vec![EMPTY; self.table.len().saturating_mul(4)];
            for (id, name) in (0u32..).zip(&self.names) {
                put(&mut self.table, Key::of(name.as_bytes()), id);
            }
        } else {
            put(&mut self.table, Key::of(name.as_bytes()), id);
        }
        id
    }
}

fn put(table: &mut [Place], key: Key, id: u32) {
    let mask = table.len().wrapping_sub(1);
    let mut at = key.hash() & mask;
    while let Some(place) = table.get_mut(at) {
        if place.id == UNKNOWN {
            *place = Place { key, id };
            return;
        }
        at = at.wrapping_add(1) & mask;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keep_their_ids_through_growth() {
        let mut names = Names::default();
        let text = |at: u32| format!("{}{at}", "S".repeat(usize::try_from(at % 23).unwrap()));
        for at in 0..2_000u32 {
            assert_eq!(names.intern(&text(at)), at);
        }
        for at in 0..2_000u32 {
            assert_eq!(names.lookup(text(at).as_bytes()), at);
            assert_eq!(names.name(at), text(at));
        }
        assert_eq!(names.intern(&text(7)), 7);
        for unknown in ["", "EURUSD", "S", "\0", "\0\0\0\0", "a name that is longer than sixteen bytes"] {
            assert_eq!(names.lookup(unknown.as_bytes()), UNKNOWN, "{unknown:?}");
        }
    }

    #[test]
    fn names_that_differ_in_one_byte_or_in_length_are_different() {
        let mut names = Names::default();
        let all = ["EURUSD", "EURUSE", "EURUSDx", "EURUSD\0", "EUR", "EU", "EURUSD.abcdefgh", "EURUSD.abcdefgi"];
        for (id, name) in (0u32..).zip(all) {
            assert_eq!(names.intern(name), id);
        }
    }
}
