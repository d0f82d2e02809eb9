//! Names and their ids: a name of up to eight bytes is one machine word, found without touching its text.

/// Id of no name.
pub const UNKNOWN: u32 = u32::MAX;
/// Longest name that is one word.
pub const SHORT_MAX: usize = 8;
/// Places of the smallest table.
const PLACES_MIN: usize = 64;
/// A table has at least this many places per name.
const PLACES_PER_NAME: usize = 4;

/// One place of the table: the whole name for a short one, a fingerprint for a longer one.
#[derive(Clone, Copy, Debug)]
struct Place {
    word: u64,
    length: u32,
    id: u32,
}

const EMPTY: Place = Place {
    word: 0,
    length: 0,
    id: UNKNOWN,
};

/// Names: ids are given once, from 0, and never change.
#[derive(Clone, Debug)]
pub struct Names {
    names: Vec<Box<str>>,
    table: Vec<Place>,
}

impl Default for Names {
    fn default() -> Self {
        Self {
            names: Vec::new(),
            table: vec![EMPTY; PLACES_MIN],
        }
    }
}

/// The uppermost bits of one product: every bit of the name moves them.
#[inline]
#[allow(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    reason = "a hash keeps the bits it needs"
)]
const fn first_place(word: u64, places: usize) -> usize {
    let product = word.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    // The number of places is a power of two above one.
    (product >> (places.leading_zeros() & 63).wrapping_add(1)) as usize
}

/// Returns a short name as a word, a longer one's fingerprint.
fn word_of(name: &[u8]) -> u64 {
    if name.len() <= SHORT_MAX {
        return name
            .iter()
            .rev()
            .fold(0, |word: u64, byte| word << 8 | u64::from(*byte));
    }
    name.chunks(8).fold(0x51, |word: u64, chunk| {
        let next = chunk
            .iter()
            .fold(0, |word: u64, byte| word << 8 | u64::from(*byte));
        (word.rotate_left(5) ^ next).wrapping_mul(0x517c_c1b7_2722_0a95)
    })
}

/// Returns the word of a short name that stands at the beginning of eight bytes.
#[inline]
pub const fn short_word(bytes: [u8; 8], length: usize) -> u64 {
    let word = u64::from_le_bytes(bytes);
    if length >= SHORT_MAX {
        word
    } else {
        word & !(u64::MAX << (length & 7).wrapping_mul(8))
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
        usize::try_from(id)
            .ok()
            .and_then(|at| self.names.get(at))
            .map_or("", |name| name)
    }

    /// Returns the id of a short name by its word, `UNKNOWN` when it has none.
    #[inline]
    pub fn lookup_short(&self, word: u64, length: u32) -> u32 {
        let mask = self.table.len().wrapping_sub(1);
        let mut at = first_place(word, self.table.len());
        while let Some(place) = self.table.get(at) {
            if place.id == UNKNOWN || (place.word == word && place.length == length) {
                return place.id;
            }
            at = at.wrapping_add(1) & mask;
        }
        UNKNOWN
    }

    /// Returns the id of a name, `UNKNOWN` when it has none.
    pub fn lookup(&self, name: &[u8]) -> u32 {
        let (word, length) = (word_of(name), length_of(name));
        if name.len() <= SHORT_MAX {
            return self.lookup_short(word, length);
        }
        let mask = self.table.len().wrapping_sub(1);
        let mut at = first_place(word, self.table.len());
        while let Some(place) = self.table.get(at) {
            if place.id == UNKNOWN {
                return UNKNOWN;
            }
            if place.word == word && self.name(place.id).as_bytes() == name {
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
                put(&mut self.table, name.as_bytes(), id);
            }
        } else {
            put(&mut self.table, name.as_bytes(), id);
        }
        id
    }
}

fn length_of(name: &[u8]) -> u32 {
    u32::try_from(name.len()).unwrap_or(u32::MAX)
}

fn put(table: &mut [Place], name: &[u8], id: u32) {
    let (word, length) = (word_of(name), length_of(name));
    let mask = table.len().wrapping_sub(1);
    let mut at = first_place(word, table.len());
    while let Some(place) = table.get_mut(at) {
        if place.id == UNKNOWN {
            *place = Place { word, length, id };
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
        for unknown in [
            "",
            "EURUSD",
            "S",
            "\0",
            "\0\0\0\0",
            "a name that is longer than sixteen bytes",
        ] {
            assert_eq!(names.lookup(unknown.as_bytes()), UNKNOWN, "{unknown:?}");
        }
    }

    #[test]
    fn names_that_differ_in_one_byte_or_in_length_are_different() {
        let mut names = Names::default();
        let all = [
            "EURUSD",
            "EURUSE",
            "EURUSDx",
            "EURUSD\0",
            "EUR",
            "EU",
            "EURUSD.abcdefgh",
            "EURUSD.abcdefgi",
        ];
        for (id, name) in (0u32..).zip(all) {
            assert_eq!(names.intern(name), id);
        }
    }

    #[test]
    fn a_word_is_read_from_eight_bytes_of_which_only_the_name_counts() {
        let mut names = Names::default();
        for (id, name) in (0u32..).zip(["E", "EURUSD", "EURUSD.r"]) {
            names.intern(name);
            let mut bytes = [0xcb; 8];
            bytes[..name.len()].copy_from_slice(name.as_bytes());
            let length = u32::try_from(name.len()).unwrap();
            assert_eq!(
                names.lookup_short(short_word(bytes, name.len()), length),
                id
            );
        }
        assert_eq!(short_word([7; 8], 0), 0);
    }
}
