//! Sequence numbers per message type, account and publisher.

use std::collections::BTreeMap;

/// Largest number of streams that are followed: a bound against strangers.
const STREAMS_MAX: usize = 16_384;

/// What a sequence number says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The next one, or the first.
    Next,
    /// Some are missing before it.
    Gap,
    /// It was there already.
    Old,
}

type Key = (u8, u32, u32);

/// The last number of every stream.
#[derive(Clone, Debug, Default)]
pub struct Sequences {
    last: BTreeMap<Key, (i64, i64)>,
}

impl Sequences {
    /// Takes a number of a stream. A higher epoch is a restarted publisher, a lower one a late message.
    pub fn take(&mut self, key: Key, epoch: i64, seq: i64) -> Verdict {
        let Some(entry) = self.last.get_mut(&key) else {
            if self.last.len() < STREAMS_MAX {
                self.last.insert(key, (epoch, seq));
            }
            return Verdict::Next;
        };
        let (known_epoch, known_seq) = *entry;
        if epoch < known_epoch || (epoch == known_epoch && seq <= known_seq) {
            return Verdict::Old;
        }
        *entry = (epoch, seq);
        if epoch == known_epoch && seq > known_seq.saturating_add(1) {
            Verdict::Gap
        } else {
            Verdict::Next
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeated_lower_and_late_numbers_are_old() {
        let mut all = Sequences::default();
        let key = (2, 0, 0);
        assert_eq!(all.take(key, 5, 10), Verdict::Next);
        assert_eq!(all.take(key, 5, 10), Verdict::Old);
        assert_eq!(all.take(key, 5, 9), Verdict::Old);
        assert_eq!(all.take(key, 5, 11), Verdict::Next);
        assert_eq!(all.take(key, 5, 13), Verdict::Gap);
        assert_eq!(all.take(key, 6, 1), Verdict::Next);
        assert_eq!(all.take(key, 5, 99), Verdict::Old);
        assert_eq!(all.take((3, 0, 0), 5, 1), Verdict::Next);
    }
}
