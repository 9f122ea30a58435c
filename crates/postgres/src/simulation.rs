//! Writes and reads under every order of arriving, answering, failing, running out of time and giving up, on a simulated
//! clock and a scripted server: `PROPTEST_CASES=1000000 cargo test --release -p postgres simulation` runs a million of them.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use audit::{Dialect, Kind, Record};
use futures::future::join_all;
use proptest::prelude::{Just, Strategy, prop_oneof, proptest};
use proptest::test_runner::TestCaseResult;
use proptest::{prop_assert, prop_assert_eq};
use runtime::simulated::{
    Execution, Opening, PostgresServer, Reply, Servers, Turns, connections, run, unless_left,
};
use runtime::{Instant, sleep};
use serde_json::{Value, json};
use spin_sdk::pg::ParameterValue as Parameter;

use crate::database::{Database, GRACE};
use crate::failure::Failure;
use crate::write::{Outcome, Stored, write_one};

/// The limit of a statement, in milliseconds.
const LIMIT: u64 = 1_000;

/// What a client does.
#[derive(Debug, Clone)]
struct Request {
    arrives: u64,
    leaves_after: Option<u64>,
    does: Does,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Does {
    /// Posts a record of its own.
    Post,
    /// Posts one that the database refuses.
    PostBad,
    /// Reads.
    Read,
    /// Reads what may take long.
    ReadSlowly,
}

/// What becomes of a statement.
#[derive(Debug, Clone, Copy)]
enum Fate {
    Answered(u64),
    /// The connection breaks, before or after the commit.
    Lost {
        after: u64,
        committed: bool,
    },
    Silence,
}

#[derive(Debug, Clone)]
struct Script {
    requests: Vec<Request>,
    openings: Vec<(u64, bool)>,
    fates: Vec<Fate>,
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        8 => (0..300_u64).prop_map(Fate::Answered),
        1 => (300..3_000_u64).prop_map(Fate::Answered),
        1 => (0..300_u64, proptest::bool::ANY)
            .prop_map(|(after, committed)| Fate::Lost { after, committed }),
        1 => Just(Fate::Silence),
    ]
}

fn script(fate: impl Strategy<Value = Fate>) -> impl Strategy<Value = Script> {
    let leaves = prop_oneof![4 => Just(None), 1 => (0..2_500_u64).prop_map(Some)];
    let does = prop_oneof![6 => Just(Does::Post), 1 => Just(Does::PostBad), 2 => Just(Does::Read), 1 => Just(Does::ReadSlowly)];
    let request = (0..1_500_u64, leaves, does).prop_map(|(arrives, leaves_after, does)| Request {
        arrives,
        leaves_after,
        does,
    });
    (
        proptest::collection::vec(request, 1..12),
        proptest::collection::vec(
            prop_oneof![9 => (0..20_u64, Just(true)), 1 => (0..2_000_u64, proptest::bool::ANY)],
            1..6,
        ),
        proptest::collection::vec(fate, 1..10),
    )
        .prop_map(|(requests, openings, fates)| Script {
            requests,
            openings,
            fates,
        })
}

/// A PostgreSQL with a table of keys, which recognises requests as `audit_write` does.
struct Server {
    openings: Turns<(u64, bool)>,
    fates: Turns<Fate>,
    /// The id and the request of each key.
    records: Rc<RefCell<BTreeMap<String, (i64, String)>>>,
}

impl PostgresServer for Server {
    fn open(&self, _: &str) -> Opening {
        Opening::scripted(self.openings.next())
    }

    fn execute(&self, statement: &str, parameters: &[Parameter]) -> Execution {
        let fate = self.fates.next();
        let takes = match fate {
            // The server's own limit.
            Fate::Answered(takes) => takes.min(LIMIT),
            Fate::Lost { after, .. } => after,
            Fate::Silence => 0,
        };
        let posts = match (statement.contains("audit_write"), parameters.first()) {
            (true, Some(Parameter::Str(posts))) => Some(posts.clone()),
            _ => None,
        };
        let records = self.records.clone();
        Execution {
            takes: Duration::from_millis(takes),
            finish: Box::new(move || {
                let answer = || match &posts {
                    None => Reply::Text(Some("read".into())),
                    Some(posts) => write(&mut records.borrow_mut(), posts),
                };
                match fate {
                    Fate::Answered(takes) if takes > LIMIT => Reply::Error("57014", None),
                    Fate::Answered(_) => answer(),
                    Fate::Lost { committed, .. } => {
                        if committed {
                            answer();
                        }
                        Reply::Lost
                    }
                    Fate::Silence => Reply::Silence,
                }
            }),
        }
    }
}

