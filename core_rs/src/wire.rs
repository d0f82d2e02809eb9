//! The market side of the wire: tags 1 to 8 of `edgeguard/messages.py`, decoded from their frame.

use crate::msgpack::{Amount, Cursor, Malformed};
use crate::price::Price;
use crate::types::{Entry, Side};

type Read<T> = Result<T, Malformed>;

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
}

/// One quote.
#[derive(Clone, Copy, Debug)]
pub struct Tick<'a> {
    /// Name as bytes.
    pub symbol: &'a [u8],
    /// Best bid.
    pub bid: Price,
    /// Best ask.
    pub ask: Price,
    /// The source's own stamp.
    pub source_ns: Option<i64>,
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

/// Fields of an array that may be cut short at its end.
struct Fields<'a> {
    cursor: Cursor<'a>,
    left: usize,
}

impl<'a> Fields<'a> {
    fn more(&mut self) -> bool {
        let more = self.left > 0;
        self.left = self.left.saturating_sub(1);
        more
    }

    fn need(&mut self) -> Read<&mut Cursor<'a>> {
        if self.more() { Ok(&mut self.cursor) } else { Err(Malformed) }
    }

    fn optional_integer(&mut self) -> Read<Option<i64>> {
        if self.more() { self.cursor.optional_integer() } else { Ok(None) }
    }

    fn optional_string(&mut self) -> Read<Option<&'a str>> {
        if self.more() { self.cursor.optional_string() } else { Ok(None) }
    }

    fn integer_or(&mut self, default: i64) -> Read<i64> {
        if self.more() { self.cursor.integer() } else { Ok(default) }
    }

    fn amount(&mut self) -> Read<Amount> {
        if self.more() { self.cursor.amount() } else { Ok(Amount::Missing) }
    }

    fn list(&mut self) -> Read<List<'a>> {
        if !self.more() {
            return Ok(List { count: 0, cursor: Cursor::new(&[]) });
        }
        let mut cursor = self.cursor;
        self.cursor.skip()?;
        let count = cursor.array_length()?;
        if count > ITEMS_MAX {
            return Err(Malformed);
        }
        Ok(List { count, cursor })
    }

    /// Fields may be appended by later versions: they are stepped over, and nothing may follow.
    fn finish(mut self) -> Read<()> {
        while self.more() {
            self.cursor.skip()?;
        }
        if self.cursor.is_at_end() { Ok(()) } else { Err(Malformed) }
    }
}

/// Decodes one payload.
///
/// # Errors
/// `Malformed` when the bytes are no message of tags 1 to 8.
#[inline]
pub fn decode(payload: &[u8]) -> Read<(Header<'_>, Message<'_>)> {
    let mut cursor = Cursor::new(payload);
    let length = cursor.array_length()?;
    let tag = u8::try_from(cursor.integer()?).map_err(|_| Malformed)?;
    if length < 6 {
        return Err(Malformed);
    }
    let header = Header {
        tag,
        account: cursor.string()?,
        source: cursor.string()?,
        epoch: cursor.integer()?,
        seq: cursor.optional_integer()?,
        t_ns: cursor.integer()?,
    };
    let fields = Fields { cursor, left: length.saturating_sub(6) };
    if tag == 1 {
        return Ok((header, Message::Ticks(ticks(fields)?)));
    }
    Ok((header, decode_rest(tag, fields)?))
}

/// The list of a tick batch is checked by its reader, which must reach the end of the frame.
#[inline]
fn ticks(mut fields: Fields<'_>) -> Read<List<'_>> {
    let cursor = fields.need()?;
    let count = cursor.array_length()?;
    if count > ITEMS_MAX || fields.left > 0 {
        return Err(Malformed);
    }
    Ok(List { count, cursor: fields.cursor })
}

#[cold]
fn decode_rest(tag: u8, mut fields: Fields<'_>) -> Read<Message<'_>> {
    let message = match tag {
        2 => Message::Fill(fill(&mut fields)?),
        3 => Message::Account(account(&mut fields)?),
        4 => {
            let class = fields.need()?.string()?;
            fields.optional_integer()?;
            let order = fields.optional_integer()?;
            Message::Error(ErrorEvent { class, order })
        }
        5 => Message::Heartbeat,
        6 => Message::Transfer(Transfer {
            deal: fields.need()?.optional_integer()?,
            kind: fields.need()?.string()?,
            amount: fields.need()?.amount()?,
        }),
        7 => {
            let connected = fields.need()?.boolean()?;
            fields.need()?.boolean()?;
            Message::Terminal(Terminal { connected })
        }
        8 => Message::Symbol(symbol(&mut fields)?),
        _ => return Err(Malformed),
    };
    fields.finish()?;
    Ok(message)
}

fn fill<'a>(fields: &mut Fields<'a>) -> Read<Fill<'a>> {
    let deal = fields.need()?.integer()?;
    let position = fields.need()?.integer()?;
    let symbol = fields.need()?.string()?;
    let side = side(fields.need()?.string()?)?;
    let entry = match fields.need()?.string()? {
        "in" => Entry::In,
        "out" => Entry::Out,
        "inout" => Entry::InOut,
        "out_by" => Entry::OutBy,
        _ => return Err(Malformed),
    };
    let volume = fields.need()?.amount()?;
    let price = fields.need()?.price()?;
    let amounts = [fields.amount()?, fields.amount()?, fields.amount()?, fields.amount()?];
    fields.optional_integer()?;
    let magic = fields.optional_integer()?;
    Ok(Fill { deal, position, symbol, side, entry, volume, price, amounts, magic })
}

