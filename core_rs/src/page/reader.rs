//! The gate's side of the page: attach, check, latch.

use std::path::{Path, PathBuf};

use super::clock::{Clock, TICK_NS_MAX, Tick};
use super::map::{Map, PageError};
use super::writer::boot_words;
use super::{
    BEAT_AHEAD_NS_MAX, FLAG_HOLE, FLAG_OVERFLOW, HALT_UNNAMED, LAYOUT, LEASE_NS_MAX, MAGIC,
    RESUMED_MAX, SCOPES_MAX, STATE_ACTIVE, STATE_HALTED, STATE_PAUSED, STREAK_MIN, StateWord,
    Words, hash_word, load_text, word,
};

/// How long a reader trusts that its file is still whole, in nanoseconds.
const WHOLE_NS: u64 = 1_000_000;

/// Why a gate is closed; `Open` is the only permit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Code {
    /// New risk may be opened.
    Open = 0,
    /// Halted, or a halt that this gate has seen and no resume has lifted.
    Halted = 1,
    /// Paused: exits only.
    Paused = 2,
    /// The guard has not finished its start, or the state is not known.
    Starting = 3,
    /// No fresh earned heartbeat within the lease, or too few in a row.
    Stale = 4,
    /// No page of this boot, layout and owner.
    Missing = 5,
    /// The guard has lost messages and waits for a snapshot.
    Hole = 6,
    /// The page is another account's.
    WrongAccount = 7,
    /// The strategy or the symbol is halted or paused, the account is not.
    Scope = 8,
}

impl Code {
    /// Every code, in the order of its number.
    pub const ALL: [Self; 9] = [
        Self::Open,
        Self::Halted,
        Self::Paused,
        Self::Starting,
        Self::Stale,
        Self::Missing,
        Self::Hole,
        Self::WrongAccount,
        Self::Scope,
    ];

    /// Returns the code's stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "OPEN",
            Self::Halted => "HALTED",
            Self::Paused => "PAUSED",
            Self::Starting => "STARTING",
            Self::Stale => "STALE",
            Self::Missing => "MISSING",
            Self::Hole => "HOLE",
            Self::WrongAccount => "WRONG_ACCOUNT",
            Self::Scope => "SCOPE",
        }
    }

    /// Returns the code's sentence for people.
    #[must_use]
    pub const fn why(self) -> &'static str {
        match self {
            Self::Open => "new risk may be opened",
            Self::Halted => "trading is halted; an operator's resume of that halt opens it",
            Self::Paused => "new risk is paused; it opens when the cause has cleared",
            Self::Starting => "the guard has not finished its start",
            Self::Stale => "no fresh heartbeat of the guard within its lease",
            Self::Missing => "no word of a guard",
            Self::Hole => "the guard has lost messages and waits for an account snapshot",
            Self::WrongAccount => "the halt page is another account's",
            Self::Scope => "this strategy or symbol is halted or paused",
        }
    }
}

/// The halts that one gate has seen and that no resume has lifted yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Latch {
    /// The latched halt id's word, 0 for none.
    pub halt: u64,
    /// The latched manual word, 0 for none.
    pub manual: u64,
}

impl Latch {
    /// Takes in what the page says now; returns whether the gate is latched.
    fn observe(&mut self, words: &impl Words, state: StateWord, manual: u64) -> bool {
        if self.halt != 0 && is_resumed(words, self.halt) {
            self.halt = 0;
        }
        if self.manual != 0 && is_resumed(words, self.manual) {
            self.manual = 0;
        }
        if state.state == STATE_HALTED && self.halt == 0 {
            let halt = words.load(word::HALT);
            // A page whose writer has just resumed this very halt may still say HALTED.
            if halt == 0 {
                self.halt = HALT_UNNAMED;
            } else {
                self.halt = halt;
            }
        }
        // The newest: what lifts that one lifts those before it.
        if manual != 0 {
            self.manual = manual;
        }
        self.halt != 0 || self.manual != 0
    }
}

/// Returns whether a halt's word stands in the page's ring of resumed halts.
fn is_resumed(words: &impl Words, halt: u64) -> bool {
    (0..RESUMED_MAX).any(|index| words.load(word::RESUMED.saturating_add(index)) == halt)
}

/// The words that decide about the account, as one look found them, each loaded once.
///
/// In the order of the fields: a beat before its streak, which the writer stores the other way round, and
/// the state last. A look that is held up half-way would else put together the last run's ACTIVE and the
/// beats of a next run that is still STARTING.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Look {
    magic: u64,
    layout: u64,
    beat: u64,
    lease: u64,
    streak: u64,
    manual: u64,
    state: u64,
}

