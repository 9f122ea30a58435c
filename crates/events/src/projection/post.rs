//! A post that the log of events makes, and how it becomes a record through the same function as those of clients.

use std::collections::{BTreeMap, BTreeSet};

use audit::{Dialect, Embedding, Kind, Record, Violation};
use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use super::entry::{Entry, said};

/// Stands for what the log does not say and a form asks for.
pub(super) const UNKNOWN: &str = "unknown";

/// The most ids of events that a record names.
pub(super) const MAX_EVENTS: usize = 200;

/// The most characters of names of all sorts (contract, rules).
pub(super) const NAME: usize = 255;
/// The most characters of a target (contract, rules).
pub(super) const TARGET: usize = 512;
/// The most characters of an action's type (contract, rules).
pub(super) const ACTION: usize = 100;
/// The most bytes of an error (contract, rules).
pub(super) const ERROR: usize = 64 * 1024;
/// The most bytes of other prose. Nobody reads more in a record, and the event has all of it.
pub(super) const PROSE: usize = 16 * 1024;

/// What the records of a correlation have in common.
pub(super) struct Identity<'e> {
    pub(super) correlation_id: &'e str,
    pub(super) namespace: &'e str,
}

impl Identity<'_> {
    /// The beginning of a body, with the members' names in snake_case.
    pub(super) fn store(&self) -> Map<String, Value> {
        let members = [
            ("namespace", cut(self.namespace, NAME)),
            ("correlation_id", self.correlation_id.to_owned()),
            ("remediation_request_id", self.correlation_id.to_owned()),
        ];
        members
            .map(|(name, text)| (name.to_owned(), text.into()))
            .into_iter()
            .collect()
    }

    /// The beginning of a compact remediation's body.
    pub(super) fn compact(&self) -> Map<String, Value> {
        let members = [
            ("namespace", cut(self.namespace, NAME)),
            ("correlationId", self.correlation_id.to_owned()),
            ("remediationRequestID", self.correlation_id.to_owned()),
        ];
        members
            .map(|(name, text)| (name.to_owned(), text.into()))
            .into_iter()
            .collect()
    }
}

/// A name made of a correlation id; of its digest if it would be too long.
pub(super) fn named(prefix: &str, correlation_id: &str) -> String {
    let mut name = format!("{prefix}{correlation_id}");
    if name.chars().count() > NAME {
        prefix.clone_into(&mut name);
        audit::push_hexadecimal(&mut name, &Sha256::digest(correlation_id).into());
    }
    name
}

/// The first characters of a text.
pub(super) fn cut(text: &str, characters: usize) -> String {
    text.chars().take(characters).collect()
}

/// Different values of members, the latest last.
pub(super) type Values = BTreeMap<String, Vec<Value>>;

/// The members of a body while events are gone through. What is stated once is never taken away, only replaced.
#[derive(Debug, Default)]
pub(super) struct Members<'e> {
    values: Values,
    events: Vec<&'e str>,
}

impl<'e> Members<'e> {
    /// Notes that the event has something to say about it.
    pub(super) fn note(&mut self, entry: &Entry<'e>) {
        self.events.push(entry.id());
    }

    pub(super) fn has(&self, name: &str) -> bool {
        let last = self.values.get(name).and_then(|values| values.last());
        last.is_some_and(|value| !value.is_null())
    }

    /// Sets a text that names something, cut to so many characters.
    pub(super) fn name(&mut self, name: &str, text: Option<&str>, characters: usize) {
        self.value(name, text.map(|text| cut(text, characters)));
    }

    /// Sets prose, cut to so many bytes.
    pub(super) fn prose(&mut self, name: &str, text: Option<&str>, bytes: usize) {
        self.value(name, text.map(|text| shortened(text, bytes)));
    }

    /// Sets a value, if there is one.
    pub(super) fn value(&mut self, name: &str, value: Option<impl Into<Value>>) {
        let Some(value) = value.map(Into::into) else {
            return;
        };
        let values = self.values.entry(name.to_owned()).or_default();
        if values.last() != Some(&value) {
            values.push(value);
        }
    }

    /// Copies members of another object, texts that say nothing aside.
    pub(super) fn copy(&mut self, from: &Map<String, Value>, names: &[&str]) {
        for name in names {
            let value = from.get(*name).filter(|value| !says_nothing(value));
            self.value(name, value.cloned());
        }
    }

    /// Clears a member that has been set.
    pub(super) fn clear(&mut self, name: &str) {
        if let Some(last) = self
            .values
            .get_mut(name)
            .and_then(|values| values.last_mut())
        {
            *last = Value::Null;
        }
    }

