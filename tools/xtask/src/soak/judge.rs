//! Which answers a client may get, and when.

use anyhow::Result;
use serde_json::Value;

use super::fault::Fault;
use crate::stage::http::Answer;

/// What a client asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Operation {
    Post,
    Batch,
    Replay,
    Update,
    Patch,
    Hide,
    Get,
    List,
    Incidents,
    Timeline,
    Similar,
    Search,
}

impl Operation {
    pub(super) const ALL: [Self; 12] = [
        Self::Post,
        Self::Batch,
        Self::Replay,
        Self::Update,
        Self::Patch,
        Self::Hide,
        Self::Get,
        Self::List,
        Self::Incidents,
        Self::Timeline,
        Self::Similar,
        Self::Search,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Post => "post",
            Self::Batch => "batch of 16",
            Self::Replay => "the same post again",
            Self::Update => "later state of a record",
            Self::Patch => "patch",
            Self::Hide => "delete",
            Self::Get => "get by id",
            Self::List => "list",
            Self::Incidents => "incidents",
            Self::Timeline => "timeline",
            Self::Similar => "similar",
            Self::Search => "search by meaning",
        }
    }
}

/// What became of a request.
#[derive(Debug)]
pub(super) enum Verdict {
    /// One of the answers that were expected.
    Good(Answer),
    /// Not now, as it may be while something is away.
    Refused,
    /// What must not be, in words.
    Wrong(String),
}

/// Judges what came back, while `excuse` was on or not yet recovered from.
pub(super) fn judge(
    operation: Operation,
    came: Result<Answer>,
    expected: &[u16],
    excuse: Option<Fault>,
) -> Verdict {
    let answer = match came {
        Ok(answer) => answer,
        Err(_) if excuse.is_some_and(Fault::breaks_connections) => return Verdict::Refused,
        Err(error) => return Verdict::Wrong(format!("expected an answer, found {error:#}")),
    };
    if expected.contains(&answer.status) {
        return Verdict::Good(answer);
    }
    let refuses = matches!(answer.status, 503 | 504);
    if refuses && excuse.is_some_and(|fault| fault.excuses(operation)) {
        return match flaw(&answer) {
            None => Verdict::Refused,
            Some(flaw) => Verdict::Wrong(format!("{flaw}: {}", shown(&answer))),
        };
    }
    Verdict::Wrong(format!("expected {expected:?}, found {}", shown(&answer)))
}

/// What is wrong with a refusal that may be.
fn flaw(answer: &Answer) -> Option<&'static str> {
    let problem: Value = serde_json::from_str(&answer.body).unwrap_or_default();
    if problem["status"] != answer.status {
        return Some("expected a problem document");
    }
    let is_told = answer.header("retry-after").is_some_and(|seconds| {
        seconds
            .parse()
            .is_ok_and(|seconds: u64| (1..=60).contains(&seconds))
    });
    (answer.status == 503 && !is_told).then_some("expected Retry-After")
}

fn shown(answer: &Answer) -> String {
    let begin: String = answer.body.chars().take(300).collect();
    format!("{} {begin}", answer.status)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(status: u16, head: &str) -> Answer {
        let body = format!("{{\"status\":{status}}}");
        Answer::made_up(status, head, &body)
    }

    fn is_wrong(verdict: &Verdict) -> bool {
        matches!(verdict, Verdict::Wrong(_))
    }

    const AFTER_A_SECOND: &str = "HTTP/1.0 503\r\nRetry-After: 1";

    #[test]
    fn a_refusal_is_excused_by_a_fault_that_explains_it() {
        use Operation::{Post, Search};
        for (operation, fault, is_excused) in [
            (Post, None, false),
            (Post, Some(Fault::DatabaseKilled), true),
            (Post, Some(Fault::ProviderKilled), false),
            (Search, Some(Fault::ProviderKilled), true),
            (Search, Some(Fault::VectorDatabaseKilled), false),
        ] {
            let verdict = judge(operation, Ok(refusal(503, AFTER_A_SECOND)), &[201], fault);
            assert_eq!(is_wrong(&verdict), !is_excused, "{operation:?} {fault:?}");
        }
    }

    #[test]
    fn a_refusal_says_when_to_come_back_and_is_a_problem_document() {
        let fault = Some(Fault::DatabaseKilled);
        let judged = |answer| judge(Operation::Get, Ok(answer), &[200], fault);
        assert!(!is_wrong(&judged(refusal(504, ""))));
        assert!(is_wrong(&judged(refusal(503, ""))));
        assert!(is_wrong(&judged(refusal(503, "retry-after: 600"))));
        let text = Answer::made_up(503, AFTER_A_SECOND, "Service Unavailable");
        assert!(is_wrong(&judged(text)));
    }

    #[test]
    fn an_internal_error_has_no_excuse_and_silence_only_one() {
        for fault in Fault::ALL {
            let verdict = judge(Operation::Get, Ok(refusal(500, "")), &[200], Some(fault));
            assert!(is_wrong(&verdict), "{fault:?}");
            let silence = Err(anyhow::anyhow!("no answer"));
            let verdict = judge(Operation::Get, silence, &[200], Some(fault));
            assert_eq!(is_wrong(&verdict), fault != Fault::HostKilled, "{fault:?}");
        }
    }
}