/// As `audit_write` of posts that are each for themselves.
fn write(records: &mut BTreeMap<String, (i64, String)>, posts: &str) -> Reply {
    let posts: Vec<Value> = serde_json::from_str(posts).expect("posts are JSON");
    if posts.iter().any(|post| post["name"] == "bad") {
        return Reply::Error("P0001", None);
    }
    let mut results = Vec::new();
    for post in &posts {
        let (key, request) = (post["key"].to_string(), post["request"].to_string());
        let next = i64::try_from(records.len()).expect("few") + 1;
        let result = match records.get(&key) {
            None => {
                records.insert(key, (next, request));
                json!({"id": next})
            }
            // Who does not say which request it is cannot be recognised.
            Some((id, own)) if *own == request && request != "null" => {
                json!({"id": id, "status": "persisted"})
            }
            Some((id, _)) => json!({"id": id, "status": "duplicate"}),
        };
        results.push(result);
    }
    Reply::Text(Some(Value::from(results).to_string()))
}

/// A record with a key of its own.
fn record(number: usize, does: Does) -> Record {
    let body = json!({
        "name": if does == Does::PostBad { "bad" } else { "good" }, "namespace": "ns", "status": "success",
        "start_time": "2025-01-01T00:00:00Z", "analysis_type": "t",
    });
    let now = "2026-01-01T00:00:00Z".parse().expect("a time");
    let key = number.to_string();
    audit::read(Kind::AiAnalysis, Dialect::Store, body, Some(&key), now).expect("a record")
}

/// What a client saw.
#[derive(Debug)]
struct Seen {
    number: usize,
    key: String,
    took: Duration,
    outcome: Result<Option<Stored>, Failure>,
}

async fn request(number: usize, request: Request, database: Rc<Database>) -> Option<Seen> {
    sleep(Duration::from_millis(request.arrives)).await;
    let began = Instant::now();
    let mut record = record(number, request.does);
    let key = json!(&record)["key"].to_string();
    let asking = async {
        match request.does {
            Does::Read => crate::text(&database, "SELECT 1", &[]).await.map(|_| None),
            Does::ReadSlowly => {
                let read = crate::slow_text(&database, "SELECT 2", &[]).await;
                read.map(|_| None)
            }
            _ => write_one(&database, &mut record, false).await.map(Some),
        }
    };
    let outcome = unless_left(request.leaves_after, asking).await?;
    Some(Seen {
        number,
        key,
        took: began.elapsed(),
        outcome,
    })
}

struct Outcomes {
    seen: Vec<Seen>,
    records: BTreeMap<String, (i64, String)>,
}

/// Runs a script; every client that stayed has been answered then.
fn outcomes(script: &Script) -> Outcomes {
    let records = Rc::new(RefCell::new(BTreeMap::new()));
    let server = Rc::new(Server {
        openings: Turns::new(script.openings.clone()),
        fates: Turns::new(script.fates.clone()),
        records: records.clone(),
    });
    let servers = Servers {
        postgres: Some(server),
        ..Servers::default()
    };
    let requests = script.requests.clone();
    let seen = run(servers, async move {
        let database = Rc::new(Database::at("host=db", Duration::from_millis(LIMIT)));
        let all = requests
            .into_iter()
            .enumerate()
            .map(|(number, one)| request(number, one, database.clone()));
        join_all(all).await.into_iter().flatten().collect()
    });
    let records = records.borrow().clone();
    Outcomes { seen, records }
}

fn check(script: &Script) -> TestCaseResult {
    let Outcomes { seen, records } = outcomes(script);
    prop_assert_eq!(connections(), 0, "a connection is kept");
    let longest = Duration::from_millis(LIMIT) + GRACE;
    for seen in &seen {
        prop_assert!(seen.took <= longest, "{seen:?} took longer than its limit");
        if let Ok(Some(stored)) = &seen.outcome {
            let (id, _) = &records[&seen.key];
            prop_assert_eq!(stored.id, *id, "somebody else's record");
            prop_assert_eq!(
                stored.outcome,
                Outcome::Persisted,
                "it posted its record first"
            );
        }
    }
    Ok(())
}

/// With a server that answers everything in time, only what is refused fails.
fn check_neighbours(script: &Script) -> TestCaseResult {
    for seen in outcomes(script).seen {
        let does = script.requests[seen.number].does;
        prop_assert_eq!(
            seen.outcome.is_ok(),
            does != Does::PostBad,
            "{:?} of {:?}",
            seen,
            does
        );
    }
    Ok(())
}

