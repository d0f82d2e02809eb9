//! A recorded tick file of any bytes: parsing ends with rows whose time never goes back, and
//! perhaps a fault.

use edgeguard_core::tick_file::{About, parse};

pub fn run(data: &[u8]) {
    let Some((kind, data)) = data.split_first() else {
        return;
    };
    let (kind, day) = match kind % 5 {
        0 => ("oanda", Some("20140502")),
        1 => ("bookticker", None),
        2 => ("mt5csv", None),
        3 => ("dukascopy", None),
        _ => ("dukascopy", Some("2014050213")),
    };
    let about = About {
        kind,
        symbol: "EURUSD",
        name: "file",
        day,
    };
    let parsed = parse(about, data, 5).expect("kind and date are right");
    assert!(parsed.rows.is_sorted_by_key(|row| row.t_ns));
}
