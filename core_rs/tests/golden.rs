//! The golden bytes of `tests/golden`: what Python writes, field by field as the core reads it.

#![allow(missing_docs, reason = "a test says in its name what it claims")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::cognitive_complexity,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::arithmetic_side_effects,
    reason = "a test may stop on what it did not expect"
)]

use edgeguard_core::msgpack::Amount;
use edgeguard_core::price::Price;
use edgeguard_core::types::{Entry, Side};
use edgeguard_core::wire::{Header, Message, decode, read_position, read_tick};

const T_NS: i64 = 1_398_976_201_000_000_000;

fn bytes(name: &str) -> Vec<u8> {
    let path = format!("{}/../tests/golden/{name}.hex", env!("CARGO_MANIFEST_DIR"));
    let text: String = std::fs::read_to_string(path)
        .unwrap()
        .split_whitespace()
        .collect();
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

fn check(header: &Header<'_>, tag: u8, account: &str, source: &str, seq: i64) {
    assert_eq!(
        (
            header.tag,
            header.account,
            header.source,
            header.epoch,
            header.seq,
            header.t_ns
        ),
        (tag, account, source, 7, Some(seq), T_NS)
    );
}

fn amount(amount: Amount, scale: u8) -> Option<i128> {
    amount
        .value()
        .and_then(|decimal| decimal.to_scaled_exact(scale))
}

#[test]
fn tick_batch() {
    let frame = bytes("tick_batch");
    let (header, message) = decode(&frame).unwrap();
    check(&header, 1, "", "main", 41);
    let Message::Ticks(list) = message else {
        panic!("{message:?}")
    };
    assert_eq!(list.count, 3);
    let mut cursor = list.cursor;
    let first = read_tick(&mut cursor).unwrap();
    assert_eq!(first.symbol, b"EURUSD");
    assert_eq!(
        (first.bid.to_points(5), first.ask.to_points(5)),
        (Some(138_694), Some(138_705))
    );
    assert_eq!(first.source_ns, Some(T_NS - 5));
    let second = read_tick(&mut cursor).unwrap();
    assert_eq!(second.symbol, b"XAUUSD");
    assert_eq!(
        second.bid,
        Price::Exact {
            mantissa: 1_284_305,
            scale: 3
        }
    );
    assert_eq!(second.source_ns, None);
    let third = read_tick(&mut cursor).unwrap();
    assert_eq!(
        (third.bid.to_points(2), third.ask.to_points(2)),
        (None, Some(6_183_764))
    );
    assert!(cursor.is_at_end());
}

#[test]
fn fill() {
    let frame = bytes("fill");
    let (header, message) = decode(&frame).unwrap();
    check(&header, 2, "A", "terminal", 3);
    let Message::Fill(fill) = message else {
        panic!("{message:?}")
    };
    assert_eq!((fill.deal, fill.position, fill.symbol), (11, 7, "EURUSD"));
    assert_eq!(
        (fill.side, fill.entry, fill.magic),
        (Side::Sell, Entry::Out, Some(101))
    );
    assert_eq!(amount(fill.volume, 2), Some(50));
    assert_eq!(fill.price.to_points(5), Some(138_690));
    let amounts = fill.amounts.map(|one| amount(one, 2));
    assert_eq!(amounts, [Some(-500), Some(-350), Some(0), None]);
    assert!(matches!(fill.amounts[3], Amount::Missing));
}

#[test]
fn account() {
    let frame = bytes("account");
    let (header, message) = decode(&frame).unwrap();
    check(&header, 3, "A", "terminal", 9);
    let Message::Account(account) = message else {
        panic!("{message:?}")
    };
    assert_eq!(amount(account.balance, 2), Some(9_951_140));
    assert_eq!(amount(account.equity, 2), Some(9_955_322));
    assert_eq!((account.last_deal, account.request), (Some(10), 2));
    assert_eq!(account.positions.count, 1);
    let mut cursor = account.positions.cursor;
    let position = read_position(&mut cursor).unwrap();
    assert_eq!(
        (position.ticket, position.identifier, position.symbol),
        (7, 7, "EURUSD")
    );
    assert_eq!((position.side, position.magic), (Side::Buy, 101));
    assert_eq!(amount(position.volume, 2), Some(100));
    assert_eq!(position.price_current.to_points(5), Some(138_694));
    assert_eq!(
        (amount(position.swap, 2), amount(position.profit, 2)),
        (Some(-18), Some(4_200))
    );
    assert_eq!(position.stop_loss.to_points(5), Some(138_000));
}

#[test]
fn error_heartbeat_transfer_and_terminal() {
    let frame = bytes("error");
    let (header, message) = decode(&frame).unwrap();
    check(&header, 4, "A", "engine", 1);
    assert!(
        matches!(message, Message::Error(error) if error.class == "reject" && error.order == Some(12))
    );
    let frame = bytes("heartbeat");
    let (header, message) = decode(&frame).unwrap();
    check(&header, 5, "A", "engine", 200);
    assert!(matches!(message, Message::Heartbeat));
    let frame = bytes("transfer");
    let (header, message) = decode(&frame).unwrap();
    check(&header, 6, "A", "terminal", 1);
    let Message::Transfer(transfer) = message else {
        panic!("{message:?}")
    };
    assert_eq!((transfer.deal, transfer.kind), (Some(13), "balance"));
    assert_eq!(amount(transfer.amount, 2), Some(50_000));
    let frame = bytes("terminal");
    let (header, message) = decode(&frame).unwrap();
    check(&header, 7, "A", "terminal", 5);
    assert!(matches!(message, Message::Terminal(terminal) if terminal.connected));
}

#[test]
fn symbol() {
    let frame = bytes("symbol");
    let (header, message) = decode(&frame).unwrap();
    check(&header, 8, "A", "terminal", 1);
    let Message::Symbol(facts) = message else {
        panic!("{message:?}")
    };
    assert_eq!((facts.symbol, facts.digits), ("EURCAD", Some(5)));
    assert_eq!(
        (facts.contract_size, facts.calc_mode),
        (Some("100000"), Some("FOREX"))
    );
    assert_eq!(
        (facts.currency_base, facts.currency_profit),
        (Some("EUR"), Some("CAD"))
    );
    assert_eq!(
        (facts.tick_size, facts.tick_value),
        (Some("0.00001"), Some("0.70436424"))
    );
}

/// Every message but a tick batch may have one field more; none may lose its needed ones.
#[test]
fn later_versions_may_append_and_no_cut_is_taken_for_a_message() {
    for name in [
        "tick_batch",
        "fill",
        "account",
        "error",
        "heartbeat",
        "transfer",
        "terminal",
        "symbol",
    ] {
        let mut frame = bytes(name);
        for length in 0..frame.len() {
            let cut = decode(&frame[..length]);
            // A batch is read to its end by the engine; everything else is refused at once.
            assert!(
                cut.is_err() || name == "tick_batch",
                "{name} cut to {length}"
            );
        }
        let fields = match frame[0] {
            head @ 0x90..=0x9e => {
                frame[0] = head + 1;
                usize::from(head & 0x0f)
            }
            0xdc => {
                frame[2] += 1;
                usize::from(frame[2]) - 1
            }
            head => panic!("{head:x}"),
        };
        assert!(fields >= 6);
        frame.extend([0x92, 0x01, 0xa1, b'x']);
        assert!(decode(&frame).is_ok(), "{name} with a field more");
    }
}
