//! One message on one account: which handler takes it, and what proves that a source lives.

use crate::account::Account;
use crate::context::Context;
use crate::decimal::Decimal;
use crate::facts::{DIGITS_MAX, Fact, FactLayer};
use crate::fills::{Deal, Snapshot, SnapshotPosition};
use crate::msgpack::Malformed;
use crate::names::UNKNOWN;
use crate::session::Session;
use crate::triggers::connection_lost::Source;
use crate::types::{Now, ProfitMode};
use crate::wire::{self, Header, Message};

/// Largest number of sources of one account: a bound against strangers.
const SOURCES_MAX: usize = 1024;

/// One message on its way to an account.
pub(crate) struct Event<'a> {
    pub(crate) header: &'a Header<'a>,
    pub(crate) message: &'a Message<'a>,
    pub(crate) rows: &'a [SnapshotPosition],
    pub(crate) facts: Option<&'a FactLayer>,
    pub(crate) pair: Option<(u32, i64)>,
}

impl Account {
    pub(crate) fn on_event(
        &mut self,
        event: &Event<'_>,
        symbol: u32,
        ctx: &mut Context<'_>,
    ) -> Result<(), String> {
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
                self.on_snapshot(&snapshot, event.rows, ctx);
            }
            Message::Error(error) => {
                if event.header.source != "edgeguard" {
                    self.count_class(error.class, event.pair, ctx);
                }
            }
            Message::Heartbeat => self.prove_source(event.header.source, false, ctx.now),
            Message::Transfer(transfer) => self.on_transfer(transfer.kind, transfer.amount),
            Message::Terminal(terminal) => self.on_terminal(terminal.connected, ctx.now),
            Message::Symbol(_) => {
                if let Some(layer) = event.facts {
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

    /// A heartbeat, or live a valid tick, of a publisher.
    pub(crate) fn prove_source(&mut self, publisher: &str, is_tick: bool, now: Now) {
        let limits = &self.config.limits;
        let feed = publisher.strip_prefix("feed:");
        if publisher == "terminal"
            || (publisher == "engine" && is_tick)
            || (feed.is_none() && publisher != "engine" && !is_tick)
        {
            return;
        }
        let plain = feed.unwrap_or(publisher);
        for (number, source) in (0u32..).zip(self.sources.iter_mut()) {
            let is_it = if publisher == "engine" {
                source.name() == "engine"
            } else {
                source.name().strip_prefix("feed:") == Some(plain)
            };
            if is_it {
                source.prove(number, now, limits, &mut self.queue);
                return;
            }
        }
        if is_tick
            || self.is_live
            || self.optional_feeds.iter().any(|name| name == publisher)
            || self.sources.len() >= SOURCES_MAX
        {
            return;
        }
        let number = u32::try_from(self.sources.len()).unwrap_or(UNKNOWN);
        let mut source = Source::new(publisher.to_string(), Session::default());
        source.prove(number, now, limits, &mut self.queue);
        self.sources.push(source);
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
