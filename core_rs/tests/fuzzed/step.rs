//! A history of any bytes: the engine never panics, its answers are known flags, its documents
//! are JSON.
//!
//! The input is a first byte (bit 0: live), then records: one byte of what to do and how long to
//! wait, two bytes of length, and that many bytes of payload.

use std::collections::BTreeMap;

use edgeguard_core::engine::Engine;
use edgeguard_core::types::{Now, Origin};

const CONFIG: &str = r#"{"account":[
 {"id":"A","currency":"USD","initial_balance":"100000.00","limits":{"first_reference":"snapshot",
  "confirm_ms":5,"spread_samples_min":2,"spread_window_s":"5","spread_sample_ms":1,
  "spread_clear_s":"1","spread_freeze_max_s":"2","price_age_max_s":"3","errors_per_minute":2,
  "connection_lost_s":"4"}},
 {"id":"B","currency":"JPY","currency_digits":0,"initial_balance":"100000",
  "limits":{"first_reference":"snapshot","confirm":"none","drawdown_mode":"trailing_eod_balance"}}],
 "symbol":[{"name":"EURUSD","digits":5,"spread_normal_points":10,"session":"24x5"},
  {"name":"USDJPY","digits":3}],
 "feed":[{"name":"market","required":true}],
 "strategy":[{"name":"trend","magic":[101],"limits":{"daily_loss":"0.01"}}]}"#;
const START_NS: i64 = 1_772_020_800_000_000_000;
const WAITS_NS: [i64; 8] = [
    0,
    1,
    1_000_000,
    250_000_000,
    1_000_000_000,
    5_000_000_001,
    3_600_000_000_000,
    -1_000_000,
];
/// All bits of `Flags`.
const KNOWN: u32 = 31;

pub fn run(data: &[u8]) {
    let Some((mode, mut rest)) = data.split_first() else {
        return;
    };
    let is_live = mode & 1 == 1;
    let mut engine = Engine::new(CONFIG.as_bytes(), "hash", is_live, &BTreeMap::new())
        .expect("the configuration is right");
    let mut at = START_NS;
    while let [what, high, low, tail @ ..] = rest {
        let length = usize::from(u16::from_be_bytes([*high, *low])).min(tail.len());
        let (payload, next) = tail.split_at(length);
        rest = next;
        let wait = WAITS_NS[usize::from(what & 7)];
        // In a replay time never goes back, and a live boot clock does not either.
        at += if is_live { wait } else { wait.max(0) };
        let now = Now {
            wall_ns: at,
            boot_ns: at.max(START_NS),
        };
        match what >> 3 {
            0 => drop(engine.advance(now, Origin::default(), true)),
            1 => drop(engine.load_references(payload)),
            2 => drop(engine.resume("A", now, Origin::default())),
            3 => check(&mut engine),
            31 => drop(engine.load_baseline("A", "EURUSD", payload, now)),
            _ => {
                if let Ok(flags) = engine.on_frame(payload, now, Origin::default()) {
                    assert_eq!(flags.0 & !KNOWN, 0);
                }
            }
        }
        for decision in engine.take_decisions() {
            assert!(decision.line("hash").starts_with('{'));
        }
    }
    check(&mut engine);
}

/// What an operator may ask for at any moment; what was stored can be taken back.
fn check(engine: &mut Engine) {
    assert!(engine.status().starts_with(b"{"));
    let _ = engine.would_fire("A");
    if let Ok(stored) = engine.references() {
        let mut again = Engine::new(CONFIG.as_bytes(), "hash", false, &BTreeMap::new())
            .expect("the configuration is right");
        again
            .load_references(&stored)
            .expect("what was stored can be taken back");
    }
    if let Ok(Some(stored)) = engine.baseline("A", "EURUSD") {
        engine
            .load_baseline("A", "EURUSD", &stored, Now::default())
            .expect("what was stored can be taken back");
    }
}
