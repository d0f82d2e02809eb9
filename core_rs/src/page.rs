//! The halt page: one account's trading state in 4096 bytes of shared memory, one fact per word.
//!
//! The guard is the only writer, but for the manual word, which others may set and only the guard's
//! resume clears. Every fact is one aligned little-endian `u64`, stored with release and loaded with
//! acquire, so that no fact is ever torn and no lock is needed. Anything unexpected reads as closed.
//! `docs/WIRE.md`, section "Halt page", is the layout for other languages.

mod clock;
mod map;
mod reader;
mod writer;

pub use clock::{Clock, HostClock, TICK_NS_MAX, Tick};
pub use map::{Map, PageError};
pub use reader::{Code, Facts, Latch, PageReader, judge, judge_scope};
pub use writer::{Found, PageWriter};

use sha2::{Digest, Sha256};

/// Size of a page in bytes; a file of any other size is no page.
pub const PAGE_BYTES: usize = 4096;
/// Words in a page.
pub const PAGE_WORDS: usize = PAGE_BYTES / 8;
/// Word 0 of every page: the bytes `EDGEGRD1`.
pub const MAGIC: u64 = u64::from_le_bytes(*b"EDGEGRD1");
/// Word 1: layout version 1 in the low half, the page size in the high half.
pub const LAYOUT: u64 = 1 | (4096 << 32);
/// Longest lease that a reader honours, in nanoseconds: a hostile lease must not hold a gate open.
pub const LEASE_NS_MAX: u64 = 60_000_000_000;
/// A beat this far ahead of the reader's clock is still taken for a fresh one, in nanoseconds.
pub const BEAT_AHEAD_NS_MAX: u64 = 1_000_000;
/// Beats in a row, each within one lease of the one before, without which a page is not trusted.
pub const STREAK_MIN: u64 = 3;
/// Resumed halts that a page remembers; a gate that slept through more stays closed.
pub const RESUMED_MAX: usize = 32;
/// Scopes that a page can hold; one more sets the overflow flag, which closes the account.
pub const SCOPES_MAX: usize = 64;
/// Bytes for the account's and the halt's id, zero padded.
pub const TEXT_BYTES: usize = 64;
/// What a gate latches when a page is halted without an id: no resume ever lifts it.
pub const HALT_UNNAMED: u64 = u64::MAX;

/// Index of each word; the offset in bytes is eight times it.
pub mod word {
    /// `EDGEGRD1`.
    pub const MAGIC: usize = 0;
    /// Layout version and page size.
    pub const LAYOUT: usize = 1;
    /// First half of the boot id; the second follows.
    pub const BOOT: usize = 2;
    /// First eight bytes of sha256 of the account id.
    pub const ACCOUNT: usize = 4;
    /// Lease in nanoseconds.
    pub const LEASE: usize = 5;
    /// The state word, see [`super::StateWord`].
    pub const STATE: usize = 8;
    /// Earned heartbeat: `CLOCK_BOOTTIME` in nanoseconds.
    pub const BEAT: usize = 9;
    /// The guard's run: wall nanoseconds at its start.
    pub const EPOCH: usize = 10;
    /// First eight bytes of sha256 of the halt id, 0 for none.
    pub const HALT: usize = 11;
    /// Beats in a row without a gap of a lease or more.
    pub const STREAK: usize = 12;
    /// Non-zero: halted by hand. Anyone with the right stores a number of their own over what is there; the
    /// guard's resume exchanges the one that it was about, and no other, for 0.
    pub const MANUAL: usize = 16;
    /// Account id, utf-8, zero padded, 64 bytes.
    pub const ACCOUNT_TEXT: usize = 24;
    /// Halt id, utf-8, zero padded, 64 bytes.
    pub const HALT_TEXT: usize = 32;
    /// Ring of the last resumed halts' words, newest anywhere.
    pub const RESUMED: usize = 64;
    /// Pairs of scope hash and state word; hash 0 ends the table.
    pub const SCOPES: usize = 128;
}

