//! Streams of ticks: whose a batch is, told by the bytes that it begins with.
//!
//! The batches of one publisher for one account all begin alike, up to and with the publisher's name. Those
//! bytes were decoded in full once; a batch that begins with the same ones need not be looked at again for
//! its account, its publisher and the names that evidence knows them by.

/// Streams that are known at once, a bound against strangers: beyond it the oldest is forgotten.
const STREAMS_MAX: usize = 64;

/// One publisher's ticks for one account, or for every account.
#[derive(Clone, Debug)]
pub(crate) struct Stream {
    /// What its batches begin with: number of fields, tag, account, publisher.
    pub(crate) head: Box<[u8]>,
    /// Number of fields.
    pub(crate) fields: usize,
    /// Place of the account; `None` for every account.
    pub(crate) target: Option<usize>,
    /// The publisher's name.
    pub(crate) name: Box<str>,
    /// The publisher's id.
    pub(crate) publisher: u32,
    /// The place of its stamps.
    pub(crate) slot: u8,
    /// The source that evidence names.
    pub(crate) source: u32,
    /// Boot time of its last batch.
    pub(crate) heard_ns: i64,
}

/// The streams that were heard lately.
#[derive(Debug, Default)]
pub(crate) struct Streams {
    all: Vec<Stream>,
    last: usize,
    oldest: usize,
}

impl Streams {
    /// Returns the place of the stream that a payload belongs to.
    #[inline]
    pub(crate) fn find(&mut self, payload: &[u8]) -> Option<usize> {
        let begins = |one: &Stream| payload.starts_with(&one.head);
        if self.all.get(self.last).is_some_and(begins) {
            return Some(self.last);
        }
        let place = self.all.iter().position(begins)?;
        self.last = place;
        Some(place)
    }

    /// Keeps a stream and returns its place.
    pub(crate) fn keep(&mut self, stream: Stream) -> usize {
        let place = self.all.len();
        if place < STREAMS_MAX {
            self.all.push(stream);
            return place;
        }
        let place = self.oldest;
        self.oldest = place.saturating_add(1) % STREAMS_MAX;
        if let Some(old) = self.all.get_mut(place) {
            *old = stream;
        }
        place
    }

    /// Returns the stream at a place.
    #[inline]
    pub(crate) fn get_mut(&mut self, place: usize) -> Option<&mut Stream> {
        self.all.get_mut(place)
    }

    /// Lists, for every stream, the source that evidence names and when it was last heard.
    pub(crate) fn heard(&self) -> impl Iterator<Item = (u32, i64)> {
        self.all.iter().map(|one| (one.source, one.heard_ns))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(name: &str) -> Stream {
        Stream {
            head: name.as_bytes().into(),
            fields: 7,
            target: None,
            name: name.into(),
            publisher: 0,
            slot: 0,
            source: 0,
            heard_ns: 0,
        }
    }

    #[test]
    fn a_stream_is_found_by_its_whole_beginning_alone() {
        let mut streams = Streams::default();
        assert_eq!(streams.find(b"alpha..."), None);
        assert_eq!(streams.keep(stream("alpha")), 0);
        assert_eq!(streams.keep(stream("beta")), 1);
        for _ in 0..2 {
            assert_eq!(streams.find(b"beta..."), Some(1));
            assert_eq!(streams.find(b"alpha..."), Some(0));
            assert_eq!(streams.find(b"alph"), None);
            assert_eq!(streams.find(b""), None);
        }
    }

    #[test]
    fn beyond_the_bound_the_oldest_is_forgotten() {
        let mut streams = Streams::default();
        for at in 0..=STREAMS_MAX {
            streams.keep(stream(&format!("s{at};")));
        }
        assert_eq!(streams.find(b"s0;"), None);
        assert_eq!(streams.find(b"s1;"), Some(1));
        assert_eq!(streams.find(format!("s{STREAMS_MAX};").as_bytes()), Some(0));
        assert_eq!(streams.heard().count(), STREAMS_MAX);
    }
}
