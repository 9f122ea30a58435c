//! The vector database under every order of asking, answering, refusing, breaking and giving up.

use std::rc::Rc;
use std::time::Duration;

use futures::future::join_all;
use instance::Variables;
use postgres::{Failure, Parameter};
use proptest::prelude::{Just, Strategy, prop_oneof, proptest};
use proptest::prop_assert;
use proptest::test_runner::TestCaseResult;
use runtime::simulated::{
    Execution, Opening, PostgresServer, Reply, Servers, Turns, VariableProvider, connections, run,
    unless_left,
};
use runtime::{Instant, sleep};

use crate::VectorDb;

/// The limit of a statement, in milliseconds, and the second that a client waits longer, as for every database.
const LIMIT: u64 = 1_000;
const LONGEST: Duration = Duration::from_millis(LIMIT + 1_000);

/// For how long nobody asks a server that is away.
const PAUSE: Duration = Duration::from_secs(1);

#[derive(Debug, Clone)]
struct Asking {
    arrives: u64,
    leaves_after: Option<u64>,
}

/// What becomes of a statement.
#[derive(Debug, Clone, Copy)]
enum Fate {
    Answered(u64),
    /// Refused with this SQLSTATE, which says nothing about the next statement.
    Refused(&'static str),
    Lost(u64),
    Silence,
}

#[derive(Debug, Clone)]
struct Script {
    asking: Vec<Asking>,
    /// How long each attempt to connect takes, and whether it succeeds.
    openings: Vec<(u64, bool)>,
    fates: Vec<Fate>,
}

/// A vector of another length, a row that is there already, a function that refuses, a text that is no number, a statement
/// that is too slow: each is one statement's own trouble.
const REFUSALS: [&str; 5] = ["22000", "23505", "P0001", "22P02", "57014"];

fn answered() -> impl Strategy<Value = Fate> {
    (0..300_u64).prop_map(Fate::Answered)
}

fn refused() -> impl Strategy<Value = Fate> {
    proptest::sample::select(&REFUSALS[..]).prop_map(Fate::Refused)
}

fn script(
    opening: impl Strategy<Value = (u64, bool)>,
    fate: impl Strategy<Value = Fate>,
    leaves: impl Strategy<Value = Option<u64>>,
) -> impl Strategy<Value = Script> {
    let asking = (0..8_000_u64, leaves).prop_map(|(arrives, leaves_after)| Asking {
        arrives,
        leaves_after,
    });
    (
        proptest::collection::vec(asking, 1..12),
        proptest::collection::vec(opening, 1..5),
        proptest::collection::vec(fate, 1..8),
    )
        .prop_map(|(asking, openings, fates)| Script {
            asking,
            openings,
            fates,
        })
}

struct Server {
    openings: Turns<(u64, bool)>,
    fates: Turns<Fate>,
}

impl PostgresServer for Server {
    fn open(&self, _: &str) -> Opening {
        Opening::scripted(self.openings.next())
    }

