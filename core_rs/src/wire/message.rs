//! What the market side of the wire can say; texts borrow from the frame.

use crate::msgpack::{Amount, Cursor};
use crate::price::Price;
use crate::types::{Entry, Side};

/// Largest number of items that one message may hold.
pub const ITEMS_MAX: usize = 65_536;

/// The fields that every message begins with.
#[derive(Clone, Copy, Debug)]
pub struct Header<'a> {
    /// The message's tag.
    pub tag: u8,
    /// Account id; empty on a tick batch of every account.
    pub account: &'a str,
    /// The publisher's name.
    pub source: &'a str,
    /// The publisher's run.
    pub epoch: i64,
    /// Number within the run.
    pub seq: Option<i64>,
    /// The sender's wall clock.
    pub t_ns: i64,
}

/// One message; lists stay undecoded behind their cursor.
#[derive(Clone, Copy, Debug)]
pub enum Message<'a> {
    /// Tag 1: quotes.
    Ticks(List<'a>),
    /// Tag 2: a deal.
    Fill(Fill<'a>),
    /// Tag 3: the account.
    Account(Account<'a>),
    /// Tag 4: an error.
    Error(ErrorEvent<'a>),
    /// Tag 5: a heartbeat.
    Heartbeat,
    /// Tag 6: a transfer.
    Transfer(Transfer<'a>),
    /// Tag 7: proof of the terminal.
    Terminal(Terminal),
    /// Tag 8: symbol facts.
    Symbol(SymbolFacts<'a>),
}

/// A list of items that are read one by one.
#[derive(Clone, Copy, Debug)]
pub struct List<'a> {
    /// Number of items.
    pub count: usize,
    /// Stands on the first item.
    pub cursor: Cursor<'a>,
    /// Fields that a later version has put behind the list of a tick batch.
    pub fields_after: usize,
}

/// One deal.
#[derive(Clone, Copy, Debug)]
pub struct Fill<'a> {
    /// Deal number.
    pub deal: i64,
    /// Identifier of its position.
    pub position: i64,
    /// Symbol.
    pub symbol: &'a str,
    /// Direction.
    pub side: Side,
    /// What it does to the position.
    pub entry: Entry,
    /// Lots.
    pub volume: Amount,
    /// Price.
    pub price: Price,
    /// Profit, commission, swap and fee.
    pub amounts: [Amount; 4],
    /// Magic number.
    pub magic: Option<i64>,
}

/// One account snapshot.
#[derive(Clone, Copy, Debug)]
pub struct Account<'a> {
    /// Balance.
    pub balance: Amount,
    /// Equity.
    pub equity: Amount,
    /// Positions.
    pub positions: List<'a>,
    /// Number of the last deal that the snapshot contains.
    pub last_deal: Option<i64>,
    /// Number of the fresh read that asked for it, 0 for the regular poll.
    pub request: i64,
}

/// One open position.
#[derive(Clone, Copy, Debug)]
pub struct Position<'a> {
    /// Ticket.
    pub ticket: i64,
    /// Stable identifier.
    pub identifier: i64,
    /// Symbol.
    pub symbol: &'a str,
    /// Direction.
    pub side: Side,
    /// Lots.
    pub volume: Amount,
    /// Current price.
    pub price_current: Price,
    /// Swap.
    pub swap: Amount,
    /// Profit.
    pub profit: Amount,
    /// Magic number.
    pub magic: i64,
    /// Stop loss; zero is none.
    pub stop_loss: Price,
}

/// One error.
#[derive(Clone, Copy, Debug)]
pub struct ErrorEvent<'a> {
    /// Class of the error.
    pub class: &'a str,
    /// Order that it concerns.
    pub order: Option<i64>,
}

/// One movement of money.
#[derive(Clone, Copy, Debug)]
pub struct Transfer<'a> {
    /// Deal number.
    pub deal: Option<i64>,
    /// Kind of deal.
    pub kind: &'a str,
    /// Signed amount.
    pub amount: Amount,
}

/// The terminal's word on its own link.
#[derive(Clone, Copy, Debug)]
pub struct Terminal {
    /// Whether it is connected to its server.
    pub connected: bool,
}

/// What a terminal knows of a symbol.
#[derive(Clone, Copy, Debug)]
pub struct SymbolFacts<'a> {
    /// Name.
    pub symbol: &'a str,
    /// Decimals of a price.
    pub digits: Option<i64>,
    /// Units of one lot.
    pub contract_size: Option<&'a str>,
    /// Calculation mode.
    pub calc_mode: Option<&'a str>,
    /// Base currency.
    pub currency_base: Option<&'a str>,
    /// Profit currency.
    pub currency_profit: Option<&'a str>,
    /// Smallest price step.
    pub tick_size: Option<&'a str>,
    /// Value of that step per lot.
    pub tick_value: Option<&'a str>,
}
