//! Posts, changes, and the same posts again.

use serde_json::Value;

use super::super::judge::Operation;
use super::super::ledger::Taken;
use super::super::record::{self, State};
use super::Clients;
use super::desk::{Change, Write};
use crate::stage::http::Request;

impl Clients {
    /// Does it, or leaves it to be repeated.
    pub(super) async fn write(&self, write: Write) {
        let Write { what, is_repeated } = write;
        let left = match what {
            Change::Post(numbers) => match numbers[..] {
                [number] => self.post(number, is_repeated).await,
                _ => self.post_batch(numbers, is_repeated).await,
            },
            Change::Finish(taken) => self.finish(taken, is_repeated).await,
            Change::Correct(taken) => self.correct(taken).await,
            Change::Hide(taken) => self.hide(taken, is_repeated).await,
        };
        if let Some(left) = left {
            self.desk().repeats.push_back(Write {
                what: left,
                is_repeated: true,
            });
        }
    }

    async fn post(&self, number: u32, is_repeated: bool) -> Option<Change> {
        let request = self.posting(number, record::first_state(number));
        let Some(created) = self.send(Operation::Post, request, &[201]).await else {
            return Some(Change::Post(vec![number]));
        };
        self.note_new(number, &created, is_repeated);
        None
    }

    /// All of them are acknowledged, or none is.
    async fn post_batch(&self, numbers: Vec<u32>, is_repeated: bool) -> Option<Change> {
        let bodies = numbers.iter();
        let bodies = bodies.map(|&number| record::body(number, record::first_state(number)));
        let path = format!("/api/v1/store/{}/batch", record::kind(numbers[0]));
        let request = Request::post(path, &bodies.collect()).by(&self.callers.author);
        let Some(answer) = self.send(Operation::Batch, request, &[201]).await else {
            return Some(Change::Post(numbers));
        };
        let results = answer["results"].as_array().map_or(&[][..], Vec::as_slice);
        if results.len() != numbers.len() {
            let (expected, found) = (numbers.len(), results.len());
            self.violation(format!(
                "batch of {}: expected {expected} results, found {found}",
                numbers[0]
            ));
        }
        for (&number, created) in numbers.iter().zip(results) {
            self.note_new(number, created, is_repeated);
        }
        None
    }

    /// Two clients post the same at the same time: both hear of one record.
    pub(super) async fn post_twice(&self, number: u32) {
        let request = self.posting(number, record::first_state(number));
        let (one, other) = tokio::join!(
            self.send(Operation::Post, request.clone(), &[201]),
            self.send(Operation::Post, request, &[201]),
        );
        if let (Some(one), Some(other)) = (&one, &other) {
            let mut statuses =
                [one, other].map(|created| created["status"].as_str().unwrap_or_default());
            statuses.sort_unstable();
            if one["id"] != other["id"] || statuses != ["duplicate", "persisted"] {
                self.violation(format!(
                    "{} posted twice at once: expected one record, persisted and duplicate; found {one} and {other}",
                    record::name(number)
                ));
            }
        }
        match one.or(other) {
            Some(created) => self.note_new(number, &created, true),
            None => self.desk().repeats.push_back(Write {
                what: Change::Post(vec![number]),
                is_repeated: true,
            }),
        }
    }

    /// What was acknowledged is recognised.
    pub(super) async fn replay(&self, taken: Taken) {
        let entry = taken.entry;
        let has_begun = record::first_state(entry.number) == State::Begun;
        let (sent, expected) = match entry.state {
            State::Begun => (State::Begun, "duplicate"),
            // The first post, which the second has overtaken, and the second by turns.
            State::Done if has_begun && entry.number.is_multiple_of(4) => (State::Begun, "stale"),
            State::Done => (State::Done, "duplicate"),
            State::Corrected | State::Hidden => (State::Done, "stale"),
        };
        let request = self.posting(entry.number, sent);
        if let Some(created) = self.send(Operation::Replay, request, &[201]).await
            && (created["id"] != entry.id || created["status"] != expected)
        {
            self.violation(format!(
                "{} posted again as {sent:?}: expected {} and {expected}, found {created}",
                entry.says(),
                entry.id
            ));
        }
        self.with_ledger(|ledger| ledger.give_back(taken));
    }

    async fn finish(&self, taken: Taken, is_repeated: bool) -> Option<Change> {
        let entry = taken.entry;
        let request = self.posting(entry.number, State::Done);
        let Some(created) = self.send(Operation::Update, request, &[201]).await else {
            return Some(Change::Finish(taken));
        };
        let status = created["status"].as_str().unwrap_or_default();
        let is_right = status == "updated" || (is_repeated && status == "duplicate");
        if created["id"] != entry.id || !is_right {
            self.violation(format!(
                "{} finished: expected {} and updated, found {created}",
                entry.says(),
                entry.id
            ));
        }
        let is_embedded = !created["embeddingId"].is_null();
        self.with_ledger(|ledger| ledger.change(taken, State::Done, is_embedded));
        None
    }

    async fn correct(&self, taken: Taken) -> Option<Change> {
        let path = stored(taken);
        let request = Request::patch(path, &record::correction()).by(&self.callers.author);
        let Some(shown) = self.send(Operation::Patch, request, &[200]).await else {
            return Some(Change::Correct(taken));
        };
        let entry = taken.entry;
        if let Some(flaw) = record::flaw(&shown, entry.number, State::Corrected) {
            self.violation(format!("{} patched: {flaw}", entry.says()));
        }
        self.with_ledger(|ledger| ledger.change(taken, State::Corrected, entry.is_embedded));
        None
    }

    async fn hide(&self, taken: Taken, is_repeated: bool) -> Option<Change> {
        let expected: &[u16] = if is_repeated { &[204, 404] } else { &[204] };
        let request = Request::delete(stored(taken)).by(&self.callers.admin);
        if self
            .send(Operation::Hide, request, expected)
            .await
            .is_none()
        {
            return Some(Change::Hide(taken));
        }
        self.with_ledger(|ledger| ledger.change(taken, State::Hidden, false));
        None
    }

    /// The post of a record in a state.
    fn posting(&self, number: u32, state: State) -> Request {
        let kind = record::kind(number);
        let path = format!("/api/v1/store/{kind}");
        let post = Request::post(path, &record::body(number, state)).by(&self.callers.author);
        match record::key(number) {
            Some(key) => post.with("idempotency-key", &key),
            None => post,
        }
    }

    fn note_new(&self, number: u32, created: &Value, is_repeated: bool) {
        let status = created["status"].as_str().unwrap_or_default();
        let is_right = status == "persisted" || (is_repeated && status == "duplicate");
        let id = created["id"].as_i64();
        if let (true, Some(id)) = (is_right, id) {
            let is_embedded = !created["embeddingId"].is_null();
            self.with_ledger(|ledger| ledger.add(number, id, is_embedded));
        } else {
            self.violation(format!(
                "{} posted: expected an id and persisted, found {created}",
                record::name(number)
            ));
        }
    }
}

/// Where a record is changed.
fn stored(taken: Taken) -> String {
    let entry = taken.entry;
    format!("/api/v1/store/{}/{}", record::kind(entry.number), entry.id)
}