/// Flag of the state word: a hole in fills, account or errors.
pub const FLAG_HOLE: u8 = 1;
/// Flag of the state word: the halt in force is not on disk yet.
pub const FLAG_NOT_DURABLE: u8 = 2;
/// Flag of the state word: some scope differs from its account.
pub const FLAG_SCOPES: u8 = 4;
/// Flag of the state word: more scopes than the table holds; everything is closed.
pub const FLAG_OVERFLOW: u8 = 8;

/// State byte: entries are let through.
pub const STATE_STARTING: u8 = 1;
/// State byte: open.
pub const STATE_ACTIVE: u8 = 2;
/// State byte: no new risk.
pub const STATE_PAUSED: u8 = 3;
/// State byte: latched.
pub const STATE_HALTED: u8 = 4;

/// The state word taken apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StateWord {
    /// 0 unknown, 1 STARTING, 2 ACTIVE, 3 PAUSED, 4 HALTED.
    pub state: u8,
    /// 0 none, 1 (highest) to 4.
    pub severity: u8,
    /// 0 NONE, 1 `IN_PROGRESS`, 2 `FLAT_VERIFIED`, 3 `NOT_FLAT`.
    pub flatten: u8,
    /// The `FLAG_` bits.
    pub flags: u8,
    /// Counts changes of the state; wraps.
    pub state_seq: u32,
}

impl StateWord {
    /// Returns the word as stored: state in the lowest byte, `state_seq` in the high half.
    #[must_use]
    pub const fn pack(self) -> u64 {
        let [a, b, c, d] = self.state_seq.to_le_bytes();
        u64::from_le_bytes([
            self.state,
            self.severity,
            self.flatten,
            self.flags,
            a,
            b,
            c,
            d,
        ])
    }

    /// Takes a stored word apart.
    #[must_use]
    pub const fn unpack(word: u64) -> Self {
        let [state, severity, flatten, flags, a, b, c, d] = word.to_le_bytes();
        Self {
            state,
            severity,
            flatten,
            flags,
            state_seq: u32::from_le_bytes([a, b, c, d]),
        }
    }
}

/// The words of a page: shared memory in production, plain atomics under a simulation or a model
/// checker. Loads are acquire, stores are release; an index past the page reads 0 and stores nothing.
pub trait Words {
    /// Loads a word.
    fn load(&self, index: usize) -> u64;
    /// Stores a word.
    fn store(&self, index: usize, value: u64);
    /// Replaces `seen` by `value`; returns whether the word was still `seen`.
    fn swap_if(&self, index: usize, seen: u64, value: u64) -> bool;
}

/// Returns the word that stands for an id or a scope: the first eight bytes of its sha256,
/// little-endian, never 0.
#[must_use]
pub fn hash_word(text: &str) -> u64 {
    let digest = Sha256::digest(text.as_bytes());
    let mut head = [0_u8; 8];
    for (to, from) in head.iter_mut().zip(digest.iter()) {
        *to = *from;
    }
    u64::from_le_bytes(head).max(1)
}

/// Stores zero-padded text of at most [`TEXT_BYTES`] from a word index on; longer text is cut.
pub(crate) fn store_text(words: &impl Words, start: usize, text: &str) {
    let mut bytes = [0_u8; TEXT_BYTES];
    for (to, from) in bytes.iter_mut().zip(text.bytes()) {
        *to = from;
    }
    for (offset, chunk) in bytes.chunks_exact(8).enumerate() {
        let mut word = [0_u8; 8];
        word.copy_from_slice(chunk);
        words.store(start.saturating_add(offset), u64::from_le_bytes(word));
    }
}

/// Loads zero-padded text; bytes that are no utf-8 are replaced.
pub(crate) fn load_text(words: &impl Words, start: usize) -> String {
    let mut bytes = Vec::with_capacity(TEXT_BYTES);
    for offset in 0..TEXT_BYTES / 8 {
        bytes.extend_from_slice(&words.load(start.saturating_add(offset)).to_le_bytes());
    }
    let end = bytes
        .iter()
        .position(|byte| *byte == 0)
        .unwrap_or(bytes.len());
    String::from_utf8_lossy(bytes.get(..end).unwrap_or_default()).into_owned()
}
