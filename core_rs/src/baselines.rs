//! What survives a restart of a symbol's learned spreads: its samples, as JSON.
//!
//! They stand apart from the references, one document a symbol: these are small and must be stored at once,
//! those are large (14,400 samples a symbol with the default settings) and may be some time old.

use serde::{Deserialize, Serialize};

use crate::engine::Engine;
use crate::error::CoreError;
use crate::types::Now;

const VERSION: u32 = 1;

/// The samples of one symbol of one account, oldest first.
#[derive(Debug, Deserialize, Serialize)]
struct Stored {
    version: u32,
    /// Wall time of the first sample.
    first_ns: i64,
    /// Nanoseconds since the sample before, and the spread in points, by turns.
    steps: Vec<i64>,
}

impl Engine {
    /// Returns a symbol's samples; `None` without any, or without that account or symbol.
    ///
    /// # Errors
    /// `CoreError::State` if they cannot be written as JSON.
    pub fn baseline(&self, account: &str, symbol: &str) -> Result<Option<Vec<u8>>, CoreError> {
        let now = self.now;
        let id = self.names.lookup(symbol.as_bytes());
        let found = self.accounts.iter().find(|one| one.config.id == account);
        let samples = found
            .and_then(|account| account.symbol(id))
            .map(|symbol| symbol.spread.window().samples())
            .unwrap_or_default();
        let Some((first, _)) = samples.first().copied() else {
            return Ok(None);
        };
        let mut steps = Vec::with_capacity(samples.len().saturating_mul(2));
        let mut before = first;
        for (at, spread) in samples {
            steps.extend([at.saturating_sub(before), spread]);
            before = at;
        }
        let stored = Stored {
            version: VERSION,
            first_ns: now.wall_at(first),
            steps,
        };
        serde_json::to_vec(&stored)
            .map(Some)
            .map_err(|error| CoreError::State(error.to_string()))
    }

    /// Takes a symbol's samples back, those that are still in its window; of an account or symbol that is not
    /// configured any more nothing is taken.
    ///
    /// # Errors
    /// `CoreError::State` when the data is no such document; nothing is taken then.
    pub fn load_baseline(
        &mut self,
        account: &str,
        symbol: &str,
        data: &[u8],
        now: Now,
    ) -> Result<(), CoreError> {
        let wrong = |what: &str| {
            CoreError::State(format!(
                "baseline of {symbol} on {account} must be this engine's JSON, was: {what}"
            ))
        };
        let stored: Stored =
            serde_json::from_slice(data).map_err(|error| wrong(&error.to_string()))?;
        if stored.version != VERSION {
            return Err(wrong(&format!("version {}", stored.version)));
        }
        let mut samples = Vec::with_capacity(stored.steps.len() / 2);
        let mut at = stored.first_ns;
        for step in stored.steps.chunks(2) {
            let [after, spread] = *step else {
                return Err(wrong("a step without a spread"));
            };
            if after < 0 || spread < 0 {
                return Err(wrong("a number below 0"));
            }
            at = at.saturating_add(after);
            samples.push((now.boot_at(at), spread));
        }
        let id = self.names.lookup(symbol.as_bytes());
        let found = self
            .accounts
            .iter_mut()
            .find(|one| one.config.id == account);
        if let Some(account) = found {
            let limits = &account.config.limits;
            let oldest = now.boot_ns.saturating_sub(limits.spread_window_ns);
            samples.retain(|(at, _)| *at > oldest && *at <= now.boot_ns);
            if let Some(symbol) = usize::try_from(id)
                .ok()
                .and_then(|at| account.symbols.get_mut(at))
            {
                symbol.spread.restore(samples.into_iter(), limits);
            }
            account.refresh(id);
        }
        Ok(())
    }
}
