//! Frames of market messages as their publishers write them, and an engine that takes them.

use std::collections::BTreeMap;

use edgeguard_core::engine::{Engine, Flags};
use edgeguard_core::types::{Now, Origin};
use serde_json::Value;

/// A Wednesday in 2026, 12:00 UTC, nanoseconds since the Unix epoch.
pub const START_NS: i64 = 1_772_020_800_000_000_000;

/// A value on the wire.
#[derive(Clone, Debug)]
pub enum Wire {
    /// nil
    Nil,
    /// An integer.
    Int(i64),
    /// Text.
    Text(String),
    /// An array.
    List(Vec<Wire>),
}

/// Text on the wire.
pub fn text(value: &(impl ToString + ?Sized)) -> Wire {
    Wire::Text(value.to_string())
}

/// Encodes a message.
pub fn encode(message: &[Wire]) -> Vec<u8> {
    let mut out = Vec::new();
    put(&mut out, &Wire::List(message.to_vec()));
    out
}

fn put(out: &mut Vec<u8>, value: &Wire) {
    match value {
        Wire::Nil => out.push(0xc0),
        Wire::Int(number) => {
            out.push(0xd3);
            out.extend(number.to_be_bytes());
        }
        Wire::Text(value) => {
            out.push(0xd9);
            out.push(u8::try_from(value.len()).unwrap());
            out.extend(value.as_bytes());
        }
        Wire::List(items) => {
            out.push(0xdc);
            out.extend(u16::try_from(items.len()).unwrap().to_be_bytes());
            for item in items {
                put(out, item);
            }
        }
    }
}

/// The fields that every message of account `A` begins with.
fn head(tag: i64, source: &str, seq: i64) -> Vec<Wire> {
    let seq = if seq == 0 { Wire::Nil } else { Wire::Int(seq) };
    vec![
        Wire::Int(tag),
        text("A"),
        text(source),
        Wire::Int(1),
        seq,
        Wire::Int(START_NS),
    ]
}

/// A batch of quotes: symbol, bid and ask in points of five digits.
pub fn ticks(seq: i64, quotes: &[(&str, i64, i64)]) -> Vec<u8> {
    let price = |points: &i64| text(&format!("{}.{:05}", points / 100_000, points % 100_000));
    let row = |(name, bid, ask): &(&str, i64, i64)| {
        Wire::List(vec![text(name), price(bid), price(ask), Wire::Nil])
    };
    let mut message = head(1, "market", seq);
    message.push(Wire::List(quotes.iter().map(row).collect()));
    encode(&message)
}

/// A position: identifier, symbol, side, hundredths of a lot, price in points of five digits.
pub type Held<'a> = (i64, &'a str, &'a str, i64, i64);

/// An account snapshot; money in cents.
pub fn snapshot(seq: i64, balance: i64, equity: i64, held: &[Held<'_>]) -> Vec<u8> {
    let money = |cents: i64| text(&format!("{}.{:02}", cents / 100, cents % 100));
    let mut message = head(3, "terminal", seq);
    message.extend([money(balance), money(equity), money(0), money(0)]);
    let rows = held.iter().map(|(id, symbol, side, volume, price)| {
        let price = text(&format!("{}.{:05}", price / 100_000, price % 100_000));
        let volume = text(&format!("{}.{:02}", volume / 100, volume % 100));
        let (id, side) = (Wire::Int(*id), text(side));
        let rest = [volume, price.clone(), price, text("0.00"), text("0.00")];
        Wire::List(
            [id.clone(), id, text(symbol), side]
                .into_iter()
                .chain(rest)
                .collect(),
        )
    });
    message.push(Wire::List(rows.collect()));
    encode(&message)
}

/// A closing deal of a position of EURUSD, profit in cents.
pub fn fill(seq: i64, deal: i64, position: i64, profit: i64) -> Vec<u8> {
    let mut message = head(2, "terminal", seq);
    message.extend([Wire::Int(deal), Wire::Int(position)]);
    message.extend(["EURUSD", "sell", "out", "0.01", "1.10000"].map(text));
    let sign = if profit < 0 { "-" } else { "" };
    let cents = profit.unsigned_abs();
    message.push(text(&format!("{sign}{}.{:02}", cents / 100, cents % 100)));
    encode(&message)
}

/// A deal of any position: its number, position, symbol, side, entry, hundredths of a lot, price in points of five
/// digits, and profit in cents.
pub type Deal<'a> = (i64, i64, &'a str, &'a str, &'a str, i64, i64, i64);

/// A deal of any position.
pub fn deal((deal, position, symbol, side, entry, volume, price, profit): Deal<'_>) -> Vec<u8> {
    let mut message = head(2, "terminal", 0);
    message.extend([Wire::Int(deal), Wire::Int(position)]);
    message.extend([symbol, side, entry].map(text));
    message.push(text(&format!("{}.{:02}", volume / 100, volume % 100)));
    message.push(text(&format!("{}.{:05}", price / 100_000, price % 100_000)));
    let sign = if profit < 0 { "-" } else { "" };
    let cents = profit.unsigned_abs();
    message.push(text(&format!("{sign}{}.{:02}", cents / 100, cents % 100)));
    encode(&message)
}

/// An error of an order; order 0 is none.
pub fn error(seq: i64, order: i64) -> Vec<u8> {
    let mut message = head(4, "engine", seq);
    message.extend([text("reject"), Wire::Nil, Wire::Int(order), text("")]);
    encode(&message)
}

/// An engine of account `A` (100 000.00 USD) over some symbols of five digits.
pub fn engine(limits: &str, symbols: &[&str]) -> Engine {
    let symbols: Vec<String> = symbols
        .iter()
        .map(|name| {
            let (base, profit) = (&name[..3], &name[3..]);
            format!(
                r#"{{"name":"{name}","digits":5,"contract_size":"100000","calc_mode":"FOREX",
                "currency_base":"{base}","currency_profit":"{profit}","spread_normal_points":10}}"#
            )
        })
        .collect();
    let config = format!(
        r#"{{"account":[{{"id":"A","currency":"USD","currency_digits":2,
        "initial_balance":"100000.00","limits":{{{limits}}}}}],"symbol":[{}]}}"#,
        symbols.join(",")
    );
    Engine::new(config.as_bytes(), "hash", false, &BTreeMap::new()).unwrap()
}

/// One event: milliseconds after the start, and its frame.
pub type Event = (i64, Vec<u8>);

/// Runs events and returns the decisions without their event numbers, and the flags of every call.
pub fn run(engine: &mut Engine, events: &[Event]) -> (Vec<String>, Vec<Flags>) {
    let flags = events.iter().map(|(at_ms, frame)| {
        let at = START_NS + at_ms * 1_000_000;
        engine
            .on_frame(
                frame,
                Now {
                    wall_ns: at,
                    boot_ns: at,
                },
                Origin::default(),
            )
            .unwrap()
    });
    let flags: Vec<Flags> = flags.collect();
    assert!(
        flags.iter().all(|flags| !flags.has(Flags::MALFORMED)),
        "a frame of the test is malformed"
    );
    let lines = engine.take_decisions().into_iter().map(|decision| {
        let mut line: Value = serde_json::from_str(&decision.line("hash")).unwrap();
        line["index"] = Value::Null;
        line["source"] = Value::Null;
        line.to_string()
    });
    (lines.collect(), flags)
}

/// Returns the status without its event numbers and counters.
pub fn status(engine: &mut Engine) -> Value {
    let mut document: Value = serde_json::from_slice(&engine.status()).unwrap();
    document["index"] = Value::Null;
    document["counters"] = Value::Null;
    document
}