fn account<'a>(fields: &mut Fields<'a>) -> Read<Account<'a>> {
    let balance = fields.need()?.amount()?;
    let equity = fields.need()?.amount()?;
    fields.amount()?;
    fields.amount()?;
    let positions = fields.list()?;
    fields.list()?;
    let last_deal = fields.optional_integer()?;
    let request = fields.integer_or(0)?;
    Ok(Account { balance, equity, positions, last_deal, request })
}

fn symbol<'a>(fields: &mut Fields<'a>) -> Read<SymbolFacts<'a>> {
    Ok(SymbolFacts {
        symbol: fields.need()?.string()?,
        digits: fields.optional_integer()?,
        contract_size: fields.optional_string()?,
        calc_mode: fields.optional_string()?,
        currency_base: fields.optional_string()?,
        currency_profit: fields.optional_string()?,
        tick_size: fields.optional_string()?,
        tick_value: fields.optional_string()?,
    })
}

fn side(text: &str) -> Read<Side> {
    match text {
        "buy" => Ok(Side::Buy),
        "sell" => Ok(Side::Sell),
        _ => Err(Malformed),
    }
}

/// One quote in the usual form.
#[derive(Clone, Copy, Debug)]
pub struct PlainTick<'a> {
    /// Name as bytes.
    pub symbol: &'a [u8],
    /// Best bid.
    pub bid: f64,
    /// Best ask.
    pub ask: f64,
    /// The source's own stamp.
    pub source_ns: Option<i64>,
}

/// Reads the usual form: four fields, a short name, two floats, and nil or an unsigned stamp of 8 bytes.
#[inline]
pub fn read_plain_tick(bytes: &[u8]) -> Option<(PlainTick<'_>, &[u8])> {
    let [0x94, head @ 0xa0..=0xbf, rest @ ..] = bytes else { return None };
    let (symbol, rest) = rest.split_at_checked(usize::from(head & 0x1f))?;
    let ([0xcb, b0, b1, b2, b3, b4, b5, b6, b7, 0xcb, a0, a1, a2, a3, a4, a5, a6, a7, mark], rest) =
        rest.split_first_chunk::<19>()?
    else {
        return None;
    };
    let bid = f64::from_be_bytes([*b0, *b1, *b2, *b3, *b4, *b5, *b6, *b7]);
    let ask = f64::from_be_bytes([*a0, *a1, *a2, *a3, *a4, *a5, *a6, *a7]);
    let (source_ns, rest) = match mark {
        0xc0 => (None, rest),
        0xcf => {
            let (stamp, rest) = rest.split_first_chunk::<8>()?;
            (Some(i64::try_from(u64::from_be_bytes(*stamp)).ok()?), rest)
        }
        _ => return None,
    };
    Some((PlainTick { symbol, bid, ask, source_ns }, rest))
}

/// Reads the next quote of a batch.
///
/// # Errors
/// `Malformed` when there is none.
#[inline]
pub fn read_tick<'a>(cursor: &mut Cursor<'a>) -> Read<Tick<'a>> {
    if let Some((tick, rest)) = read_plain_tick(cursor.rest()) {
        *cursor = Cursor::new(rest);
        let PlainTick { symbol, bid, ask, source_ns } = tick;
        return Ok(Tick { symbol, bid: Price::Float(bid), ask: Price::Float(ask), source_ns });
    }
    read_any_tick(cursor)
}

fn read_any_tick<'a>(cursor: &mut Cursor<'a>) -> Read<Tick<'a>> {
    let length = cursor.array_length()?;
    if length < 3 {
        return Err(Malformed);
    }
    let symbol = cursor.name()?;
    let bid = cursor.price()?;
    let ask = cursor.price()?;
    let source_ns = if length > 3 { cursor.optional_integer()? } else { None };
    for _ in 4..length {
        cursor.skip()?;
    }
    Ok(Tick { symbol, bid, ask, source_ns })
}

/// Reads the next position of a snapshot.
///
/// # Errors
/// `Malformed` when there is none.
pub fn read_position<'a>(cursor: &mut Cursor<'a>) -> Read<Position<'a>> {
    let left = cursor.array_length()?;
    let mut fields = Fields { cursor: *cursor, left };
    let ticket = fields.need()?.integer()?;
    let identifier = fields.need()?.integer()?;
    let symbol = fields.need()?.string()?;
    let side = side(fields.need()?.string()?)?;
    let volume = fields.need()?.amount()?;
    fields.need()?.price()?;
    let price_current = fields.need()?.price()?;
    let swap = fields.need()?.amount()?;
    let profit = fields.need()?.amount()?;
    let magic = fields.integer_or(0)?;
    let stop_loss = if fields.more() { fields.cursor.price()? } else { Price::Exact { mantissa: 0, scale: 0 } };
    while fields.more() {
        fields.cursor.skip()?;
    }
    *cursor = fields.cursor;
    Ok(Position { ticket, identifier, symbol, side, volume, price_current, swap, profit, magic, stop_loss })
}
