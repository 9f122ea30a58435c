//! Writes to the log while the database fails, on a simulated clock.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use runtime::simulated::{Execution, Opening, PostgresServer, Reply, Servers, run};
use spin_sdk::pg::ParameterValue as Parameter;

use super::*;

/// A server that says these things to writes, one after the other, and then that they are written.
struct Server {
    says: RefCell<VecDeque<Reply>>,
    /// What it was asked, in short.
    asked: RefCell<Vec<&'static str>>,
}

impl PostgresServer for Server {
    fn open(&self, _: &str) -> Opening {
        Opening::scripted((0, true))
    }

    fn execute(&self, statement: &str, _: &[Parameter]) -> Execution {
        let (asked, reply) = if statement.contains("audit_ensure_partitions") {
            ("partitions", said("7"))
        } else {
            let next = self.says.borrow_mut().pop_front();
            let is_hasty = statement.contains("lock_timeout");
            let asked = if is_hasty { "write" } else { "wait" };
            (
                asked,
                next.unwrap_or_else(|| said(r#"{"status":"written"}"#)),
            )
        };
        self.asked.borrow_mut().push(asked);
        Execution {
            takes: Duration::from_millis(1),
            finish: Box::new(move || reply),
        }
    }
}

fn said(text: &str) -> Reply {
    Reply::Text(Some(text.to_owned()))
}

/// What becomes of a batch, and what the server was asked.
fn written(
    says: impl IntoIterator<Item = Reply>,
    events: &'static str,
) -> (Result<Written, Failure>, Vec<&'static str>) {
    let server = Rc::new(Server {
        says: RefCell::new(says.into_iter().collect()),
        asked: RefCell::default(),
    });
    let servers = Servers {
        postgres: Some(server.clone()),
        ..Servers::default()
    };
    let database = Database::at("primary", Duration::from_secs(4));
    let outcome = run(servers, async move { write(&database, "{}", events).await });
    let asked = server.asked.take();
    (outcome, asked)
}

#[test]
fn what_the_database_says_is_told() {
    let remembered = r#"{"status":"remembered","event_ids":["a"]}"#;
    for (says, expected) in [
        (r#"{"status":"written"}"#, Written::Written),
        (r#"{"status":"moved"}"#, Written::Moved),
        (remembered, Written::Remembered(vec!["a".into()])),
    ] {
        assert_eq!(written([said(says)], "[]"), (Ok(expected), vec!["write"]));
    }
    let (outcome, _) = written([said(r#"{"status":"unknown"}"#)], "[]");
    assert!(matches!(outcome, Err(Failure::Other(_))), "{outcome:?}");
}

#[test]
fn a_month_without_a_partition_gets_one() {
    let missing = || Reply::Error("23514", None);
    let (outcome, asked) = written([missing()], "[]");
    assert_eq!(outcome, Ok(Written::Written));
    assert_eq!(asked, ["write", "partitions", "write"]);
    let (outcome, _) = written([missing(), missing()], "[]");
    assert_eq!(outcome, Err(Failure::NoPartition));
}

/// The statement is repeated: where it was committed the first time, the database knows.
#[test]
fn a_connection_that_breaks_is_opened_again() {
    let (outcome, asked) = written([Reply::Lost, said(r#"{"status":"moved"}"#)], "[]");
    assert_eq!(outcome, Ok(Written::Moved));
    assert_eq!(asked, ["write", "write"]);
}

/// Chains that others have begun, and positions that others have: all is prepared anew.
#[test]
fn who_comes_too_late_prepares_anew() {
    for state in ["40001", "40P01", "23505"] {
        let (outcome, _) = written([(); 3].map(|()| Reply::Error(state, None)), "[]");
        assert_eq!(outcome, Ok(Written::Moved), "{state}");
    }
}

/// Statements of other requests do not wait for a lock, nor for much to be sent.
#[test]
fn who_waits_has_a_connection_of_its_own() {
    let (outcome, asked) = written([Reply::Error("55P03", None)], "[]");
    assert_eq!(outcome, Ok(Written::Written));
    assert_eq!(asked, ["write", "wait"]);
    let long: &'static str = Box::leak("x".repeat(SMALL + 1).into_boxed_str());
    assert_eq!(written([], long), (Ok(Written::Written), vec!["wait"]));
}
