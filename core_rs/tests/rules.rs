//! The rules that exist in Rust and in Python: one table each, which `test_rule_tables.py` runs too.
//!
//! A record in a table is `number run boot clean halts pauses resumed`, its halts `[scope, id, t_ns]`, its
//! pauses causes; the account is always A, this boot `b1`, the wall 100.

#![allow(
    clippy::unwrap_used,
    reason = "a table that does not read is a failed test"
)]

use edgeguard_core::freshness::{Freshness, Seen};
use edgeguard_core::start::{
    FoundPage, LatchHalt, LatchPause, LatchRecord, Remembered, epoch_after, judge_start,
};
use edgeguard_core::trading_state::Now;
use serde_json::{Value, json};

fn table(name: &str) -> Vec<Value> {
    let path = format!("{}/../tests/golden/{name}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().unwrap().iter().map(text).collect()
}

fn number(value: &Value) -> i64 {
    value.as_i64().unwrap()
}

fn record(words: &Value) -> Option<LatchRecord> {
    words.as_object()?;
    let halt = |words: &Value| LatchHalt {
        account: "A".to_owned(),
        scope: text(&words[0]),
        id: text(&words[1]),
        t_ns: number(&words[2]),
        trigger: "t".to_owned(),
        code: "C".to_owned(),
    };
    let pause = |cause: String| LatchPause {
        account: "A".to_owned(),
        cause,
        ..LatchPause::default()
    };
    Some(LatchRecord {
        number: number(&words["number"]),
        run: number(&words["run"]),
        boot: text(&words["boot"]),
        is_clean: words["clean"].as_bool().unwrap(),
        halts: words["halts"]
            .as_array()
            .unwrap()
            .iter()
            .map(halt)
            .collect(),
        pauses: texts(&words["pauses"]).into_iter().map(pause).collect(),
        resumed: texts(&words["resumed"])
            .into_iter()
            .map(|id| ("A".to_owned(), id))
            .collect(),
        scopes: Vec::new(),
    })
}

fn verdict(case: &Value) -> Value {
    let remembered = Remembered {
        file: record(&case["file"]),
        row: record(&case["row"]),
        faults: texts(&case["faults"]),
    };
    let page = case["page"].as_object().map(|page| FoundPage {
        is_halted: page["is_halted"].as_bool().unwrap(),
        halt_id: text(&page["halt_id"]),
        manual: page["manual"].as_u64().unwrap(),
        epoch: number(&page["epoch"]),
    });
    let template = LatchHalt {
        scope: "account".to_owned(),
        id: "NEW".to_owned(),
        t_ns: 9,
        trigger: "start".to_owned(),
        code: "START".to_owned(),
        ..LatchHalt::default()
    };
    let pages = [("A".to_owned(), page)];
    let found = judge_start(
        &remembered,
        &pages,
        case["halt_file"].as_str(),
        "b1",
        &template,
    );
    let mut halts: Vec<_> = found
        .halts
        .iter()
        .map(|one| (&one.scope, &one.id, one.t_ns, &one.trigger, &one.code))
        .collect();
    halts.sort();
    json!({
        "halts": halts,
        "pauses": found.pauses.iter().map(|one| &one.cause).collect::<Vec<_>>(),
        "resumed": found.resumed.iter().map(|(_, id)| id).collect::<Vec<_>>(),
        "asks": !found.unacknowledged.is_empty(),
        "number": found.number,
        "epoch": epoch_after(100, &remembered),
    })
}

/// P1, P4: what stands at a start.
#[test]
fn start_rules_agree_with_the_table() {
    let cases = table("start_cases.jsonl");
    assert!(cases.len() > 100);
    for case in cases {
        assert_eq!(verdict(&case), case["verdict"], "case {}", case["n"]);
    }
}

/// P9: which snapshots count.
#[test]
fn freshness_agrees_with_the_table() {
    for case in table("freshness_cases.jsonl") {
        let mut fresh = Freshness::new(number(&case["age_max"]), number(&case["first"]));
        let steps = case["steps"].as_array().unwrap();
        let answers: Vec<Value> = steps
            .iter()
            .map(|step| match step[0].as_str().unwrap() {
                "ask" => json!(fresh.ask(number(&step[1]))),
                "take" => {
                    let now = Now {
                        wall_ns: number(&step[1]),
                        boot_ns: number(&step[2]),
                    };
                    let seen = Seen {
                        epoch: number(&step[3]),
                        t_ns: number(&step[4]),
                        request: number(&step[5]),
                        has_money: number(&step[6]) == 1,
                    };
                    json!(fresh.take(seen, now))
                }
                "forget" => {
                    fresh.forget();
                    json!(fresh.needs_answer())
                }
                _ => json!(fresh.is_fresh(number(&step[1]))),
            })
            .collect();
        assert_eq!(Value::from(answers), case["answers"], "case {}", case["n"]);
    }
}
