//! Market messages as msgpack frames, which the engine decodes itself.

/// The configuration of the simulated account: marks decide at once, a silence of 4 s is a lost connection,
/// also of the feed that it requires.
pub const CONFIG: &str = r#"{"account":[{"id":"A","currency":"USD","currency_digits":2,"initial_balance":"100000.00",
"limits":{"confirm":"none","daily_loss":"0.03","total_drawdown":"0.06","drawdown_mode":"static",
"first_reference":"snapshot","connection_lost_s":"4","errors_per_minute":1000}}],
"symbol":[{"name":"EURUSD","digits":5,"contract_size":"100000","calc_mode":"FOREX",
"currency_base":"EUR","currency_profit":"USD","spread_normal_points":10}],
"feed":[{"name":"main","heartbeat":true}]}"#;
/// The limit of [`CONFIG`], nanoseconds.
pub const LOST_NS: i64 = 4_000_000_000;
/// The sources of [`CONFIG`] whose silence is a lost connection.
pub const SOURCES: [&str; 2] = ["terminal", "feed:main"];
/// Places in [`SOURCES`].
pub const TERMINAL: usize = 0;
pub const FEED: usize = 1;

/// What every message begins with.
#[derive(Clone, Copy, Debug)]
pub struct Head {
    pub epoch: i64,
    pub seq: i64,
    pub t_ns: i64,
}

fn text(out: &mut Vec<u8>, value: &str) {
    out.push(0xd9);
    out.push(value.len() as u8);
    out.extend(value.as_bytes());
}

fn integer(out: &mut Vec<u8>, value: i64) {
    out.push(0xd3);
    out.extend(value.to_be_bytes());
}

fn begin(fields: u8, tag: i64, account: &str, source: &str, head: Head) -> Vec<u8> {
    let mut out = Vec::with_capacity(128);
    out.extend([0xdc, 0, fields]);
    integer(&mut out, tag);
    text(&mut out, account);
    text(&mut out, source);
    integer(&mut out, head.epoch);
    integer(&mut out, head.seq);
    integer(&mut out, head.t_ns);
    out
}

/// An account snapshot; money in cents, `None` for what a terminal in trouble sends.
pub fn snapshot(head: Head, equity: Option<i64>) -> Vec<u8> {
    let mut out = begin(11, 3, "A", "terminal", head);
    for cents in [equity, equity, Some(0), Some(0)] {
        match cents {
            Some(cents) => text(&mut out, &format!("{}.{:02}", cents / 100, cents % 100)),
            None => out.push(0xc0),
        }
    }
    out.extend([0xdc, 0, 0]);
    out
}

/// The terminal's word that it is connected.
pub fn proof(head: Head) -> Vec<u8> {
    let mut out = begin(8, 7, "A", "terminal", head);
    out.extend([0xc3, 0xc3]);
    out
}

/// An error of the execution engine.
pub fn error(head: Head) -> Vec<u8> {
    let mut out = begin(10, 4, "A", "engine", head);
    text(&mut out, "reject");
    out.push(0xc0);
    integer(&mut out, head.seq);
    text(&mut out, "");
    out
}

/// A heartbeat of the feed, which is of no account.
pub fn heartbeat(head: Head) -> Vec<u8> {
    begin(6, 5, "", "feed:main", head)
}
