//! Writing the msgpack subset of the wire: the shortest form of each value, as msgspec writes it.

/// Appends the head of an array of `length` items.
pub fn array(out: &mut Vec<u8>, length: u16) {
    if let Ok(short @ 0..16) = u8::try_from(length) {
        out.push(0x90 | short);
    } else {
        out.push(0xdc);
        out.extend_from_slice(&length.to_be_bytes());
    }
}

/// Appends an integer.
pub fn integer(out: &mut Vec<u8>, value: i64) {
    if let Ok(value) = u64::try_from(value) {
        return unsigned(out, value);
    }
    if let Ok(short) = i8::try_from(value) {
        if short < -32 {
            out.push(0xd0);
        }
        out.extend_from_slice(&short.to_be_bytes());
    } else if let Ok(short) = i16::try_from(value) {
        out.push(0xd1);
        out.extend_from_slice(&short.to_be_bytes());
    } else if let Ok(short) = i32::try_from(value) {
        out.push(0xd2);
        out.extend_from_slice(&short.to_be_bytes());
    } else {
        out.push(0xd3);
        out.extend_from_slice(&value.to_be_bytes());
    }
}

fn unsigned(out: &mut Vec<u8>, value: u64) {
    if let Ok(short) = u8::try_from(value) {
        if short >= 0x80 {
            out.push(0xcc);
        }
        out.push(short);
    } else if let Ok(short) = u16::try_from(value) {
        out.push(0xcd);
        out.extend_from_slice(&short.to_be_bytes());
    } else if let Ok(short) = u32::try_from(value) {
        out.push(0xce);
        out.extend_from_slice(&short.to_be_bytes());
    } else {
        out.push(0xcf);
        out.extend_from_slice(&value.to_be_bytes());
    }
}

/// Appends a text; what is beyond 65,535 bytes is cut at a character, as no field is that long.
pub fn text(out: &mut Vec<u8>, value: &str) {
    let mut end = value.len().min(usize::from(u16::MAX));
    while !value.is_char_boundary(end) {
        end = end.saturating_sub(1);
    }
    let bytes = value.as_bytes().get(..end).unwrap_or_default();
    match u8::try_from(bytes.len()) {
        Ok(short @ 0..32) => out.push(0xa0 | short),
        Ok(short) => out.extend_from_slice(&[0xd9, short]),
        Err(_) => {
            let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
            out.push(0xda);
            out.extend_from_slice(&length.to_be_bytes());
        }
    }
    out.extend_from_slice(bytes);
}

/// Appends a text or nil.
pub fn optional_text(out: &mut Vec<u8>, value: Option<&str>) {
    match value {
        Some(value) => text(out, value),
        None => out.push(0xc0),
    }
}

/// Appends a truth value.
pub fn boolean(out: &mut Vec<u8>, value: bool) {
    out.push(if value { 0xc3 } else { 0xc2 });
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        reason = "a test may stop on what it did not expect"
    )]

    use super::*;
    use crate::msgpack::Cursor;

    /// The reader beside this takes back each value, and the head is the shortest that holds it.
    #[test]
    fn integers_come_back_in_their_shortest_form() {
        let sizes = [
            (0, 1),
            (127, 1),
            (128, 2),
            (255, 2),
            (256, 3),
            (65_535, 3),
            (65_536, 5),
            (4_294_967_295, 5),
            (4_294_967_296, 9),
            (i64::MAX, 9),
            (-1, 1),
            (-32, 1),
            (-33, 2),
            (-128, 2),
            (-129, 3),
            (-32_769, 5),
            (-2_147_483_649, 9),
            (i64::MIN, 9),
        ];
        for (value, size) in sizes {
            let mut out = Vec::new();
            integer(&mut out, value);
            assert_eq!(out.len(), size, "{value}");
            assert_eq!(Cursor::new(&out).integer(), Ok(value));
        }
    }

    /// Heads of 15 and 16 items, texts around each change of the head, one that must be cut.
    #[test]
    fn lengths_come_back() {
        for length in [0_u16, 15, 16, 65_535] {
            let mut out = Vec::new();
            array(&mut out, length);
            assert_eq!(Cursor::new(&out).array_length(), Ok(usize::from(length)));
        }
        for length in [0, 31, 32, 255, 256, 65_535] {
            let (mut out, value) = (Vec::new(), "x".repeat(length));
            text(&mut out, &value);
            assert_eq!(Cursor::new(&out).string(), Ok(value.as_str()));
        }
        let mut out = Vec::new();
        text(&mut out, &"é".repeat(40_000));
        assert_eq!(Cursor::new(&out).string().unwrap().len(), 65_534);
    }
}