    fn execute(&self, _: &str, parameters: &[Parameter]) -> Execution {
        let Some(Parameter::Str(question)) = parameters.first() else {
            panic!("a statement without its question");
        };
        let question = question.clone();
        let (takes, reply) = match self.fates.next() {
            Fate::Answered(takes) => (takes, Reply::Text(Some(question))),
            Fate::Refused(code) => (5, Reply::Error(code, None)),
            Fate::Lost(takes) => (takes, Reply::Lost),
            Fate::Silence => (0, Reply::Silence),
        };
        Execution {
            takes: Duration::from_millis(takes),
            finish: Box::new(move || reply),
        }
    }
}

/// Every variable that a vector database has.
struct Settings;

impl VariableProvider for Settings {
    fn get(&self, name: &str) -> (Duration, Option<String>) {
        let value = match name {
            "vector_db_enabled" => "true",
            "vector_db_mode" => "fallback",
            "vector_db_port" => "5432",
            "vector_db_ssl_mode" => "disable",
            "vector_db_timeout" => "1s",
            "vector_db_ca_cert" => "",
            _ => "vectors",
        };
        (Duration::ZERO, Some(value.to_owned()))
    }
}

#[derive(Debug)]
struct Seen {
    number: usize,
    began: Instant,
    ended: Instant,
    outcome: Result<Option<String>, Failure>,
}

impl Seen {
    /// Whether the breaker refused it: no server fails without taking time.
    fn is_refused_at_once(&self) -> bool {
        self.began == self.ended && self.outcome.is_err()
    }
}

async fn ask(number: usize, asking: Asking, vector_db: Rc<VectorDb>) -> Option<Seen> {
    sleep(Duration::from_millis(asking.arrives)).await;
    let began = Instant::now();
    let question = [Parameter::Str(number.to_string())];
    let asked = vector_db.text("SELECT $1", &question);
    let outcome = unless_left(asking.leaves_after, asked).await?;
    Some(Seen {
        number,
        began,
        ended: Instant::now(),
        outcome,
    })
}

/// What clients that stayed saw.
fn outcomes(script: &Script) -> Vec<Seen> {
    let server = Server {
        openings: Turns::new(script.openings.clone()),
        fates: Turns::new(script.fates.clone()),
    };
    let servers = Servers {
        postgres: Some(Rc::new(server)),
        variables: Some(Rc::new(Settings)),
        ..Servers::default()
    };
    let asking = script.asking.clone();
    run(servers, async move {
        // Longer than any breaker of the script before stays open.
        sleep(Duration::from_mins(1)).await;
        let read = VectorDb::read("write", &mut Variables::default()).await;
        let vector_db = Rc::new(read.expect("it is enabled"));
        let all = asking
            .into_iter()
            .enumerate()
            .map(|(number, one)| ask(number, one, vector_db.clone()));
        join_all(all).await.into_iter().flatten().collect()
    })
}

/// Everybody has its own answer in its own time, and nothing is kept.
fn check(script: &Script) -> TestCaseResult {
    let all = outcomes(script);
    prop_assert!(connections() == 0, "a connection is kept");
    for seen in &all {
        let took = seen.ended.saturating_duration_since(seen.began);
        prop_assert!(took <= LONGEST, "{seen:?} took longer than its limit");
        if let Ok(answer) = &seen.outcome {
            let own = seen.number.to_string();
            prop_assert!(answer.as_ref() == Some(&own), "{seen:?}");
        }
    }
    Ok(())
}

/// Whoever is refused at once is so because somebody learned less than a second ago that the server is away.
fn check_refusals(script: &Script) -> TestCaseResult {
    let all = outcomes(script);
    for refused in all.iter().filter(|seen| seen.is_refused_at_once()) {
        let because = all.iter().any(|other| {
            let since = refused.began.saturating_duration_since(other.ended);
            let away = matches!(&other.outcome, Err(failure) if failure.says_away());
            away && !other.is_refused_at_once() && other.ended <= refused.began && since <= PAUSE
        });
        prop_assert!(
            because,
            "nothing said that it is away: {refused:?} of {all:?}"
        );
    }
    Ok(())
}

fn opening() -> impl Strategy<Value = (u64, bool)> {
    prop_oneof![6 => (1..20_u64, Just(true)), 1 => (1..3_000_u64, proptest::bool::ANY)]
}

proptest! {
    #[test]
    fn everybody_has_its_own_answer_in_its_own_time(
        script in script(
            opening(),
            prop_oneof![
                6 => answered(),
                2 => refused(),
                1 => (1..300_u64).prop_map(Fate::Lost),
                1 => Just(Fate::Silence),
            ],
            prop_oneof![4 => Just(None), 1 => (0..2_500_u64).prop_map(Some)],
        )
    ) {
        check(&script)?;
    }

    #[test]
    fn only_a_server_that_is_away_is_left_alone(
        script in script(
            opening(),
            prop_oneof![6 => answered(), 2 => refused(), 1 => (1..300_u64).prop_map(Fate::Lost)],
            Just(None),
        )
    ) {
        check_refusals(&script)?;
    }

    #[test]
    fn what_is_wrong_with_one_statement_costs_the_next_nothing(
        script in script(Just((5, true)), prop_oneof![answered(), refused()], Just(None))
    ) {
        for seen in outcomes(&script) {
            prop_assert!(!seen.is_refused_at_once(), "{seen:?}");
        }
    }
}

/// While it is away nobody asks; a second later somebody does.
#[test]
fn a_server_that_is_away_is_asked_again_after_a_second() {
    let asking = [0, 500, 1_100].map(|arrives| Asking {
        arrives,
        leaves_after: None,
    });
    let script = Script {
        asking: asking.into(),
        openings: vec![(5, false), (5, true)],
        fates: vec![Fate::Answered(5)],
    };
    let seen = outcomes(&script);
    assert!(seen[0].outcome.is_err(), "{seen:?}");
    assert!(seen[1].is_refused_at_once(), "{seen:?}");
    assert!(seen[2].outcome.is_ok(), "{seen:?}");
}
