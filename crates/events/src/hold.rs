//! Placing and releasing a legal hold, as events in the chain of the correlation that is held.
//!
//! Source: "Legal hold" in the rules of the events API. The events are of no payload that clients know, so they are unreadable to them;
//! chain and export have them.

use audit::{Code, Violation};
use serde_json::{Map, json};

use crate::event::{self, Event, Origin};
use crate::member::{Member, Members};
use crate::time;

/// What is done to a hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HoldAction {
    /// From now on nothing of the correlation is dropped.
    Placed,
    /// What is old enough may be dropped again.
    Released,
}

/// The most characters of a correlation id and of an actor's name (envelope).
const NAME_MAX: usize = 255;

/// The most bytes of a reason: as many as of an error.
const REASON_MAX: usize = 10 * 1024;

impl HoldAction {
    /// The word in the event's type, and its `event_action`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Placed => "placed",
            Self::Released => "released",
        }
    }

    /// The member of a request that says why.
    const fn reason_member(self) -> &'static str {
        match self {
            Self::Placed => "reason",
            Self::Released => "release_reason",
        }
    }
}

/// The event that tells of a hold, or everything that is wrong with the request for it, by its members.
///
/// Secrets are taken out of the reason as out of all payloads.
pub fn hold_event(
    action: HoldAction,
    correlation_id: &str,
    reason: &str,
    origin: &Origin<'_>,
) -> Result<Event, Vec<Violation>> {
    let characters = correlation_id.chars().count();
    let id_fits = (1..=NAME_MAX).contains(&characters);
    let reason_fits = (1..=REASON_MAX).contains(&reason.len());
    let violations: Vec<_> = [
        check("correlation_id", correlation_id, id_fits, "255 characters"),
        check(
            action.reason_member(),
            reason,
            reason_fits,
            "10240 bytes of UTF-8",
        ),
    ]
    .into_iter()
    .flatten()
    .collect();
    if !violations.is_empty() {
        return Err(violations);
    }
    let members = members(action, correlation_id, reason, origin);
    Ok(event::complete(members, None, origin))
}

fn check(field: &str, text: &str, fits: bool, most: &str) -> Option<Violation> {
    let (code, message) = if text.is_empty() {
        (
            Code::Required,
            "is required and must not be empty".to_owned(),
        )
    } else if !fits {
        (Code::TooLong, format!("must have at most {most}"))
    } else if text.contains('\0') {
        (
            Code::NulCharacter,
            "must not contain the NUL character (U+0000); remove it".to_owned(),
        )
    } else {
        return None;
    };
    Some(Violation {
        field: field.to_owned(),
        code,
        message,
    })
}

fn members(action: HoldAction, correlation_id: &str, reason: &str, origin: &Origin<'_>) -> Members {
    let word = action.as_str();
    let event_type = format!("datastorage.legal_hold.{word}");
    let now = time::format(origin.now);
    let who: Option<String> = origin
        .username
        .map(|name| name.chars().take(NAME_MAX).collect());
    let at = format!("{word}_at");
    let mut data = Map::new();
    let mut members = Members::new();
    for (name, value) in [
        ("event_type", json!(event_type)),
        ("correlation_id", json!(correlation_id)),
        ("reason", json!(reason)),
        (at.as_str(), json!(now)),
    ] {
        data.insert(name.to_owned(), value);
    }
    if let Some(who) = who {
        data.insert(format!("{word}_by"), json!(who));
        members.set(Member::ActorType, "service");
        members.set(Member::ActorId, who);
    }
    members.set(Member::Version, "1.0");
    members.set(Member::EventType, event_type);
    members.set(Member::EventTimestamp, now);
    members.set(Member::EventCategory, "security");
    members.set(Member::EventAction, word);
    members.set(Member::EventOutcome, "success");
    members.set(Member::CorrelationId, correlation_id);
    members.set(Member::ResourceType, "LegalHold");
    members.set(Member::EventData, data);
    members
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use serde_json::Value;

    use super::*;

    fn origin(username: Option<&str>) -> Origin<'_> {
        Origin {
            now: DateTime::from_timestamp(1_790_000_000, 0).expect("a time"),
            username,
            redact: true,
        }
    }

    fn row(action: HoldAction, reason: &str, username: Option<&str>) -> Value {
        let event = hold_event(action, "rr-1", reason, &origin(username)).expect("an event");
        assert!(!event.is_readable());
        serde_json::to_value(event).expect("JSON")
    }

    #[test]
    fn a_hold_is_an_event_of_its_correlation() {
        let row = row(HoldAction::Placed, "case 7", Some("carol@example.org"));
        assert_eq!(row["event_type"], "datastorage.legal_hold.placed");
        assert_eq!(row["event_category"], "security");
        assert_eq!(row["correlation_id"], "rr-1");
        assert_eq!(row["actor_type"], "user");
        assert_eq!(row["actor_id"], "carol@example.org");
        let data = json!({
            "event_type": "datastorage.legal_hold.placed",
            "correlation_id": "rr-1",
            "reason": "case 7",
            "placed_by": "carol@example.org",
            "placed_at": "2026-09-21T14:13:20Z",
        });
        assert_eq!(row["event_data"], data);
    }

    #[test]
    fn its_release_is_another() {
        let account = "system:serviceaccount:legal:records";
        let released = row(HoldAction::Released, "case closed", Some(account));
        assert_eq!(released["event_action"], "released");
        assert_eq!(released["actor_type"], "service");
        assert_eq!(released["actor_id"], account);
        assert_eq!(released["event_data"]["released_by"], account);
        let nobody = row(HoldAction::Released, "case closed", None);
        assert_eq!(nobody["actor_id"], "security-service");
        assert_eq!(nobody["event_data"].get("released_by"), None);
    }

    #[test]
    fn a_reason_keeps_no_secret() {
        let row = row(HoldAction::Placed, "password=hunter2hunter2", None);
        assert!(!row.to_string().contains("hunter2"), "{row}");
    }

    #[test]
    fn a_request_that_cannot_be_an_event_is_refused_by_member() {
        let refused = |action, id: &str, reason: &str| -> Vec<_> {
            let violations = hold_event(action, id, reason, &origin(None)).expect_err("refused");
            violations.into_iter().map(|v| (v.field, v.code)).collect()
        };
        let too_long = ("correlation_id".to_owned(), Code::TooLong);
        let reason = ("release_reason".to_owned(), Code::Required);
        assert_eq!(
            refused(HoldAction::Released, &"x".repeat(256), ""),
            [too_long, reason]
        );
        let nul = ("reason".to_owned(), Code::NulCharacter);
        assert_eq!(refused(HoldAction::Placed, "rr-1", "a\0b"), [nul]);
        let long = ("reason".to_owned(), Code::TooLong);
        assert_eq!(
            refused(HoldAction::Placed, "rr-1", &"x".repeat(REASON_MAX + 1)),
            [long]
        );
    }
}
