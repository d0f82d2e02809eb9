//! Recorded tick files, merged in time order; at one instant in the order in which they were given.

use crate::account::Account;
use crate::batch::Quoted;
use crate::engine::Engine;
use crate::error::CoreError;
use crate::names::UNKNOWN;
use crate::tick_file::{About, Parsed, RawTick, parse};
use crate::ticks::{ExactQuote, TickRow};
use crate::types::{Now, Origin};

/// One file on its way.
#[derive(Debug)]
struct TickFile {
    symbol: u32,
    symbol_name: String,
    source: u32,
    rows: Vec<RawTick>,
    next: usize,
    fault: Option<CoreError>,
}

impl TickFile {
    /// Returns the time of what comes next: a row, or the fault right after the last row.
    fn time(&self) -> Option<i64> {
        match self.rows.get(self.next) {
            Some(row) => Some(row.t_ns),
            None if self.fault.is_some() => Some(self.rows.last().map_or(i64::MIN, |row| row.t_ns)),
            None => None,
        }
    }
}

/// All files in the order in which they were given.
#[derive(Debug, Default)]
pub struct TickFiles {
    files: Vec<TickFile>,
}

/// Up to where a run goes: an event of another input, exclusive.
#[derive(Clone, Copy, Debug)]
pub struct Until {
    /// Its time; `None` is the end of everything.
    pub t_ns: Option<i64>,
    /// Its input's order.
    pub order: usize,
}

impl Engine {
    /// Parses a tick file. A fault inside it is raised when the replay gets there. Returns its rows.
    ///
    /// # Errors
    /// `CoreError::Argument` for an unknown kind or a missing day.
    pub fn add_tick_file(&mut self, about: About<'_>, data: &[u8]) -> Result<usize, CoreError> {
        let (symbol, name) = (about.symbol, about.name);
        let id = self.names.lookup(symbol.as_bytes());
        let facts = self
            .accounts
            .first()
            .and_then(|account| account.symbol(id)?.facts.as_ref());
        let digits = facts.map_or(5, |facts| facts.digits);
        let Parsed { rows, fault } = parse(about, data, digits)?;
        let source = self.register_source(name);
        let count = rows.len();
        self.files.files.push(TickFile {
            symbol: id,
            symbol_name: symbol.to_string(),
            source,
            rows,
            next: 0,
            fault,
        });
        Ok(count)
    }

    /// Runs merged ticks up to an event of another input; returns how many, at most `max`.
    ///
    /// # Errors
    /// The fault of a file when the replay gets there; `CoreError::Config` for a symbol without digits.
    pub fn run_tick_files(&mut self, until: Until, max: usize) -> Result<usize, CoreError> {
        let mut count = 0;
        while count < max {
            let Some((at, t_ns)) = self.earliest() else {
                break;
            };
            if until
                .t_ns
                .is_some_and(|limit| (t_ns, at) >= (limit, until.order))
            {
                break;
            }
            self.run_file_row(at)?;
            count = count.saturating_add(1);
        }
        self.refresh_due();
        Ok(count)
    }

    fn earliest(&self) -> Option<(usize, i64)> {
        let mut best: Option<(usize, i64)> = None;
        for (at, file) in self.files.files.iter().enumerate() {
            if let Some(time) = file.time()
                && best.is_none_or(|(_, known)| time < known)
            {
                best = Some((at, time));
            }
        }
        best
    }

    fn run_file_row(&mut self, at: usize) -> Result<(), CoreError> {
        let Some(file) = self.files.files.get_mut(at) else {
            return Ok(());
        };
        let Some(raw) = file.rows.get(file.next).copied() else {
            return file.fault.take().map_or(Ok(()), Err);
        };
        if file.symbol == UNKNOWN {
            file.symbol = self.names.lookup(file.symbol_name.as_bytes());
        }
        file.next = file.next.saturating_add(1);
        let symbol = file.symbol;
        let now = Now {
            wall_ns: raw.t_ns,
            boot_ns: raw.t_ns,
        };
        let origin = Origin {
            source: file.source,
            line: raw.line,
        };
        self.index = self.index.saturating_add(1);
        self.move_clock(now, origin);
        let has_facts = |account: &Account| {
            account
                .symbol(symbol)
                .is_some_and(|symbol| symbol.facts.is_some())
        };
        if !self.accounts.iter().all(has_facts) {
            let name = self
                .files
                .files
                .get(at)
                .map_or("", |file| file.symbol_name.as_str());
            return Err(CoreError::config(format!(
                "symbol {name} must have digits in [[symbol]] or a symbol line, had none"
            )));
        }
        let row = TickRow {
            bid: f64::NAN,
            ask: f64::NAN,
            stamp: raw.t_ns,
            symbol,
            exact: 1,
        };
        let prices = ExactQuote {
            bid: raw.bid,
            ask: raw.ask,
        };
        self.counters.ticks = self.counters.ticks.saturating_add(1);
        self.run_row(
            &Quoted {
                row: &row,
                prices,
                publisher: 0,
            },
            None,
            now,
            origin,
        );
        self.refresh_due();
        Ok(())
    }
}