proptest! {
    #[test]
    fn everybody_has_its_own_answer_in_its_own_time(script in script(fate())) {
        check(&script)?;
    }

    #[test]
    fn a_bad_neighbour_costs_nobody_else(mut script in script((0..60_u64).prop_map(Fate::Answered))) {
        script.openings = vec![(5, true)];
        check_neighbours(&script)?;
    }
}

/// A client that waits for its answer.
fn staying(arrives: u64, does: Does) -> Request {
    Request {
        arrives,
        leaves_after: None,
        does,
    }
}

fn read(arrives: u64) -> Request {
    staying(arrives, Does::Read)
}

/// A statement that is slow for everybody is over for everybody at its limit, and the next ones do not queue behind it.
#[test]
fn a_slow_database_is_a_timeout_for_each_at_its_own_limit() {
    let script = Script {
        requests: (0..12)
            .map(|number| staying(number * 10, Does::Post))
            .collect(),
        openings: vec![(1, true)],
        fates: vec![Fate::Answered(10_000)],
    };
    for seen in outcomes(&script).seen {
        assert_eq!(seen.outcome, Err(Failure::Timeout), "{seen:?}");
        assert!(
            seen.took <= Duration::from_millis(LIMIT) + GRACE,
            "{seen:?}"
        );
    }
}

/// An address that drops packets is an outage, not a slow statement.
#[test]
fn no_connection_in_time_is_unavailable() {
    let script = Script {
        requests: vec![read(0)],
        openings: vec![(60_000, true)],
        fates: vec![Fate::Answered(0)],
    };
    let Outcomes { seen, .. } = outcomes(&script);
    assert!(
        matches!(seen[0].outcome, Err(Failure::Unavailable(_))),
        "{seen:?}"
    );
}

/// A connection is dropped only after a full limit without any word on it.
#[test]
fn a_slow_neighbour_does_not_break_the_connection() {
    let script = Script {
        requests: [0, 10, 20, 30].map(read).into(),
        openings: vec![(1, true), (0, false)],
        fates: vec![
            Fate::Answered(990),
            Fate::Answered(990),
            Fate::Answered(1),
            Fate::Answered(1),
        ],
    };
    let Outcomes { seen, .. } = outcomes(&script);
    // A second connection could not be opened.
    assert!(seen.iter().all(|seen| seen.outcome.is_ok()), "{seen:?}");
}

/// A connection that breaks under many statements is left by all of them at once.
#[test]
fn a_broken_connection_is_not_tried_again() {
    let lost = Fate::Lost {
        after: 5,
        committed: false,
    };
    let script = Script {
        requests: (0..12).map(read).collect(),
        openings: vec![(20, true)],
        fates: vec![lost]
            .into_iter()
            .chain([Fate::Answered(1); 30])
            .collect(),
    };
    let Outcomes { seen, .. } = outcomes(&script);
    assert!(seen.iter().all(|seen| seen.outcome.is_ok()), "{seen:?}");
}

/// Who is out of time because others were slow blames them, and not the connection.
#[test]
fn a_timeout_behind_slow_neighbours_does_not_break_the_connection() {
    let script = Script {
        requests: [0, 10, 20, 1_900, 2_100].map(read).into(),
        openings: vec![(1, true), (0, false)],
        fates: vec![
            Fate::Answered(990),
            Fate::Answered(990),
            Fate::Answered(990),
            Fate::Answered(1),
        ],
    };
    let Outcomes { seen, .. } = outcomes(&script);
    assert_eq!(seen[2].outcome, Err(Failure::Timeout), "{seen:?}");
    // A second connection could not be opened.
    assert!(seen[3].outcome.is_ok(), "{seen:?}");
    assert!(seen[4].outcome.is_ok(), "{seen:?}");
}

/// A list with a deep offset takes nearly its whole limit, and a record is read in the meantime.
#[test]
fn a_slow_read_holds_up_nobody() {
    let script = Script {
        requests: vec![staying(0, Does::ReadSlowly), read(10)],
        openings: vec![(1, true)],
        fates: vec![Fate::Answered(990), Fate::Answered(1)],
    };
    let Outcomes { seen, .. } = outcomes(&script);
    assert!(seen.iter().all(|seen| seen.outcome.is_ok()), "{seen:?}");
    assert!(seen[1].took < Duration::from_millis(10), "{seen:?}");
}
