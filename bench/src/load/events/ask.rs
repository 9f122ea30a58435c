//! What the log of events is asked, and what its answers must be.

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::samples::{LONG_CHAIN, LONG_CORRELATION, PER_REMEDIATION};
use crate::load::client::Answer;
use crate::load::operation::{get, post};
use crate::load::samples::Draw;

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum LogOperation {
    Single,
    Batch100,
    Batch1000,
    List,
    History,
    Effectiveness,
    Verify,
}

/// What must come back.
#[derive(Debug)]
pub(crate) enum LogExpected {
    /// So many ids.
    Taken(usize),
    /// All events of a remediation.
    Page(String),
    /// A history that has this remediation.
    History(String),
    /// A score.
    Score,
    /// A chain of so many events that is as it was sealed.
    Valid(usize),
}

impl LogOperation {
    pub(crate) const ALL: [Self; 7] = [
        Self::Single,
        Self::Batch100,
        Self::Batch1000,
        Self::List,
        Self::History,
        Self::Effectiveness,
        Self::Verify,
    ];

    /// The name in tables and in JSON.
    pub(crate) const fn key(self) -> &'static str {
        match self {
            Self::Single => "event_single",
            Self::Batch100 => "event_batch_100",
            Self::Batch1000 => "event_batch_1000",
            Self::List => "event_list",
            Self::History => "history_context",
            Self::Effectiveness => "effectiveness",
            Self::Verify => "verify_10000",
        }
    }

    /// What one request counts for: writes are measured in events.
    pub(crate) const fn events(self) -> usize {
        match self {
            Self::Batch100 => 100,
            Self::Batch1000 => 1000,
            _ => 1,
        }
    }

    /// Whether it leaves events behind.
    pub(crate) const fn writes(self) -> bool {
        matches!(self, Self::Single | Self::Batch100 | Self::Batch1000)
    }

    /// Writes the next request.
    pub(crate) fn write(self, draw: &mut Draw, request: &mut Vec<u8>) -> LogExpected {
        match self {
            Self::Single | Self::Batch100 | Self::Batch1000 => {
                let count = self.events();
                let mut body = String::from("[");
                let mut left = count;
                while left > 0 {
                    let id = draw.new_id();
                    left -= draw.log().0.push_events(&mut body, &id, left);
                }
                body.push(']');
                if self == Self::Single {
                    post(request, "/api/v1/audit/events", &body[1..body.len() - 1]);
                } else {
                    post(request, "/api/v1/audit/events/batch", &body);
                }
                LogExpected::Taken(count)
            }
            Self::List => {
                let id = draw_id(draw);
                let path = format!("/api/v1/audit/events?correlation_id={id}&limit=1000");
                get(request, &path);
                LogExpected::Page(id)
            }
            Self::History => {
                let (log, chance) = draw.log();
                let (id, query) = log.target(chance);
                get(
                    request,
                    &format!("/api/v1/remediation-history/context?{query}"),
                );
                LogExpected::History(id)
            }
            Self::Effectiveness => {
                let id = draw_id(draw);
                get(request, &format!("/api/v1/effectiveness/{id}"));
                LogExpected::Score
            }
            Self::Verify => {
                let body = format!(r#"{{"correlation_id":"{LONG_CORRELATION}"}}"#);
                post(request, "/api/v1/audit/verify-chain", &body);
                LogExpected::Valid(LONG_CHAIN)
            }
        }
    }
}

fn draw_id(draw: &mut Draw) -> String {
    let (log, chance) = draw.log();
    log.id(chance)
}

impl LogExpected {
    /// Compares an answer with what must come; from end to end, or at a glance.
    pub(crate) fn compare(&self, answer: &Answer, thorough: bool) -> Result<()> {
        let status = if matches!(self, Self::Taken(_)) {
            201
        } else {
            200
        };
        ensure!(answer.status == status, "the status is not {status}");
        if !thorough {
            return Ok(());
        }
        let body: Value = serde_json::from_slice(answer.body)?;
        match self {
            Self::Taken(1) => ensure!(body["event_id"].is_string(), "no id"),
            Self::Taken(count) => {
                let ids = body["event_ids"].as_array().context("no ids")?;
                ensure!(ids.len() == *count, "{} ids of {count}", ids.len());
            }
            Self::Page(id) => {
                let rows = body["data"].as_array().context("no events")?;
                let all = rows.iter().all(|row| row["correlation_id"] == id.as_str());
                ensure!(
                    all && rows.len() == PER_REMEDIATION,
                    "{} events",
                    rows.len()
                );
                ensure!(
                    body["pagination"]["total"] == PER_REMEDIATION,
                    "a wrong total"
                );
            }
            Self::History(id) => {
                let tiers = ["tier1", "tier2"].map(|tier| &body[tier]["chain"]);
                let mut entries = tiers.into_iter().filter_map(Value::as_array).flatten();
                let found = entries.any(|entry| entry["remediationUID"] == id.as_str());
                ensure!(found, "no entry of {id}");
            }
            Self::Score => ensure!(body["score"].is_number(), "no score"),
            Self::Valid(count) => {
                let whole = body["is_valid"] == true && body["verified_events"] == *count;
                ensure!(whole, "it is not valid");
            }
        }
        Ok(())
    }
}
