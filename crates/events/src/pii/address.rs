//! Addresses of people and of machines.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::Range;

use super::{runs, stands_alone};

/// What stands between a name and a host: as it is, and as addresses of pages have it.
const AT: [&str; 2] = ["@", "%40"];

/// Finds e-mail addresses: a name, and a host with a point in it.
pub(super) fn emails(text: &str, found: &mut Vec<Range<usize>>) {
    for separator in AT {
        for (at, _) in text.match_indices(separator) {
            let host = at.saturating_add(separator.len());
            let name = text.get(..at).unwrap_or_default();
            let is_of_name = |character: char| {
                character.is_alphanumeric() || matches!(character, '.' | '_' | '%' | '+' | '-')
            };
            let start = name.trim_end_matches(is_of_name).len();
            let rest = text.get(host..).unwrap_or_default();
            if let (true, Some(length)) = (start < at, host_length(rest)) {
                found.push(start..host.saturating_add(length));
            }
        }
    }
}

/// The length of the name of a host at the beginning, if that has a top-level domain.
fn host_length(text: &str) -> Option<usize> {
    let is_of_host =
        |character: char| character.is_alphanumeric() || matches!(character, '.' | '-');
    let end = text.find(|character: char| !is_of_host(character));
    let host = text.get(..end.unwrap_or(text.len()))?;
    let host = host.trim_end_matches(['.', '-']);
    let (before, top) = host.rsplit_once('.')?;
    let is_top = top.chars().count() >= 2 && top.starts_with(char::is_alphabetic);
    (is_top && before.starts_with(char::is_alphanumeric)).then_some(host.len())
}

/// Finds IP addresses of both versions, and those in the names that clouds give to machines (`ip-10-0-0-1`).
pub(super) fn ips(text: &str, found: &mut Vec<Range<usize>>) {
    let is_of_4 = |character: char| character.is_ascii_digit() || character == '.';
    for run in runs(text, is_of_4) {
        let place = trimmed(text, run, '.');
        if is_address_4(text.get(place.clone()).unwrap_or_default()) && stands_alone(text, &place) {
            found.push(place);
        }
    }
    let is_of_6 = |character: char| character.is_ascii_hexdigit() || ".:".contains(character);
    for run in runs(text, is_of_6) {
        found.extend(address_6(text, trimmed(text, run, '.')));
    }
    for (at, prefix) in text.match_indices("ip-") {
        let start = at.saturating_add(prefix.len());
        let rest = text.get(start..).unwrap_or_default();
        let end = rest.find(|next: char| !next.is_ascii_digit() && next != '-');
        let address = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
        let address = address.trim_end_matches('-');
        if is_address_4(&address.replace('-', ".")) {
            found.push(start..start.saturating_add(address.len()));
        }
    }
}

fn is_address_4(text: &str) -> bool {
    text.parse::<Ipv4Addr>().is_ok()
}

/// The place of an address of version 6 in a run of its characters.
fn address_6(text: &str, mut place: Range<usize>) -> Option<Range<usize>> {
    let of = |place: &Range<usize>| text.get(place.clone()).unwrap_or_default();
    // What stands before a colon may be the name of the address, and one behind it may end a clause.
    if of(&place).starts_with(':') && !of(&place).starts_with("::") {
        place.start = place.start.saturating_add(1);
    } else if !stands_alone(text, &place) {
        return None;
    }
    if of(&place).ends_with(':') && !of(&place).ends_with("::") {
        place.end = place.end.saturating_sub(1);
    }
    let is_address = |text: &str| text.parse::<Ipv6Addr>().is_ok();
    let run = of(&place);
    if !run.contains(|character: char| character.is_ascii_digit()) {
        return None; // `::` and `a::b` are more often names in a program
    }
    if is_address(run) {
        return Some(place);
    }
    // With a port behind it.
    let (address, _) = run.rsplit_once(':')?;
    is_address(address).then(|| place.start..place.start.saturating_add(address.len()))
}

/// A place without such characters at its ends.
fn trimmed(text: &str, place: Range<usize>, character: char) -> Range<usize> {
    let run = text.get(place.clone()).unwrap_or_default();
    let without = run.trim_start_matches(character);
    let start = place.end.saturating_sub(without.len());
    let length = without.trim_end_matches(character).len();
    start..start.saturating_add(length)
}
