//! Cursors: what this service makes is read as it was meant, and nothing else is one.

#![no_main]
#![allow(unsafe_code, reason = "libFuzzer calls the target by its C name")]

use edge::{Cursor, QueryParameters, Total};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let found = cursor(text);
    assert_eq!(found.is_some(), is_cursor(text), "{text:?}: {found:?}");
    let Some(found) = found else { return };
    assert!(found.after > 0, "{found:?}");
    assert_eq!(encode(found), text);

    assert_eq!(total(found, None), Some(found.total));
    assert_eq!(total(found, Some("exact")), Some(found.total));
    assert_eq!(total(found, Some("none")), Some(Total::None));
    assert_eq!(total(found, Some(text)), None);
    for total in [
        Total::None,
        Total::Counted(found.after - 1),
        Total::Estimated(i64::MAX - found.after),
    ] {
        let other = Cursor {
            after: found.after,
            total,
        };
        assert_eq!(cursor(&encode(other)), Some(other));
    }
});

fn cursor(text: &str) -> Option<Cursor> {
    let mut parameters = parameters("cursor", text);
    let cursor = Cursor::take(&mut parameters).ok()?;
    parameters.finish().expect("it was the only parameter");
    assert!(cursor.is_some(), "{text:?} was ignored");
    cursor
}

fn total(cursor: Cursor, asked: Option<&str>) -> Option<Total> {
    let mut parameters = asked.map_or_else(
        || QueryParameters::of(Vec::new()),
        |asked| parameters("total", asked),
    );
    Total::take(&mut parameters, Some(cursor)).ok()
}

fn parameters(name: &str, value: &str) -> QueryParameters {
    QueryParameters::of(vec![(name.to_owned(), value.to_owned())])
}

/// As `audit_list` in the database writes a cursor.
fn encode(cursor: Cursor) -> String {
    let after = cursor.after;
    match cursor.total {
        Total::Counted(total) => format!("{after}-{total}"),
        Total::Estimated(total) => format!("{after}-{total}e"),
        Total::Usual | Total::Exact | Total::None => after.to_string(),
    }
}

/// `[1-9][0-9]*(-(0|[1-9][0-9]*)e?)?`, with numbers that fit 64 bits.
fn is_cursor(text: &str) -> bool {
    let (after, total) = text
        .split_once('-')
        .map_or((text, None), |(after, total)| (after, Some(total)));
    let total = total.map(|total| total.strip_suffix('e').unwrap_or(total));
    is_number(after) && after != "0" && total.is_none_or(is_number)
}

fn is_number(text: &str) -> bool {
    let is_plain = text == "0"
        || (!text.starts_with('0')
            && !text.is_empty()
            && text.bytes().all(|byte| byte.is_ascii_digit()));
    is_plain && text.parse::<i64>().is_ok()
}
