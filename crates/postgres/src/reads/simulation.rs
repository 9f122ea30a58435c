//! Reads between a primary and a replica that fails in every way, on a simulated clock.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use futures::future::join_all;
use runtime::simulated::{Execution, Opening, PostgresServer, Reply, Servers, run};
use runtime::{Instant, sleep};
use spin_sdk::pg::ParameterValue as Parameter;

use super::*;

const SECOND: Duration = Duration::from_secs(1);
const MILLISECOND: Duration = Duration::from_millis(1);
/// The limit of a statement.
const LIMIT: Duration = Duration::from_secs(4);
const MOST: Duration = Duration::from_secs(5);
/// The id of a record of the moment at which the primary's clock stands.
const PRESENT: i64 = (POSITION_AT / 1000 - 1_704_067_200_000) << 12;
/// The primary's clock, in microseconds.
const POSITION_AT: i64 = 1_800_000_000_000_000;

/// Both servers: a statement takes a millisecond, unless it is one of the primary's.
struct Both {
    primary_takes: Cell<Duration>,
    /// How long it takes to connect to the replica, and whether it works.
    opening: (u64, bool),
    /// What the replica says.
    says: RefCell<Reply>,
    /// Who was asked for what.
    asked: RefCell<Vec<&'static str>>,
}

impl PostgresServer for Both {
    fn open(&self, address: &str) -> Opening {
        let is_replica = address.contains("replica");
        if is_replica {
            self.asked.borrow_mut().push("open");
        }
        Opening::scripted(if is_replica { self.opening } else { (0, true) })
    }

    fn execute(&self, statement: &str, _: &[Parameter]) -> Execution {
        let (who, reply) = if statement.contains("audit_position") {
            let position = format!(
                r#"{{"system":"7","is_replica":false,"lineage":"1 a","reached":1,"at":{POSITION_AT}}}"#
            );
            ("position", Reply::Text(Some(position)))
        } else if statement.contains("audit_follows") {
            ("replica", self.says.borrow().clone())
        } else {
            ("primary", Reply::Text(Some("of the primary".to_owned())))
        };
        self.asked.borrow_mut().push(who);
        let takes = match who {
            "primary" => self.primary_takes.get(),
            _ => MILLISECOND,
        };
        Execution {
            takes,
            finish: Box::new(move || reply),
        }
    }
}

/// Runs `test` with a replica that connects so and says this.
fn with<F>(opening: (u64, bool), says: Reply, test: impl FnOnce(Rc<Reads>, Rc<Both>) -> F)
where
    F: Future<Output = ()> + 'static,
{
    let both = Rc::new(Both {
        primary_takes: Cell::new(MILLISECOND),
        opening,
        says: RefCell::new(says),
        asked: RefCell::default(),
    });
    let primary = Database::at("host=primary", LIMIT);
    let reads = Rc::new(Reads {
        replica: Some(Replica::new(&primary, "replica", 5432, MOST)),
        primary: Rc::new(primary),
    });
    let servers = Servers {
        postgres: Some(both.clone()),
        ..Servers::default()
    };
    run(servers, test(reads, both));
}

fn text(text: &str) -> Reply {
    Reply::Text(Some(text.to_owned()))
}

/// Reads, and returns what came back, whom that took to ask, and how long.
async fn read(reads: &Reads, both: &Both) -> (String, Vec<&'static str>, Duration) {
    let began = Instant::now();
    let answer = reads.text(Read::quick("audit_get($1, $2)", &[])).await;
    let answer = answer.expect("an answer").expect("a text");
    (answer, both.asked.take(), began.elapsed())
}

const OF_THE_PRIMARY: &str = "of the primary";

#[test]
fn one_asks_where_the_primary_stands_and_all_read_from_the_replica() {
    with((1, true), text("here"), async |reads, both| {
        let answers = join_all((0..16).map(|_| read(&reads, &both))).await;
        assert!(answers.iter().all(|(answer, _, _)| answer == "here"));
        both.asked.take();
        let (answer, asked, _) = read(&reads, &both).await;
        assert_eq!((answer.as_str(), asked), ("here", vec!["open", "replica"]));
        sleep(SECOND).await;
        let (_, asked, _) = read(&reads, &both).await;
        assert_eq!(asked, ["position", "open", "replica"]);
    });
}

