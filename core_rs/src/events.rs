//! One message on one account: which handler takes it, and what proves that a source lives.

use crate::account::Account;
use crate::context::Context;
use crate::decimal::Decimal;
use crate::dispatch::Parts;
use crate::facts::{DIGITS_MAX, Fact, FactLayer};
use crate::fills::{Deal, Snapshot};
use crate::msgpack::Malformed;
use crate::names::UNKNOWN;
use crate::session::Session;
use crate::triggers::connection_lost::Source;
use crate::types::{Now, ProfitMode};
use crate::wire::{self, Header, Message};

/// A tick of the terminal so soon after the feed's last one is the same quote on another way.
const QUIET_GRACE_NS: i64 = 2_000_000_000;
/// Largest number of sources of one account: a bound against strangers.
const SOURCES_MAX: usize = 1024;

/// One message on its way to an account.
pub(crate) struct Event<'a> {
    pub(crate) header: &'a Header<'a>,
    pub(crate) message: &'a Message<'a>,
    pub(crate) parts: &'a Parts,
    pub(crate) pair: Option<(u32, i64)>,
}

impl Account {
    pub(crate) fn on_event(
        &mut self,
        event: &Event<'_>,
        ctx: &mut Context<'_>,
    ) -> Result<(), String> {
        let symbol = event.parts.symbol;
        match event.message {
            Message::Fill(fill) => self.on_fill(
                &Deal {
                    deal: fill.deal,
                    position: fill.position,
                    symbol,
                    side: fill.side,
                    entry: fill.entry,
                    volume: fill.volume,
                    price: fill.price,
                    amounts: fill.amounts,
                    magic: fill.magic,
                },
                ctx,
            ),
            Message::Account(account) => {
                let snapshot = Snapshot {
                    balance: account.balance,
                    equity: account.equity,
                    last_deal: account.last_deal,
                    is_fresh: !self.is_live || account.request > 0,
                };
                self.on_snapshot(&snapshot, &event.parts.rows, ctx);
            }
            Message::Error(error) => {
                if event.header.source != "edgeguard" {
                    self.count_class(error.class, event.pair, ctx);
                }
            }
            Message::Heartbeat => self.on_heartbeat(event.header.source, ctx.now),
            Message::Transfer(transfer) => self.on_transfer(transfer.kind, transfer.amount),
            Message::Terminal(terminal) => self.on_terminal(terminal.connected, ctx.now),
            Message::Symbol(_) => {
                if let Some(layer) = &event.parts.facts {
                    return self.update_facts(symbol, layer, ctx.names);
                }
            }
            Message::Ticks(_) => {}
        }
        Ok(())
    }

    fn on_terminal(&mut self, connected: bool, now: Now) {
        let limits = &self.config.limits;
        for (number, source) in (0u32..).zip(self.sources.iter_mut()) {
            if source.name() == "terminal" {
                if connected {
                    source.prove(number, now, limits, &mut self.queue);
                } else {
                    source.arm(number, now, limits, &mut self.queue);
                }
            }
        }
    }

    /// A heartbeat of the engine, or of a feed as `feed:NAME`. In a replay a feed that the configuration
    /// does not name is a source from its first heartbeat on.
    fn on_heartbeat(&mut self, publisher: &str, now: Now) {
        let is_feed = publisher.starts_with("feed:");
        if (publisher != "engine" && !is_feed) || self.prove(publisher, now) {
            return;
        }
        let is_optional = self.optional_feeds.iter().any(|name| name == publisher);
        if self.is_live || is_optional || self.sources.len() >= SOURCES_MAX {
            return;
        }
        let number = u32::try_from(self.sources.len()).unwrap_or(UNKNOWN);
        let mut source = Source::new(publisher.to_string(), Session::default());
        source.prove(number, now, &self.config.limits, &mut self.queue);
        self.sources.push(source);
    }

    fn prove(&mut self, name: &str, now: Now) -> bool {
        let found = (0u32..)
            .zip(self.sources.iter_mut())
            .find(|(_, source)| source.name() == name);
        let Some((number, source)) = found else {
            return false;
        };
        source.prove(number, now, &self.config.limits, &mut self.queue);
        true
    }