impl Look {
    #[inline]
    fn load(words: &impl Words) -> Self {
        Self {
            magic: words.load(word::MAGIC),
            layout: words.load(word::LAYOUT),
            beat: words.load(word::BEAT),
            lease: words.load(word::LEASE),
            streak: words.load(word::STREAK),
            manual: words.load(word::MANUAL),
            state: words.load(word::STATE),
        }
    }

    /// Returns whether every word is the same. It compiles to one comparison a word; the derived equality,
    /// which is the same, to twice as much.
    #[inline]
    const fn is(&self, other: &Self) -> bool {
        (self.magic ^ other.magic)
            | (self.layout ^ other.layout)
            | (self.beat ^ other.beat)
            | (self.lease ^ other.lease)
            | (self.streak ^ other.streak)
            | (self.manual ^ other.manual)
            | (self.state ^ other.state)
            == 0
    }

    /// Returns how long the beat is still good at `boot_ns`; 0 for none and for one from the future.
    fn left_ns(&self, boot_ns: u64) -> u64 {
        if self.beat > boot_ns.saturating_add(BEAT_AHEAD_NS_MAX) {
            return 0;
        }
        let age_ns = boot_ns.saturating_sub(self.beat);
        self.lease.min(LEASE_NS_MAX).saturating_sub(age_ns)
    }
}

/// Judges the account at `boot_ns`. `clock` is asked again where the beat is later than that: a
/// reader that was held up between its clock and this load sees an honest beat from its future.
pub fn judge(words: &impl Words, latch: &mut Latch, boot_ns: u64, clock: impl Fn() -> u64) -> Code {
    judge_look(&Look::load(words), words, latch, boot_ns, clock)
}

fn judge_look(
    look: &Look,
    words: &impl Words,
    latch: &mut Latch,
    boot_ns: u64,
    clock: impl Fn() -> u64,
) -> Code {
    if look.magic != MAGIC || look.layout != LAYOUT {
        return if latch.halt != 0 || latch.manual != 0 {
            Code::Halted
        } else {
            Code::Missing
        };
    }
    let state = StateWord::unpack(look.state);
    if latch.observe(words, state, look.manual) {
        return Code::Halted;
    }
    let boot_ns = if look.beat > boot_ns {
        clock()
    } else {
        boot_ns
    };
    if look.left_ns(boot_ns) == 0 || look.streak < STREAK_MIN {
        return Code::Stale;
    }
    if state.flags & FLAG_OVERFLOW != 0 {
        return Code::Scope;
    }
    if state.flags & FLAG_HOLE != 0 {
        return Code::Hole;
    }
    match state.state {
        STATE_ACTIVE => Code::Open,
        STATE_PAUSED => Code::Paused,
        _ => Code::Starting,
    }
}

/// Returns the state of a scope, `None` where the page has no word of its own for it.
pub fn judge_scope(words: &impl Words, scope: u64) -> Option<StateWord> {
    for slot in 0..SCOPES_MAX {
        let at = word::SCOPES.saturating_add(slot.saturating_mul(2));
        match words.load(at) {
            0 => return None,
            hash if hash == scope => {
                return Some(StateWord::unpack(words.load(at.saturating_add(1))));
            }
            _ => {}
        }
    }
    None
}

/// Every fact of a page, for status and for a refusal's sentence.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// The state word.
    pub state: StateWord,
    /// The earned heartbeat, `CLOCK_BOOTTIME` nanoseconds.
    pub beat_ns: u64,
    /// The lease in nanoseconds.
    pub lease_ns: u64,
    /// The guard's run.
    pub epoch: u64,
    /// The manual word.
    pub manual: u64,
    /// Beats in a row.
    pub streak: u64,
    /// The halt id in force or last in force.
    pub halt_id: String,
}

/// A gate's reader of one page: finds it again when it is replaced, and keeps the latch meanwhile.
#[derive(Debug)]
pub struct PageReader {
    path: PathBuf,
    account: u64,
    boot: (u64, u64),
    map: Option<Map>,
    whole_until_ns: u64,
    permitted: Option<(Tick, Look)>,
    latch: Latch,
    scopes_latched: Vec<u64>,
    why: String,
}

impl PageReader {
    /// Makes a reader; the page need not exist yet.
    #[must_use]
    pub fn new(path: &Path, account: &str, boot_id: [u8; 16]) -> Self {
        Self {
            path: path.to_owned(),
            account: hash_word(account),
            boot: boot_words(boot_id),
            map: None,
            whole_until_ns: 0,
            permitted: None,
            latch: Latch::default(),
            scopes_latched: Vec::new(),
            why: "not looked for yet".to_owned(),
        }
    }

