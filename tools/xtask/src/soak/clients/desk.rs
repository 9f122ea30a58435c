//! Where clients get their errands.

use std::collections::VecDeque;
use std::ops::Range;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};

use super::super::ledger::{Ledger, Taken};
use super::super::record::{self, State};

/// What a client does.
#[derive(Debug)]
pub(super) enum Errand {
    Write(Write),
    /// Posts a new record twice at the same time.
    Twins(u32),
    /// Posts again what was acknowledged.
    Replay(Taken),
    Get(Taken),
    /// Of the namespace and the kind of this record.
    List(u32),
    Incidents(u32),
    Timeline(Taken),
    Similar(Taken),
    /// With a filter or without.
    Search(Taken, bool),
}

/// What changes something, and is repeated until it is acknowledged.
#[derive(Debug)]
pub(super) struct Write {
    pub(super) what: Change,
    /// Whether it was sent before, so that nobody knows whether it was done.
    pub(super) is_repeated: bool,
}

#[derive(Debug)]
pub(super) enum Change {
    /// A record, or a batch.
    Post(Vec<u32>),
    /// The later state of a record that had only begun.
    Finish(Taken),
    Correct(Taken),
    Hide(Taken),
}

impl Change {
    fn first(self) -> Errand {
        Errand::Write(Write {
            what: self,
            is_repeated: false,
        })
    }
}

/// What is drawn, and how often of a hundred. About as many records are read as are written.
const ERRANDS: [(Draw, u32); 13] = [
    (Draw::Post, 16),
    (Draw::Batch, 1),
    (Draw::Twins, 2),
    (Draw::Replay, 4),
    (Draw::Finish, 8),
    (Draw::Correct, 3),
    (Draw::Hide, 2),
    (Draw::Get, 43),
    (Draw::List, 4),
    (Draw::Incidents, 2),
    (Draw::Timeline, 4),
    (Draw::Similar, 3),
    (Draw::Search, 8),
];

#[derive(Clone, Copy)]
enum Draw {
    Post,
    Batch,
    Twins,
    Replay,
    Finish,
    Correct,
    Hide,
    Get,
    List,
    Incidents,
    Timeline,
    Similar,
    Search,
}

/// What the clients share.
pub(super) struct Desk {
    chance: StdRng,
    pub(super) ledger: Ledger,
    /// What was refused, or lost on the way.
    pub(super) repeats: VecDeque<Write>,
    /// Numbers for single posts, of one block.
    singles: Range<u32>,
    /// How many blocks there were for single posts, and for batches.
    blocks: [u32; 2],
}

impl Desk {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            chance: StdRng::seed_from_u64(seed),
            ledger: Ledger::default(),
            repeats: VecDeque::new(),
            singles: 0..0,
            blocks: [0; 2],
        }
    }

    /// The next errand, drawn at random.
    pub(super) fn draw(&mut self) -> Errand {
        // What was refused comes again soon, among all else.
        if self.chance.random_bool(0.3)
            && let Some(write) = self.repeats.pop_front()
        {
            return Errand::Write(write);
        }
        let drawn = ERRANDS.choose_weighted(&mut self.chance, |(_, weight)| *weight);
        let draw = drawn.map_or(Draw::Post, |(draw, _)| *draw);
        let found = self.find(draw);
        // As long as there is nothing to change or to read.
        found.unwrap_or_else(|| Change::Post(vec![self.single()]).first())
    }

    fn find(&mut self, draw: Draw) -> Option<Errand> {
        Some(match draw {
            Draw::Post => Change::Post(vec![self.single()]).first(),
            Draw::Batch => Change::Post(self.block(true).collect()).first(),
            Draw::Twins => Errand::Twins(self.single()),
            Draw::Replay => Errand::Replay(self.take(|state| state != State::Hidden)?),
            Draw::Finish => Change::Finish(self.take(|state| state == State::Begun)?).first(),
            Draw::Correct => Change::Correct(self.take(|state| state == State::Done)?).first(),
            Draw::Hide => {
                let is_done = |state| matches!(state, State::Done | State::Corrected);
                Change::Hide(self.take(is_done)?).first()
            }
            Draw::Get => {
                let unread = self.ledger.take_unread();
                Errand::Get(unread.or_else(|| self.take(|_| true))?)
            }
            Draw::List => Errand::List(self.any()?),
            Draw::Incidents => Errand::Incidents(self.any()?),
            Draw::Timeline => Errand::Timeline(self.take(|state| state != State::Hidden)?),
            Draw::Similar => {
                let taken = self.ledger.take(&mut self.chance, |entry| {
                    entry.state != State::Hidden && record::kind(entry.number) == "remediation"
                });
                Errand::Similar(taken?)
            }
            Draw::Search => {
                let is_filtered = self.chance.random_bool(0.5);
                let taken = self.take(|state| state != State::Hidden)?;
                Errand::Search(taken, is_filtered)
            }
        })
    }

    /// What has to be done before everything is compared: what was refused, and what nobody has read yet.
    pub(super) fn due(&mut self) -> Option<Errand> {
        if let Some(write) = self.repeats.pop_front() {
            return Some(Errand::Write(write));
        }
        self.ledger.take_unread().map(Errand::Get)
    }

    fn take(&mut self, fits: impl Fn(State) -> bool) -> Option<Taken> {
        self.ledger
            .take(&mut self.chance, |entry| fits(entry.state))
    }

    /// The number of a record.
    fn any(&mut self) -> Option<u32> {
        let taken = self.take(|_| true)?;
        self.ledger.give_back(taken);
        Some(taken.entry.number)
    }

    /// Of a record that nobody has posted yet.
    fn single(&mut self) -> u32 {
        loop {
            if let Some(number) = self.singles.next() {
                return number;
            }
            self.singles = self.block(false);
        }
    }

    /// Of records that nobody has posted yet.
    fn block(&mut self, is_batched: bool) -> Range<u32> {
        let place = &mut self.blocks[usize::from(is_batched)];
        *place += 1;
        record::block(*place - 1, is_batched)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_number_is_posted_twice() {
        let mut desk = Desk::new(1);
        let mut seen = BTreeSet::new();
        for _ in 0..100 {
            assert!(seen.insert(desk.single()));
            assert!(desk.block(true).all(|number| seen.insert(number)));
        }
    }

    #[test]
    fn what_was_refused_is_due_before_what_is_unread() {
        let mut desk = Desk::new(1);
        desk.ledger.add(0, 10, true);
        desk.repeats.push_back(Write {
            what: Change::Post(vec![1]),
            is_repeated: true,
        });
        assert!(matches!(desk.due(), Some(Errand::Write(_))));
        assert!(matches!(desk.due(), Some(Errand::Get(_))));
        assert!(desk.due().is_none());
    }

    #[test]
    fn a_hundred_errands_are_drawn() {
        let sum: u32 = ERRANDS.iter().map(|(_, weight)| weight).sum();
        assert_eq!(sum, 100);
    }
}
