//! The time in an id: milliseconds since 2024 above 12 bits of a sequence, as `migrations/functions/10_ids.sql` makes
//! it.

use std::ops::Range;

use chrono::{DateTime, Utc};

use crate::time;

/// The bits of an id below its time.
const SEQUENCE_BITS: u32 = 12;
/// Milliseconds from 1970 to 2024, where the time in an id begins.
const FIRST_MILLISECOND: i64 = 1_704_067_200_000;

/// The first id that records get so many milliseconds after 1970.
pub fn first_id_at(milliseconds: i64) -> i64 {
    let milliseconds = milliseconds.saturating_sub(FIRST_MILLISECOND);
    milliseconds.saturating_mul(1 << SEQUENCE_BITS)
}

/// The ids that records get within the millisecond of `time`.
pub fn ids_at(time: DateTime<Utc>) -> Range<i64> {
    let first = first_id_at(time.timestamp_millis());
    first..first.saturating_add(1 << SEQUENCE_BITS)
}

/// When the record of this id was stored, as reads show it.
pub fn stored_at(id: i64) -> String {
    let milliseconds = (id >> SEQUENCE_BITS).saturating_add(FIRST_MILLISECOND);
    DateTime::from_timestamp_millis(milliseconds).map_or_else(String::new, time::format)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_tells_when_it_was_made() {
        for text in [
            "2026-11-21T04:11:14.036Z",
            "2026-11-21T04:11:14.03Z",
            "2024-01-01T00:00:00Z",
        ] {
            let ids = ids_at(text.parse().expect("a time"));
            assert_eq!(stored_at(ids.start), text);
            assert_eq!(stored_at(ids.end - 1), text);
            assert_ne!(stored_at(ids.end), text);
        }
        assert_eq!(stored_at(373_420_335_251_464), "2026-11-21T04:11:14.036Z");
    }
}