    /// Answers whether the account may open risk, by the caller's clock.
    ///
    /// What opened it within this very [`Tick`] opens it again, as long as each word that decided is the
    /// same: only time could have closed it, and hardly any has passed. The exact clock, and the look
    /// whether the file is still whole, come once a tick.
    #[inline]
    pub fn check(&mut self, clock: &impl Clock) -> Code {
        if let (Some(now), Some((seen, look)), Some(map)) =
            (clock.tick(), &self.permitted, &self.map)
            && now.is(seen)
            && Look::load(map).is(look)
        {
            return Code::Open;
        }
        self.check_exactly(clock)
    }

    /// Apart, so that what opens again saves no registers for it; the tick is asked for anew, before
    /// anything else, so that it need not be handed over.
    #[cold]
    #[inline(never)]
    fn check_exactly(&mut self, clock: &impl Clock) -> Code {
        self.permitted = None;
        let tick = clock.tick();
        let boot_ns = clock.boot_ns();
        if boot_ns >= self.whole_until_ns || self.map.is_none() {
            let code = self.attach(boot_ns);
            if code != Code::Open {
                self.map = None;
                return if self.latch == Latch::default() {
                    code
                } else {
                    Code::Halted
                };
            }
        }
        let Some(map) = &self.map else {
            return Code::Missing;
        };
        let look = Look::load(map);
        let code = judge_look(&look, map, &mut self.latch, boot_ns, || clock.boot_ns());
        // Near its end a lease is judged by the exact clock alone.
        if code == Code::Open && look.left_ns(boot_ns) > TICK_NS_MAX {
            self.permitted = tick.map(|tick| (tick, look));
        }
        code
    }

    /// Answers for scopes (their hash words) as well; a scope seen halted stays closed until the
    /// page itself says that it is active again.
    pub fn check_scopes(&mut self, clock: &impl Clock, scopes: &[u64]) -> Code {
        let code = self.check(clock);
        let Some(map) = &self.map else { return code };
        let mut is_closed = false;
        // Each is looked at, also after a closed one: what is halted must be seen to be latched.
        for scope in scopes {
            let known = self.scopes_latched.contains(scope);
            match judge_scope(map, *scope) {
                Some(state) if state.state == STATE_ACTIVE => {
                    if known {
                        self.scopes_latched.retain(|latched| latched != scope);
                    }
                }
                Some(state) => {
                    if state.state == STATE_HALTED && !known {
                        self.scopes_latched.push(*scope);
                    }
                    is_closed = true;
                }
                None => is_closed |= known,
            }
        }
        if is_closed && code == Code::Open {
            return Code::Scope;
        }
        code
    }

    /// Returns every fact of the page, `None` where there is none: a file without the first words of
    /// a page is none, also before the next look at the whole header.
    #[must_use]
    pub fn facts(&self) -> Option<Facts> {
        let map = self.map.as_ref().filter(|map| map.is_whole())?;
        if map.load(word::MAGIC) != MAGIC || map.load(word::LAYOUT) != LAYOUT {
            return None;
        }
        Some(Facts {
            state: StateWord::unpack(map.load(word::STATE)),
            beat_ns: map.load(word::BEAT),
            lease_ns: map.load(word::LEASE),
            epoch: map.load(word::EPOCH),
            manual: map.load(word::MANUAL),
            streak: map.load(word::STREAK),
            halt_id: load_text(map, word::HALT_TEXT),
        })
    }

    /// Returns what this gate has latched.
    #[must_use]
    pub const fn latch(&self) -> Latch {
        self.latch
    }

    /// Returns why no page is attached.
    #[must_use]
    pub fn why(&self) -> &str {
        &self.why
    }

    /// Makes sure that the page at the path is the one that is mapped; returns `Open` if it is.
    fn attach(&mut self, boot_ns: u64) -> Code {
        if !self.map.as_ref().is_some_and(Map::is_whole) {
            self.map = None;
            match Map::open(&self.path, false) {
                Ok(map) => self.map = Some(map),
                Err(error) => return self.refuse(&error),
            }
        }
        let Some(map) = &self.map else {
            return Code::Missing;
        };
        // Said as soon as a word of it changes, which may be before the next look.
        "page must have this layout's header and this boot's id".clone_into(&mut self.why);
        let header = [MAGIC, LAYOUT, self.boot.0, self.boot.1];
        if (0_usize..)
            .zip(header)
            .any(|(index, expected)| map.load(index) != expected)
        {
            return Code::Missing;
        }
        if map.load(word::ACCOUNT) != self.account {
            self.why = format!(
                "page is of account {:?}",
                load_text(map, word::ACCOUNT_TEXT)
            );
            return Code::WrongAccount;
        }
        self.whole_until_ns = boot_ns.saturating_add(WHOLE_NS);
        Code::Open
    }

    fn refuse(&mut self, error: &PageError) -> Code {
        self.why = format!("{}: {error}", self.path.display());
        Code::Missing
    }
}
