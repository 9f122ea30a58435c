//! Reads of every form, and what must be in their answers.

use serde_json::{Value, json};

use super::super::judge::Operation;
use super::super::ledger::Taken;
use super::super::record::{self, State};
use super::Clients;
use crate::stage::http::Request;

/// Records of a page.
const PAGE: usize = 20;

/// Answers to a question.
const FEW: usize = 5;

impl Clients {
    /// A record is as it was acknowledged.
    pub(super) async fn get(&self, taken: Taken) {
        let entry = taken.entry;
        let path = format!("/api/v1/query/{}/{}", record::kind(entry.number), entry.id);
        let expected = if entry.state == State::Hidden {
            404
        } else {
            200
        };
        let Some(shown) = self.ask(Operation::Get, path, expected).await else {
            self.with_ledger(|ledger| ledger.give_back_unread(taken));
            return;
        };
        if expected == 200
            && let Some(flaw) = record::flaw(&shown, entry.number, entry.state)
        {
            self.violation(format!("{} read: {flaw}", entry.says()));
        }
        self.with_ledger(|ledger| ledger.give_back(taken));
    }

    /// The newest of a namespace, newest first.
    pub(super) async fn list(&self, number: u32) {
        let (kind, namespace) = (record::kind(number), record::namespace(number));
        let path = format!("/api/v1/query/{kind}?namespace={namespace}&limit={PAGE}");
        if let Some(page) = self.ask(Operation::List, path, 200).await {
            self.see_page(&page["audits"], &page["total"], &namespace);
        }
    }

    /// The same as incidents.
    pub(super) async fn incidents(&self, number: u32) {
        let namespace = record::namespace(number);
        let path = format!("/api/v1/incidents?namespace={namespace}&limit={PAGE}");
        if let Some(page) = self.ask(Operation::Incidents, path, 200).await {
            self.see_page(&page["data"], &page["pagination"]["total"], &namespace);
        }
    }

    fn see_page(&self, records: &Value, total: &Value, namespace: &str) {
        let ids = ids(records, |record| &record["id"]);
        let is_in_order = ids.is_sorted_by(|newer, older| newer > older);
        let is_asked_for = records.as_array().is_some_and(|records| {
            records
                .iter()
                .all(|record| record["namespace"] == namespace)
        });
        let total = total.as_u64().and_then(|total| usize::try_from(total).ok());
        // A page that is not full has everything.
        let is_counted = total.is_some_and(|total| ids.len() == total.min(PAGE));
        if !(is_in_order && is_asked_for && is_counted) {
            self.violation(format!(
                "list of {namespace}: expected ids in falling order, of that namespace, {PAGE} or the total of them; \
                 found a total of {total:?} and {ids:?}"
            ));
        }
    }

    /// A record is in the timeline of its correlation.
    pub(super) async fn timeline(&self, taken: Taken) {
        let entry = taken.entry;
        let correlation = record::correlation(entry.number);
        let path = format!("/api/v1/query/timeline/{correlation}");
        if let Some(timeline) = self.ask(Operation::Timeline, path, 200).await {
            let ids = ids(&timeline["audits"], |record| &record["id"]);
            if !ids.contains(&entry.id) {
                let says = entry.says();
                self.violation(format!(
                    "timeline {correlation}: expected {says} in it, found {ids:?}"
                ));
            }
        }
        self.with_ledger(|ledger| ledger.give_back(taken));
    }

    /// What resembles a record, without itself.
    pub(super) async fn similar(&self, taken: Taken) {
        let entry = taken.entry;
        let path = format!("/api/v1/incidents/{}/similar?limit={FEW}", entry.id);
        if let Some(found) = self.ask(Operation::Similar, path, 200).await {
            let ids = ids(&found["results"], |hit| &hit["audit"]["id"]);
            if ids.contains(&entry.id) || ids.len() > FEW {
                let says = entry.says();
                self.violation(format!(
                    "similar to {says}: expected at most {FEW} others, found {ids:?}"
                ));
            }
        }
        self.with_ledger(|ledger| ledger.give_back(taken));
    }

    /// A record that has a vector is found by its own words. With a filter that leaves few the search is exact; without one
    /// it may miss a record, which is counted.
    pub(super) async fn search(&self, taken: Taken, is_filtered: bool) {
        let entry = taken.entry;
        let mut question = json!({"query": record::question(entry.number), "limit": FEW});
        if is_filtered {
            question["correlation_id"] = json!(record::correlation(entry.number));
        }
        let request = Request::post("/api/v1/query/semantic", &question).by(&self.callers.reader);
        if let Some(found) = self.send(Operation::Search, request, &[200]).await
            && entry.is_embedded
        {
            let ids = ids(&found["results"], |hit| &hit["audit"]["id"]);
            let is_found = ids.contains(&entry.id);
            if !is_filtered {
                self.tally.search(is_found);
            } else if !is_found {
                self.violation(format!(
                    "search {question}: expected {} among {ids:?}",
                    entry.says()
                ));
            }
        }
        self.with_ledger(|ledger| ledger.give_back(taken));
    }

    async fn ask(&self, operation: Operation, path: String, expected: u16) -> Option<Value> {
        let request = Request::get(path).by(&self.callers.reader);
        self.send(operation, request, &[expected]).await
    }
}

/// The ids of a list of records.
fn ids(records: &Value, id: impl Fn(&Value) -> &Value) -> Vec<i64> {
    let records = records.as_array().map_or(&[][..], Vec::as_slice);
    records
        .iter()
        .map(|record| id(record).as_i64().unwrap_or_default())
        .collect()
}
