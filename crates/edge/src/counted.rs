//! Requests are counted however they end, and what they read or wrote with them: with an answer, with an error, or because the
//! client went away.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use audit::Kind;
use metrics::{Active, CLIENT_CLOSED_REQUEST, Operation, Status};

use crate::route::Match;

/// What an endpoint does, as metrics tell it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counts {
    /// It reads.
    Read(Operation),
    /// It writes records of the path's `{kind}`.
    Write,
    /// It writes events.
    WriteEvents,
    /// Neither.
    Nothing,
}

/// How many records a request writes: one, unless its endpoint says more.
#[derive(Debug, Clone)]
pub struct Records(Rc<Cell<usize>>);

impl Default for Records {
    fn default() -> Self {
        Self(Rc::new(Cell::new(1)))
    }
}

impl Records {
    /// It writes so many.
    pub fn are(&self, count: usize) {
        self.0.set(count);
    }

    fn count(&self) -> u64 {
        u64::try_from(self.0.get()).unwrap_or(u64::MAX)
    }
}

#[derive(Debug, Clone, Copy)]
enum Work {
    Read(Operation),
    Write(Kind),
    WriteEvents,
    Nothing,
}

/// A request of a client, until the host has taken its answer. If that does not happen, the client has gone away.
pub(crate) struct Counting {
    template: &'static str,
    work: Work,
    records: Records,
    started: Instant,
    /// The status of the answer, and how long it took.
    answer: Option<(u16, Duration)>,
    is_taken: bool,
    _active: Active,
}

impl Counting {
    pub(crate) fn begin<E: Copy>(found: &Match<E>, counts: impl Fn(E) -> Counts) -> Self {
        Self {
            template: found.pattern(),
            work: work(found, counts),
            records: Records::default(),
            started: Instant::now(),
            answer: None,
            is_taken: false,
            _active: Active::begin(),
        }
    }

    pub(crate) fn records(&self) -> Records {
        self.records.clone()
    }

    /// There is an answer.
    pub(crate) fn answered(&mut self, status: u16) {
        self.answer = Some((status, self.started.elapsed()));
    }

    /// The host has taken all of it.
    pub(crate) fn taken(mut self) {
        self.is_taken = true;
    }

    /// What it counts as; nothing if it was refused.
    fn outcome(&self) -> Option<Status> {
        match self.answer {
            Some((400..500, _)) => None,
            Some((..400, _)) if self.is_taken => Some(Status::Success),
            _ => Some(Status::Failure),
        }
    }
}

fn work<E: Copy>(found: &Match<E>, counts: impl Fn(E) -> Counts) -> Work {
    let Match::Endpoint {
        endpoint, segments, ..
    } = found
    else {
        return Work::Nothing;
    };
    match counts(*endpoint) {
        Counts::Read(operation) => Work::Read(operation),
        Counts::Write => {
            let kind = segments.get("kind").and_then(Kind::parse);
            kind.map_or(Work::Nothing, Work::Write)
        }
        Counts::WriteEvents => Work::WriteEvents,
        Counts::Nothing => Work::Nothing,
    }
}

impl Drop for Counting {
    fn drop(&mut self) {
        let answer = self.answer.filter(|_| self.is_taken);
        let status = answer.map_or(CLIENT_CLOSED_REQUEST, |(status, _)| status);
        metrics::request(self.template, status);
        let Some(outcome) = self.outcome() else {
            return;
        };
        let took = self.answer.map(|(_, took)| took);
        let took = took.unwrap_or_else(|| self.started.elapsed());
        match self.work {
            Work::Read(operation) => metrics::query(operation, outcome, took),
            Work::Write(kind) => metrics::write(kind, outcome, self.records.count(), took),
            Work::WriteEvents => metrics::write_events(outcome, self.records.count(), took),
            Work::Nothing => {}
        }
    }
}
