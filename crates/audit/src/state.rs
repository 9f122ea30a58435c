//! The words for a record's state, and their order.

use serde_json::{Map, Value};

use crate::Kind;

/// The phases of every kind.
const PHASES: &[&str] = &["pending", "processing", "completed", "failed"];

/// The phases of a workflow.
const WORKFLOW_PHASES: &[&str] = &[
    "pending",
    "planning",
    "processing",
    "executing",
    "completed",
    "failed",
];

/// The words of `status`.
pub(crate) const STATUSES: &[&str] = &[
    "success",
    "failure",
    "pending",
    "running",
    "completed",
    "failed",
];

/// The phases that records of this kind can have.
pub(crate) fn phases(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Workflow => WORKFLOW_PHASES,
        Kind::Remediation | Kind::AiAnalysis | Kind::Execution => PHASES,
    }
}

/// The word of `words` that `text` is, in any letter case. Only ASCII letters have a case here, so
/// no other script's letter turns into one of these words.
pub(crate) fn word(words: &[&'static str], text: &str) -> Option<&'static str> {
    words
        .iter()
        .copied()
        .find(|word| word.eq_ignore_ascii_case(text))
}

/// The status that a phase implies where none is sent.
pub(crate) fn status_of_phase(phase: &str) -> Option<&'static str> {
    match phase {
        "completed" => Some("success"),
        "failed" => Some("failure"),
        "processing" | "planning" | "executing" => Some("running"),
        "pending" => Some("pending"),
        _ => None,
    }
}

/// The order of states: a record never goes back to a lower rank.
pub(crate) fn rank(word: &str) -> Option<u8> {
    match word {
        "pending" => Some(0),
        "processing" | "planning" | "executing" | "running" => Some(1),
        "completed" | "failed" | "success" | "failure" => Some(2),
        _ => None,
    }
}

/// The order of the state that phase and status stand for, the higher one if they differ.
pub(crate) fn rank_of(columns: &Map<String, Value>) -> Option<u8> {
    let of = |column| columns.get(column).and_then(Value::as_str).and_then(rank);
    of("phase").max(of("status"))
}

#[cfg(test)]
mod tests {
    use super::{STATUSES, WORKFLOW_PHASES, phases, rank, status_of_phase, word};
    use crate::Kind;

    #[test]
    fn every_word_has_a_rank_and_every_phase_a_status_of_the_same_rank() {
        for phase in WORKFLOW_PHASES {
            let status = status_of_phase(phase).expect("a status");
            assert!(STATUSES.contains(&status), "{status}");
            assert_eq!(rank(phase), rank(status), "{phase}");
        }
        for status in STATUSES {
            assert!(rank(status).is_some(), "{status}");
        }
        for kind in Kind::ALL {
            for phase in phases(kind) {
                assert!(rank(phase).is_some(), "{phase}");
            }
        }
    }

    #[test]
    fn only_ascii_letters_have_a_case() {
        let words = &["kill", "pending"];
        assert_eq!(word(words, "PENDING"), Some("pending"));
        // U+212A, the Kelvin sign, is a "k" when Unicode lower-cases it.
        assert_eq!(word(words, "\u{212a}ill"), None);
        assert_eq!(word(words, "pend\u{130}ng"), None);
    }
}
