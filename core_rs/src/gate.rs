//! The gate for engines in Rust: "may I open risk now?", asked of the halt page on this host.
//!
//! Exits, cancels and queries never ask. The gate fails closed: no guard, no page, a stale heartbeat or
//! anything unexpected is a refusal. It latches what it has seen: after a halt it stays closed until the
//! guard resumes that very halt, whatever happens to the page meanwhile.
//!
//! An engine on another host holds an echo lease instead: [`crate::lease::Lease`] is its state machine
//! without clock and transport, which the engine brings (`docs/WIRE.md` has the ping and the echo).

use std::fmt;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use crate::page::{Clock, Code, HostClock, PageReader, hash_word};

/// A strategy or a symbol, as the page knows it. Make it once: it costs a sha256.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Scope(u64);

impl Scope {
    /// Returns the scope of a symbol, by the name that the guard's configuration gives it.
    #[must_use]
    pub fn symbol(name: &str) -> Self {
        Self(hash_word(&format!("symbol:{name}")))
    }

    /// Returns the scope of a strategy, by the name that the guard's configuration gives it.
    #[must_use]
    pub fn strategy(name: &str) -> Self {
        Self(hash_word(&format!("strategy:{name}")))
    }
}

/// The account may open risk now. It borrows the gate, so it is gone before the next check: ask again
/// for the next order, and let the function that sends one take a permit.
#[derive(Debug)]
#[must_use = "an order goes out with its permit"]
pub struct Permit<'gate>(PhantomData<&'gate mut ()>);

/// No new risk; `Display` is a sentence for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Why, in one stable word.
    pub code: Code,
    /// What is to be added to that word's sentence: the halt's id, or why there is no page.
    pub detail: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.name(), self.code.why())?;
        if self.detail.is_empty() {
            return Ok(());
        }
        write!(f, ": {}", self.detail)
    }
}

impl std::error::Error for Refusal {}

/// One account's gate on its halt page. Each thread makes its own; each has a latch of its own.
///
/// ```
/// use edgeguard_core::gate::{Gate, Permit, Scope};
///
/// fn send(_order: &str, _permit: Permit<'_>) {}
///
/// let eurusd = Scope::symbol("EURUSD");
/// let mut gate = Gate::new("/run/edgeguard", "A");
/// match gate.check_scopes(&[eurusd]) {
///     Ok(permit) => send("buy", permit),
///     Err(refusal) => assert_eq!(refusal.code.name(), "MISSING"), // no guard runs here
/// }
/// ```
///
/// A permit cannot be kept for later:
///
/// ```compile_fail
/// # use edgeguard_core::gate::Gate;
/// let mut gate = Gate::new("/run/edgeguard", "A");
/// let first = gate.check();
/// let second = gate.check();
/// drop(first);
/// ```
#[derive(Debug)]
pub struct Gate<C: Clock = HostClock> {
    reader: PageReader,
    clock: C,
}

impl Gate {
    /// Makes a gate on `run_dir/halt.<account>`, or on that file itself. The page need not exist yet.
    #[must_use]
    pub fn new(run_dir: impl AsRef<Path>, account: &str) -> Self {
        let path = page_path(run_dir.as_ref(), account);
        Self::with_clock(&path, account, host_boot_id(), HostClock::new())
    }
}

impl<C: Clock> Gate<C> {
    /// Makes a gate with a clock of the caller's: a simulation's, or [`HostClock::exact`].
    ///
    /// `boot_id` has the 16 bytes of the host's boot id.
    #[must_use]
    pub fn with_clock(path: &Path, account: &str, boot_id: [u8; 16], clock: C) -> Self {
        Self {
            reader: PageReader::new(path, account, boot_id),
            clock,
        }
    }

    /// Answers whether the account may open risk at this instant.
    ///
    /// # Errors
    /// The refusal, with its reason.
    #[inline]
    pub fn check(&mut self) -> Result<Permit<'_>, Refusal> {
        let code = self.code();
        if code == Code::Open {
            return Ok(Permit(PhantomData));
        }
        Err(self.refusal(code))
    }

    /// Answers whether the account, and every one of these scopes, may open risk at this instant.
    ///
    /// # Errors
    /// The refusal, with its reason.
    #[inline]
    pub fn check_scopes(&mut self, scopes: &[Scope]) -> Result<Permit<'_>, Refusal> {
        let code = self.code_of(scopes);
        if code == Code::Open {
            return Ok(Permit(PhantomData));
        }
        Err(self.refusal(code))
    }

    /// Answers with the bare code, without a sentence.
    #[inline]
    pub fn code(&mut self) -> Code {
        self.reader.check(&self.clock)
    }

    /// Answers for scopes with the bare code, without a sentence.
    #[inline]
    pub fn code_of(&mut self, scopes: &[Scope]) -> Code {
        let mut words = scopes.iter().map(|scope| scope.0);
        match (words.next(), words.next(), words.next()) {
            (None, ..) => self.reader.check(&self.clock),
            (Some(one), None, _) => self.reader.check_scopes(&self.clock, &[one]),
            (Some(one), Some(two), None) => self.reader.check_scopes(&self.clock, &[one, two]),
            _ => {
                let words: Vec<u64> = scopes.iter().map(|scope| scope.0).collect();
                self.reader.check_scopes(&self.clock, &words)
            }
        }
    }

    /// Returns what is to be added to a code's sentence now.
    pub fn detail(&self, code: Code) -> String {
        match code {
            Code::Missing | Code::WrongAccount => self.reader.why().to_owned(),
            // The word is set before the guard has given the halt an id, or where no guard runs.
            Code::Halted => self.reader.facts().map_or_else(String::new, |facts| {
                if facts.manual != 0 && facts.halt_id.is_empty() {
                    "halted by hand".to_owned()
                } else {
                    facts.halt_id
                }
            }),
            Code::Open | Code::Paused | Code::Starting | Code::Stale | Code::Hole | Code::Scope => {
                String::new()
            }
        }
    }

    #[cold]
    fn refusal(&self, code: Code) -> Refusal {
        Refusal {
            code,
            detail: self.detail(code),
        }
    }
}

/// Returns the host's boot id, zeroes where the host tells none.
#[must_use]
pub fn host_boot_id() -> [u8; 16] {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .ok()
        .and_then(|text| u128::from_str_radix(&text.trim().replace('-', ""), 16).ok())
        .unwrap_or(0)
        .to_be_bytes()
}

fn page_path(run_dir: &Path, account: &str) -> PathBuf {
    let name = format!("halt.{account}");
    if run_dir.file_name().is_some_and(|last| *last == *name) {
        run_dir.to_owned()
    } else {
        run_dir.join(name)
    }
}
