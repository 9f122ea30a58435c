//! The records that are posted: each is made of its number alone, so that nobody needs to remember more of it.

use std::ops::Range;

use serde_json::{Value, json};

/// The kinds, in paths and in the column.
pub(super) const KINDS: [&str; 4] = ["remediation", "aianalysis", "workflow", "execution"];

/// So many consecutive numbers are of one kind, and make a batch.
pub(super) const BLOCK: u32 = 16;

/// So many consecutive numbers have one correlation: some of each kind.
const CORRELATED: u32 = 4 * BLOCK;

/// So many are in one namespace.
const TOGETHER: u32 = 32 * BLOCK;

/// How far a record has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum State {
    Begun,
    Done,
    /// Done, and patched.
    Corrected,
    Hidden,
}

impl State {
    /// What `status` says.
    pub(super) fn status(self) -> &'static str {
        match self {
            Self::Begun => "running",
            Self::Done | Self::Corrected | Self::Hidden => "success",
        }
    }
}

pub(super) fn kind(number: u32) -> &'static str {
    let place = (number / BLOCK) as usize % KINDS.len();
    KINDS[place]
}

/// Whether it is posted in a batch: those of every other correlation are.
pub(super) fn is_batched(number: u32) -> bool {
    !(number / CORRELATED).is_multiple_of(2)
}

/// The numbers of a block: the place is that among the blocks for batches, or among those for single posts.
pub(super) fn block(place: u32, is_batched: bool) -> Range<u32> {
    let kinds = CORRELATED / BLOCK;
    let correlation = place / kinds * 2 + u32::from(is_batched);
    let begin = correlation * CORRELATED + place % kinds * BLOCK;
    begin..begin + BLOCK
}

/// What a client sends as `Idempotency-Key`. Posts of a batch, and most others, leave it to what is in the record.
pub(super) fn key(number: u32) -> Option<String> {
    (kind(number) == "execution" && !is_batched(number)).then(|| format!("key-{number}"))
}

pub(super) fn name(number: u32) -> String {
    format!("soak-{number}")
}

/// The number in such a name.
pub(super) fn number(name: &str) -> Option<u32> {
    name.strip_prefix("soak-")?.parse().ok()
}

pub(super) fn namespace(number: u32) -> String {
    format!("soak-{}", number / TOGETHER)
}

pub(super) fn correlation(number: u32) -> String {
    format!("correlation-{}", number / CORRELATED)
}

/// Every other one is posted when it begins, and again when it is done.
pub(super) fn first_state(number: u32) -> State {
    if number.is_multiple_of(2) {
        State::Begun
    } else {
        State::Done
    }
}

/// The post of a record that has got so far. Its text has a word that no other record has, and others that some have, so that
/// texts are near each other and far from each other as those of incidents are.
pub(super) fn body(number: u32, state: State) -> Value {
    let mut body = json!({
        "name": name(number), "namespace": namespace(number), "status": state.status(),
        "start_time": "2025-11-05T10:00:00Z", "correlation_id": correlation(number),
        "metadata": {"number": number},
    });
    if state != State::Begun {
        body["end_time"] = json!("2025-11-05T10:00:45Z");
    }
    let words = service(number);
    let service = format!("deployment/{}", words.replace(' ', "-"));
    let own = match kind(number) {
        "remediation" => json!({
            "phase": if state == State::Begun { "processing" } else { "completed" },
            "action_type": "restart_pod", "remediation_request_id": format!("request-{number}"),
            "alert_name": "PodCrashLooping", "alert_fingerprint": format!("{number:x}"), "severity": "critical",
            "environment": "production", "cluster_name": "eu-1", "target_resource": service,
        }),
        "aianalysis" => json!({
            "analysis_type": "root_cause", "confidence_score": 0.75,
            "findings": {"rootCause": format!("the pool of {service} is exhausted")},
        }),
        "workflow" => json!({
            "workflow_type": format!("restart_{}", words.replace(' ', "_")),
            "steps_completed": 2, "steps_total": 2,
        }),
        _ => json!({"action": "kubectl rollout restart", "resource": service}),
    };
    if let (Some(body), Value::Object(own)) = (body.as_object_mut(), own) {
        body.extend(own);
    }
    body
}

/// The patch of a record that is [`State::Corrected`]. Its text stays.
pub(super) fn correction() -> Value {
    json!({"metadata": {"corrected": true}})
}

/// A question that no other record answers as well: the words of its text.
pub(super) fn question(number: u32) -> String {
    let service = service(number);
    match kind(number) {
        "remediation" => {
            format!("pod crash looping, severity critical, deployment {service}, restart pod")
        }
        "aianalysis" => format!("the pool of deployment {service} is exhausted"),
        "workflow" => format!("restart {service}"),
        _ => format!("deployment {service}, kubectl rollout restart"),
    }
}

fn service(number: u32) -> String {
    let (team, area) = (number / 8, number / CORRELATED);
    format!("service {number} of team {team}t in area {area}a")
}

/// What is wrong with a record as the API shows it, if it should be in this state.
pub(super) fn flaw(shown: &Value, number: u32, state: State) -> Option<String> {
    let found = (
        shown["name"].as_str().unwrap_or_default(),
        shown["namespace"].as_str().unwrap_or_default(),
        shown["status"].as_str().unwrap_or_default(),
        shown["metadata"]["number"] == number,
        shown["metadata"]["corrected"] == true,
    );
    let (name, namespace) = (name(number), namespace(number));
    let expected = (
        name.as_str(),
        namespace.as_str(),
        state.status(),
        true,
        state >= State::Corrected,
    );
    (found != expected).then(|| {
        format!(
            "expected name, namespace, status, whether it is the same and whether it is corrected to be {expected:?}, found {found:?}"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_of_one_kind_and_a_correlation_of_all() {
        let kinds: Vec<_> = (0..CORRELATED).map(kind).collect();
        for (block, expected) in kinds.chunks(BLOCK as usize).zip(KINDS) {
            assert!(block.iter().all(|kind| *kind == expected));
        }
        assert_eq!(correlation(0), correlation(CORRELATED - 1));
        assert_ne!(correlation(0), correlation(CORRELATED));
        for place in 0..40 {
            let (single, batch) = (block(place, false), block(place, true));
            assert!(single.clone().all(|number| !is_batched(number)));
            assert!(batch.clone().all(is_batched));
            assert_eq!(kind(single.start), kind(batch.start));
        }
        assert_eq!(number(&name(17)), Some(17));
        assert_eq!(number("drill-17"), None);
    }

    #[test]
    fn what_a_record_should_be_is_told_from_what_it_is() {
        let done = body(3, State::Done);
        assert_eq!(flaw(&done, 3, State::Done), None);
        for (number, state) in [
            (3, State::Begun),
            (4, State::Done),
            (3, State::Corrected),
            (700, State::Done),
        ] {
            assert!(flaw(&done, number, state).is_some(), "{number} {state:?}");
        }
    }
}
