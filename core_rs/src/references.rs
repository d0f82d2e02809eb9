//! What survives a restart: references, peaks, transfers and scopes, as JSON with their provenance.
//! The learned spreads do too, each symbol on its own (`baselines`).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::account::Account;
use crate::config::FINE_SCALE;
use crate::day::{Day, Peak};
use crate::decimal::{Decimal, format_scaled};
use crate::engine::Engine;
use crate::error::CoreError;
use crate::types::Now;

const VERSION: u32 = 1;

/// The stored file.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct File {
    version: u32,
    accounts: BTreeMap<String, StoredAccount>,
}

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
struct StoredAccount {
    day: Option<StoredReference>,
    peak: Option<StoredReference>,
    #[serde(default)]
    scopes: BTreeMap<String, StoredScope>,
    #[serde(default)]
    last_rollover_ns: Option<i64>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
struct StoredReference {
    value: String,
    transfers: String,
    taken_ns: i64,
    provenance: String,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
struct StoredScope {
    at_reference: String,
    realised: String,
}

impl Engine {
    /// Returns what must be persisted.
    ///
    /// # Errors
    /// `CoreError::State` if it cannot be written as JSON.
    pub fn references(&self) -> Result<Vec<u8>, CoreError> {
        let accounts = self
            .accounts
            .iter()
            .map(|account| (account.config.id.clone(), account.store()))
            .collect();
        let file = File {
            version: VERSION,
            accounts,
        };
        serde_json::to_vec(&file).map_err(|error| CoreError::State(error.to_string()))
    }

    /// Takes persisted references back; they are applied at the first event, when the time is known.
    ///
    /// # Errors
    /// `CoreError::State` when the data is no such file, or an account's amounts are no numbers.
    pub fn load_references(&mut self, data: &[u8]) -> Result<(), CoreError> {
        let file: File = serde_json::from_slice(data).map_err(|error| {
            CoreError::State(format!(
                "references must be this engine's JSON, was: {error}"
            ))
        })?;
        if file.version != VERSION {
            return Err(CoreError::State(format!(
                "references.version must be {VERSION}, was {}",
                file.version
            )));
        }
        for (id, stored) in &file.accounts {
            stored.check(id)?;
        }
        self.stored = Some(file);
        if self.is_started {
            self.apply_stored(self.now);
        }
        Ok(())
    }

    /// Applies what was loaded.
    pub(crate) fn apply_stored(&mut self, now: Now) {
        let Some(file) = self.stored.take() else {
            return;
        };
        for account in &mut self.accounts {
            if let Some(stored) = file.accounts.get(&account.config.id) {
                account.restore(stored, now);
            }
        }
    }
}

impl StoredAccount {
    fn check(&self, id: &str) -> Result<(), CoreError> {
        let mut texts: Vec<&str> = Vec::new();
        for reference in self.day.iter().chain(&self.peak) {
            texts.extend([reference.value.as_str(), reference.transfers.as_str()]);
        }
        for scope in self.scopes.values() {
            texts.extend([scope.at_reference.as_str(), scope.realised.as_str()]);
        }
        for text in texts {
            if Decimal::parse(text.as_bytes()).is_err() {
                return Err(CoreError::State(format!(
                    "references.accounts.{id} must hold amounts, was {text}"
                )));
            }
        }
        Ok(())
    }
}

fn scaled(text: &str, places: u8) -> i128 {
    Decimal::parse(text.as_bytes())
        .ok()
        .and_then(|decimal| decimal.to_scaled(places))
        .unwrap_or(0)
}

fn fine_text(fine: i128) -> String {
    let text = format_scaled(fine, FINE_SCALE);
    text.trim_end_matches('0').trim_end_matches('.').to_string()
}

impl Account {
    fn store(&self) -> StoredAccount {
        let digits = self.config.currency_digits;
        let reference = |value: Option<i128>, transfers: i128, taken_ns: i64, provenance: &str| {
            value.map(|value| StoredReference {
                value: format_scaled(value, digits),
                transfers: fine_text(transfers),
                taken_ns,
                provenance: provenance.to_string(),
            })
        };
        let (day, peak) = (&self.day, &self.peak);
        let scopes = self.scopes.iter().filter_map(|scope| {
            let name = self.losses.get(scope.loss)?.owner().scope.clone();
            let at_reference = format_scaled(scope.at_reference, digits);
            Some((
                name,
                StoredScope {
                    at_reference,
                    realised: fine_text(scope.realised),
                },
            ))
        });
        StoredAccount {
            day: reference(day.reference, day.transfers, day.taken_ns, &day.provenance),
            peak: reference(peak.peak, peak.transfers, peak.taken_ns, &peak.provenance),
            scopes: scopes.collect(),
            last_rollover_ns: (self.last_rollover != i64::MIN).then_some(self.last_rollover),
        }
    }

    fn restore(&mut self, stored: &StoredAccount, now: Now) {
        let digits = self.config.currency_digits;
        if let Some(peak) = &stored.peak {
            self.peak = Peak {
                peak: Some(scaled(&peak.value, digits)),
                transfers: scaled(&peak.transfers, FINE_SCALE),
                taken_ns: peak.taken_ns,
                provenance: peak.provenance.clone(),
            };
        }
        self.last_rollover = stored.last_rollover_ns.unwrap_or(i64::MIN);
        if let Some(day) = &stored.day {
            self.restore_day(day, now);
        }
        for scope in &mut self.scopes {
            let name = self
                .losses
                .get(scope.loss)
                .map(|loss| loss.owner().scope.clone())
                .unwrap_or_default();
            if let Some(known) = stored.scopes.get(&name) {
                scope.at_reference = scaled(&known.at_reference, digits);
                scope.realised = scaled(&known.realised, FINE_SCALE);
            }
        }
    }

    /// A reference of a day that has ended since must be told anew; it is never guessed from the present.
    fn restore_day(&mut self, day: &StoredReference, now: Now) {
        let limits = &self.config.limits;
        let ends = limits
            .rollover_zone
            .next_day_start(day.taken_ns, limits.rollover_time);
        if ends <= now.wall_ns {
            self.must_be_told = true;
            return;
        }
        self.day = Day {
            reference: Some(scaled(&day.value, self.config.currency_digits)),
            transfers: scaled(&day.transfers, FINE_SCALE),
            taken_ns: day.taken_ns,
            provenance: day.provenance.clone(),
        };
    }
}
