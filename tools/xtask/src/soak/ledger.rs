//! What was acknowledged to the clients.

use std::collections::{BTreeMap, VecDeque};

use rand::RngExt;
use rand::rngs::StdRng;

use super::record::{self, State};

/// How often a record is drawn before there is none that fits.
const TRIES: usize = 20;

/// A record that was acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) number: u32,
    pub(super) id: i64,
    pub(super) state: State,
    /// Whether the service said that it has a vector, or has had the time to make one.
    pub(super) is_embedded: bool,
    /// Whether a client is at it, so that what it is may change.
    is_taken: bool,
}

/// All acknowledged records, in the order of their acknowledgement.
#[derive(Default)]
pub(super) struct Ledger {
    entries: Vec<Entry>,
    /// Those that nobody has read yet, by their place.
    unread: VecDeque<usize>,
}

/// A record that a client is at, until it is given back.
#[derive(Clone, Copy, Debug)]
pub(super) struct Taken {
    place: usize,
    pub(super) entry: Entry,
}

impl Ledger {
    /// Notes that a record was acknowledged for the first time.
    pub(super) fn add(&mut self, number: u32, id: i64, is_embedded: bool) {
        self.unread.push_back(self.entries.len());
        self.entries.push(Entry {
            number,
            id,
            state: record::first_state(number),
            is_embedded,
            is_taken: false,
        });
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// A record that nobody is at and that fits, if one is found.
    pub(super) fn take(
        &mut self,
        chance: &mut StdRng,
        fits: impl Fn(&Entry) -> bool,
    ) -> Option<Taken> {
        if self.entries.is_empty() {
            return None;
        }
        (0..TRIES).find_map(|_| {
            let place = chance.random_range(0..self.entries.len());
            let entry = self.entries[place];
            (!entry.is_taken && fits(&entry)).then(|| self.take_at(place))
        })
    }

    /// The record that has waited the longest for being read, if nobody is at it.
    pub(super) fn take_unread(&mut self) -> Option<Taken> {
        let place = self.unread.pop_front()?;
        if self.entries[place].is_taken {
            self.unread.push_back(place);
            return None;
        }
        Some(self.take_at(place))
    }

    fn take_at(&mut self, place: usize) -> Taken {
        let entry = &mut self.entries[place];
        entry.is_taken = true;
        Taken {
            place,
            entry: *entry,
        }
    }

    /// Gives a record back as it was.
    pub(super) fn give_back(&mut self, taken: Taken) {
        self.entries[taken.place].is_taken = false;
    }

    /// The same for one that should have been read and was not.
    pub(super) fn give_back_unread(&mut self, taken: Taken) {
        self.give_back(taken);
        self.unread.push_back(taken.place);
    }

    /// Gives a record back as it has become. It is to be read again.
    pub(super) fn change(&mut self, taken: Taken, state: State, is_embedded: bool) {
        let entry = &mut self.entries[taken.place];
        (entry.state, entry.is_embedded) = (state, is_embedded);
        self.give_back_unread(taken);
    }

    /// Maintenance has made up for what was missing.
    pub(super) fn all_are_embedded(&mut self) {
        for entry in &mut self.entries {
            entry.is_embedded = true;
        }
    }

    /// How many records and how many visible ones there are of each kind.
    pub(super) fn totals(&self) -> BTreeMap<&'static str, (i64, i64)> {
        let mut totals: BTreeMap<_, _> = record::KINDS.iter().map(|kind| (*kind, (0, 0))).collect();
        for entry in &self.entries {
            let (all, visible) = totals.entry(record::kind(entry.number)).or_default();
            *all += 1;
            *visible += i64::from(entry.state != State::Hidden);
        }
        totals
    }

    /// All of them, in the order of their acknowledgement.
    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }
}

impl Entry {
    /// What the record is called in a message.
    pub(super) fn says(&self) -> String {
        let (kind, name) = (record::kind(self.number), record::name(self.number));
        format!("{kind} {} ({name}, {:?})", self.id, self.state)
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn one_client_at_a_time_is_at_a_record() {
        let mut ledger = Ledger::default();
        for number in [2, 1, 3] {
            ledger.add(number, i64::from(number) * 10, true);
        }
        let mut chance = StdRng::seed_from_u64(1);
        let first = ledger.take_unread().expect("the first");
        assert_eq!(first.entry.number, 2);
        assert!(
            ledger
                .take(&mut chance, |entry| entry.number == 2)
                .is_none()
        );
        ledger.change(first, State::Done, true);
        assert_eq!(ledger.unread.len(), 3);
        let again = ledger.take(&mut chance, |entry| entry.number == 2);
        assert_eq!(again.expect("the same").entry.state, State::Done);
    }
}