#[test]
fn a_replica_that_is_away_costs_nothing_but_the_first_try() {
    // Refused at once; nobody answers at all.
    for (opening, most) in [((1, false), 3), ((3_600_000, true), 502)] {
        with(opening, text("here"), async move |reads, both| {
            let (answer, asked, took) = read(&reads, &both).await;
            assert_eq!(answer, OF_THE_PRIMARY);
            assert_eq!(asked, ["position", "open", "primary"]);
            assert!(took <= most * MILLISECOND, "{took:?}");
            for _ in 0..4 {
                let (answer, asked, took) = read(&reads, &both).await;
                assert_eq!((answer.as_str(), asked), (OF_THE_PRIMARY, vec!["primary"]));
                assert_eq!(took, MILLISECOND);
                sleep(SECOND).await;
            }
            sleep(SECOND).await;
            let (_, asked, _) = read(&reads, &both).await;
            assert_eq!(asked, ["position", "open", "primary"], "it may be back");
        });
    }
}

#[test]
fn a_replica_that_hangs_leaves_the_primary_time() {
    with((0, true), Reply::Silence, async |reads, both| {
        let (answer, _, took) = read(&reads, &both).await;
        assert_eq!(answer, OF_THE_PRIMARY);
        assert!(took < LIMIT, "{took:?}");
        let (_, asked, _) = read(&reads, &both).await;
        assert_eq!(asked, ["primary"]);
    });
}

/// Its disk is broken, its statements take too long, or it was promoted and has ended the connection.
#[test]
fn a_replica_that_is_of_no_use_is_left_alone() {
    for state in ["58030", "57014", "57P01"] {
        with((0, true), Reply::Error(state, None), async |reads, both| {
            assert_eq!(read(&reads, &both).await.0, OF_THE_PRIMARY);
            let (_, asked, _) = read(&reads, &both).await;
            assert_eq!(asked, ["primary"]);
        });
    }
}

/// A read that takes most of its limit has an answer with a replica that hangs, too.
#[test]
fn the_primary_has_all_of_its_time() {
    with((0, true), Reply::Silence, async |reads, both| {
        both.primary_takes.set(LIMIT * 9 / 10);
        let (answer, _, took) = read(&reads, &both).await;
        assert_eq!(answer, OF_THE_PRIMARY);
        assert!(took < 2 * LIMIT, "{took:?}");
    });
}

#[test]
fn one_that_lags_is_asked_again_a_second_later() {
    with((0, true), Reply::Text(None), async |reads, both| {
        let (answer, asked, _) = read(&reads, &both).await;
        assert_eq!(answer, OF_THE_PRIMARY);
        assert_eq!(asked, ["position", "open", "replica", "primary"]);
        let (_, asked, _) = read(&reads, &both).await;
        assert_eq!(asked, ["primary"]);
        both.says.replace(text("here"));
        sleep(SECOND).await;
        assert_eq!(read(&reads, &both).await.0, "here");
    });
}

/// A statement that lost against replay, or found nothing: the next one may fare better.
#[test]
fn a_statement_that_fails_is_repeated_at_the_primary() {
    for says in [Reply::Error("40001", None), text("")] {
        with((0, true), says, async |reads, both| {
            assert_eq!(read(&reads, &both).await.0, OF_THE_PRIMARY);
            let (answer, asked, _) = read(&reads, &both).await;
            assert_eq!(answer, OF_THE_PRIMARY);
            assert_eq!(asked, ["open", "replica", "primary"]);
        });
    }
}

#[test]
fn a_page_that_goes_on_is_read_where_no_record_can_be_missing() {
    with((0, true), text("here"), async |reads, both| {
        let page = async |age: i64| {
            let below = PRESENT - ((1000 * age) << 12);
            let read = Read::quick("audit_list($1)", &[]).going_on_below(below);
            let answer = reads.text(read).await;
            answer.expect("an answer").expect("a text")
        };
        assert_eq!(page(0).await, OF_THE_PRIMARY);
        assert_eq!(page(19).await, OF_THE_PRIMARY);
        assert_eq!(page(21).await, "here");
        let read = Read::slow("audit_list($1)", &[]).going_on_below(i64::MAX);
        let answer = reads.text(read).await;
        assert_eq!(answer, Ok(Some(OF_THE_PRIMARY.to_owned())));
        drop(both);
    });
}
