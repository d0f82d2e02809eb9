//! One payload of any bytes: decoding ends in a message or in `Malformed`, and every list can be
//! read.

use edgeguard_core::wire::{self, Message};

pub fn run(data: &[u8]) {
    let Ok((_, message)) = wire::decode(data) else {
        return;
    };
    match message {
        Message::Ticks(list) => {
            let mut cursor = list.cursor;
            for _ in 0..list.count {
                let Ok(tick) = wire::read_tick(&mut cursor) else {
                    return;
                };
                for digits in 0..=10 {
                    let _ = (tick.bid.to_points(digits), tick.ask.to_points(digits));
                }
            }
        }
        Message::Account(account) => {
            let mut cursor = account.positions.cursor;
            for _ in 0..account.positions.count {
                if wire::read_position(&mut cursor).is_err() {
                    return;
                }
            }
        }
        Message::Fill(_)
        | Message::Error(_)
        | Message::Heartbeat
        | Message::Transfer(_)
        | Message::Terminal(_)
        | Message::Symbol(_) => {}
    }
}