    /// Live, any valid tick is a proof of its feed.
    pub(crate) fn prove_feed(&mut self, publisher: &str, now: Now) {
        let plain = publisher.strip_prefix("feed:").unwrap_or(publisher);
        let found = (0u32..)
            .zip(self.sources.iter_mut())
            .find(|(_, source)| source.name().strip_prefix("feed:") == Some(plain));
        if let Some((number, source)) = found {
            source.prove(number, now, &self.config.limits, &mut self.queue);
        }
    }

    /// Live, the terminal's own quotes are what a silent feed is held against.
    pub(crate) fn note_terminal_tick(&mut self, symbol: u32, now: Now) {
        if let Some(symbol) = self.symbol_mut(symbol) {
            symbol.terminal_tick_at = now.boot_ns;
        }
    }

    /// Returns whether a feed without heartbeats is only quiet: the terminal gives proof, and its own
    /// quotes of the feed's symbols have not moved since the feed's last tick.
    pub(crate) fn is_only_quiet(&self, number: u32, now: Now) -> bool {
        let place = usize::try_from(number).unwrap_or(usize::MAX);
        let Some(feed) = self
            .sources
            .get(place)
            .filter(|source| source.may_be_quiet())
        else {
            return false;
        };
        let limit = self.config.limits.connection_lost_ns;
        let terminal_lives = self.sources.iter().any(|source| {
            let silence = now.boot_ns.saturating_sub(source.last_proof());
            source.name() == "terminal" && source.is_armed() && silence <= limit
        });
        let grace_end = feed.last_proof().saturating_add(QUIET_GRACE_NS);
        let has_moved = (0u32..)
            .zip(&self.symbols)
            .any(|(id, symbol)| symbol.terminal_tick_at > grace_end && feed.quotes(id));
        terminal_lives && !has_moved
    }

    /// Returns the required feed that is silent for longest beyond its limit, and for how long.
    ///
    /// A feed with heartbeats has `limit_ns`; one without may be quiet, and is silent only when it would be
    /// lost. Closed hours are left out. One that never spoke is what the start waits for, not silent.
    pub(crate) fn silent_feed(&mut self, limit_ns: i64, now: Now) -> Option<(&str, i64)> {
        let lost_ns = self.config.limits.connection_lost_ns;
        let mut worst: Option<(usize, i64)> = None;
        for place in 0..self.sources.len() {
            let is_quiet = u32::try_from(place).is_ok_and(|number| self.is_only_quiet(number, now));
            let Some(source) = self.sources.get_mut(place) else {
                continue;
            };
            if !source.is_armed() || is_quiet || !source.name().starts_with("feed:") {
                continue;
            }
            let limit = if source.may_be_quiet() {
                lost_ns
            } else {
                limit_ns.min(lost_ns)
            };
            let silence = source.silence_of_words(now);
            if silence > limit && worst.is_none_or(|(_, most)| silence > most) {
                worst = Some((place, silence));
            }
        }
        let (place, silence) = worst?;
        let name = self.sources.get(place)?.name();
        Some((name.strip_prefix("feed:").unwrap_or(name), silence))
    }
}

/// Reads the facts that a message tells; empty texts tell nothing.
pub(crate) fn fact_layer(facts: &wire::SymbolFacts<'_>) -> Result<FactLayer, Malformed> {
    let text = |value: Option<&str>| value.filter(|text| !text.is_empty()).map(str::to_string);
    let number = |value: Option<&str>| match value.filter(|text| !text.is_empty()) {
        None => Ok(None),
        Some(text) => Decimal::parse(text.as_bytes())
            .map(|decimal| Some(Fact(decimal)))
            .map_err(|_| Malformed),
    };
    let digits = match facts.digits {
        None => None,
        Some(digits) => Some(
            u8::try_from(digits)
                .ok()
                .filter(|digits| *digits <= DIGITS_MAX)
                .ok_or(Malformed)?,
        ),
    };
    let mode = match facts.calc_mode.filter(|text| !text.is_empty()) {
        None => None,
        Some(text) => Some(ProfitMode::of_calc_mode(text).ok_or(Malformed)?),
    };
    Ok(FactLayer {
        digits,
        contract_size: number(facts.contract_size)?,
        mode,
        currency_base: text(facts.currency_base),
        currency_profit: text(facts.currency_profit),
        tick_size: number(facts.tick_size)?,
        tick_value: number(facts.tick_value)?,
    })
}