    /// Writes them, and where they come from, to a body. Returns what they were before.
    pub(super) fn write(mut self, body: &mut Map<String, Value>) -> Values {
        let first = self.events.len().saturating_sub(MAX_EVENTS);
        let last = self.events.get(first..).unwrap_or_default();
        for (name, values) in &mut self.values {
            body.extend(values.pop().map(|last| (name.clone(), last)));
        }
        body.insert("projected".to_owned(), true.into());
        body.insert("events".to_owned(), last.into());
        body.insert("event_count".to_owned(), self.events.len().into());
        self.values
    }
}

fn says_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(members) => members.is_empty(),
        Value::Array(elements) => elements.is_empty(),
        Value::String(_) => said(value).is_none(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// The beginning of a text that has at most so many bytes.
pub(super) fn shortened(text: &str, bytes: usize) -> String {
    text.get(..text.floor_char_boundary(bytes))
        .unwrap_or_default()
        .to_owned()
}

/// What the events of a correlation say about one record.
#[derive(Clone, Debug, PartialEq)]
pub struct Post {
    kind: Kind,
    dialect: Dialect,
    body: Map<String, Value>,
    /// What stands for a value that breaks a rule.
    earlier: Values,
}

/// Members that a compact remediation cannot do without, and their columns.
const STAND_INS: [(&str, &str); 2] = [("alertName", "alert_name"), ("cluster", "cluster_name")];

/// What stands for required members of which no value keeps the rules. For others there is nothing.
const FALLBACKS: [(&str, &str); 2] = [("namespace", UNKNOWN), ("workflow_type", "remediation")];

/// The members without which there is no record, or nobody would know what it belongs to.
const ESSENTIAL: [&str; 8] = [
    "remediationRequestID",
    "correlationId",
    "remediation_request_id",
    "correlation_id",
    "name",
    "status",
    "start_time",
    "analysis_type",
];

impl Post {
    pub(super) const fn new(
        kind: Kind,
        dialect: Dialect,
        body: Map<String, Value>,
        earlier: Values,
    ) -> Self {
        Self {
            kind,
            dialect,
            body,
            earlier,
        }
    }

    /// What it is about.
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// The record. `now` is the time against which "in the future" is measured.
    ///
    /// A payload may have in it what the rules of records forbid, such as markup in a name. That is left out here,
    /// so that the rest is not lost, and what was stated before counts. Nothing only if the correlation itself cannot be the name of a
    /// record.
    pub fn read(mut self, now: DateTime<Utc>) -> Option<Record> {
        // Every round takes a value out for good, so they end.
        loop {
            let mut body = self.body.clone();
            let mut absent = Vec::new();
            if self.kind == Kind::Remediation {
                for (name, column) in STAND_INS {
                    if !body.contains_key(name) {
                        body.insert(name.to_owned(), UNKNOWN.into());
                        absent.push(column);
                    }
                }
            }
            match audit::read(self.kind, self.dialect, Value::Object(body), None, now) {
                Ok(record) => return Some(without(record, &absent)),
                Err(violations) => self.mend(&violations)?,
            }
        }
    }

    /// Takes out what breaks a rule. Nothing if that is not enough.
    fn mend(&mut self, violations: &[Violation]) -> Option<()> {
        let names: BTreeSet<_> = violations
            .iter()
            .filter_map(|violation| violation.field.split(['.', '[']).next())
            .filter(|name| self.body.contains_key(*name))
            .collect();
        if names.is_empty() || names.iter().any(|name| ESSENTIAL.contains(name)) {
            return None;
        }
        for name in names {
            if let Some(value) = self.earlier.get_mut(name).and_then(Vec::pop) {
                self.body.insert(name.to_owned(), value);
                continue;
            }
            match FALLBACKS.iter().find(|(of, _)| *of == name) {
                Some((_, text)) if self.body.get(name).is_some_and(|value| value != text) => {
                    self.body.insert(name.to_owned(), (*text).into());
                }
                Some(_) => return None,
                None => {
                    self.body.remove(name);
                }
            }
        }
        Some(())
    }
}

/// The record without what only stood in for something in the form.
fn without(mut record: Record, columns: &[&str]) -> Record {
    for column in columns {
        record.columns.remove(*column);
    }
    if record.embedding_text().is_none() {
        record.embedding = Some(Embedding {
            model: String::new(),
            vector: None,
        });
    }
    record
}
