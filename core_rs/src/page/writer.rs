//! The guard's side of the page.

use std::path::{Path, PathBuf};

use super::map::{Map, PageError};
use super::{
    FLAG_OVERFLOW, LAYOUT, MAGIC, RESUMED_MAX, SCOPES_MAX, STATE_HALTED, STATE_STARTING, StateWord,
    Words, hash_word, load_text, store_text, word,
};

/// What a page said before this run took it over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The state word of the run before.
    pub state: StateWord,
    /// The halt id in force or last in force, empty for none.
    pub halt_id: String,
    /// The manual word: non-zero is a halt by hand.
    pub manual: u64,
    /// The epoch of the run before.
    pub epoch: u64,
}

/// Writes one account's page. Only the guard that holds the lock of its state directory has one.
#[derive(Debug)]
pub struct PageWriter<W: Words = Map> {
    words: W,
    lease_ns: u64,
    last_beat_ns: u64,
    streak: u64,
    resumed_next: usize,
    scopes: Vec<u64>,
    overflow: bool,
}

impl PageWriter<Map> {
    /// Takes over the page of this boot and account at `path`, or creates one beside it and renames
    /// it into place, and leaves it closed: HALTED where it was, STARTING otherwise.
    ///
    /// A page that is in place and whole is kept, so that gates that have it mapped need not look
    /// for another.
    ///
    /// # Errors
    /// [`PageError`] when the directory refuses the page.
    pub fn claim(
        path: &Path,
        account: &str,
        boot_id: [u8; 16],
        lease_ns: u64,
        epoch: u64,
    ) -> Result<(Self, Option<Found>), PageError> {
        let boot = boot_words(boot_id);
        if let Ok(map) = Map::open(path, true)
            && has_header(&map, account, boot)
        {
            let found = Found {
                state: StateWord::unpack(map.load(word::STATE)),
                halt_id: load_text(&map, word::HALT_TEXT),
                manual: map.load(word::MANUAL),
                epoch: map.load(word::EPOCH),
            };
            return Ok((Self::begin(map, lease_ns, epoch), Some(found)));
        }
        let temporary = temporary_name(path, epoch);
        let map = Map::create(&temporary)?;
        map.store(word::LAYOUT, LAYOUT);
        map.store(word::BOOT, boot.0);
        map.store(word::BOOT.saturating_add(1), boot.1);
        map.store(word::ACCOUNT, hash_word(account));
        store_text(&map, word::ACCOUNT_TEXT, account);
        let writer = Self::begin(map, lease_ns, epoch);
        // The magic word is stored last: a page without it is no page.
        writer.words.store(word::MAGIC, MAGIC);
        rustix::fs::rename(&temporary, path)?;
        Ok((writer, None))
    }

    /// Returns whether the file still has its name and size; a guard that sees it gone must stop.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.words.is_whole()
    }
}

impl<W: Words> PageWriter<W> {
    /// Closes the page for a new run and empties its tables.
    pub fn begin(words: W, lease_ns: u64, epoch: u64) -> Self {
        let before = StateWord::unpack(words.load(word::STATE));
        let state = if before.state == STATE_HALTED {
            STATE_HALTED
        } else {
            STATE_STARTING
        };
        words.store(word::STATE, StateWord { state, ..before }.pack());
        words.store(word::BEAT, 0);
        words.store(word::STREAK, 0);
        words.store(word::EPOCH, epoch);
        words.store(word::LEASE, lease_ns);
        for index in 0..RESUMED_MAX {
            words.store(word::RESUMED.saturating_add(index), 0);
        }
        for index in 0..SCOPES_MAX.saturating_mul(2) {
            words.store(word::SCOPES.saturating_add(index), 0);
        }
        Self {
            words,
            lease_ns,
            last_beat_ns: 0,
            streak: 0,
            resumed_next: 0,
            scopes: Vec::new(),
            overflow: false,
        }
    }

    /// Stores the account's state. A halt's id goes in first, so that whoever reads HALTED reads it.
    pub fn set_state(&self, state: StateWord, halt_id: &str) {
        if !halt_id.is_empty() {
            store_text(&self.words, word::HALT_TEXT, halt_id);
            self.words.store(word::HALT, hash_word(halt_id));
        }
        let mut state = state;
        if self.overflow {
            state.flags |= FLAG_OVERFLOW;
        }
        self.words.store(word::STATE, state.pack());
    }

    /// Stores the state of a scope; a slot keeps its scope for the run, so readers never see one
    /// scope's hash beside another's state. A table that is full closes the account for the run.
    pub fn set_scope(&mut self, scope: &str, state: StateWord) {
        let hash = hash_word(scope);
        let slot = self
            .scopes
            .iter()
            .position(|known| *known == hash)
            .or_else(|| {
                (self.scopes.len() < SCOPES_MAX).then(|| {
                    self.scopes.push(hash);
                    self.scopes.len().saturating_sub(1)
                })
            });
        let Some(slot) = slot else {
            self.overflow = true;
            return;
        };
        let at = word::SCOPES.saturating_add(slot.saturating_mul(2));
        self.words.store(at.saturating_add(1), state.pack());
        self.words.store(at, hash);
    }

    /// Remembers a resumed halt, or the manual word that it lifted, for gates that have it latched.
    pub fn push_resumed(&mut self, halt: u64) {
        self.words
            .store(word::RESUMED.saturating_add(self.resumed_next), halt);
        self.resumed_next = self.resumed_next.saturating_add(1) % RESUMED_MAX;
    }

    /// Stamps an earned heartbeat with the guard's own `CLOCK_BOOTTIME`.
    pub fn beat(&mut self, boot_ns: u64) {
        let gap = boot_ns.saturating_sub(self.last_beat_ns);
        self.streak = if gap < self.lease_ns {
            self.streak.saturating_add(1)
        } else {
            1
        };
        self.last_beat_ns = boot_ns;
        // The streak falls before the stamp is renewed: a reader never sees a new stamp with the
        // streak of before the gap.
        self.words.store(word::STREAK, self.streak);
        self.words.store(word::BEAT, boot_ns);
    }

    /// Returns the manual word; non-zero is a halt by hand.
    pub fn manual(&self) -> u64 {
        self.words.load(word::MANUAL)
    }

    /// Clears the manual word if it is still the one that the operator's resume was about.
    pub fn clear_manual(&self, seen: u64) -> bool {
        seen == 0 || self.words.swap_if(word::MANUAL, seen, 0)
    }
}

/// Returns the boot id as two words.
#[must_use]
pub(crate) fn boot_words(boot_id: [u8; 16]) -> (u64, u64) {
    let mut halves = boot_id.chunks_exact(8).map(|half| {
        let mut bytes = [0_u8; 8];
        bytes.copy_from_slice(half);
        u64::from_le_bytes(bytes)
    });
    (halves.next().unwrap_or(0), halves.next().unwrap_or(0))
}

/// Returns whether a page was made by this layout, on this boot, for this account.
fn has_header(words: &impl Words, account: &str, boot: (u64, u64)) -> bool {
    words.load(word::MAGIC) == MAGIC
        && words.load(word::LAYOUT) == LAYOUT
        && words.load(word::BOOT) == boot.0
        && words.load(word::BOOT.saturating_add(1)) == boot.1
        && words.load(word::ACCOUNT) == hash_word(account)
        && load_text(words, word::ACCOUNT_TEXT) == account
}

/// Returns a name beside `path` that no other run uses.
fn temporary_name(path: &Path, epoch: u64) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{}.{epoch}.tmp", std::process::id()))
}
