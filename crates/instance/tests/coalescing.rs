//! Request coalescing under every order of arriving, answering, running out of time and giving up, on a simulated
//! clock: `PROPTEST_CASES=1000000 cargo test --release -p instance --test coalescing` runs a million of them.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use futures::future::join_all;
use instance::{Batch, Batcher, Entry, within};
use proptest::prelude::{Just, Strategy, prop_oneof, proptest};
use proptest::test_runner::TestCaseResult;
use proptest::{prop_assert, prop_assert_eq};
use runtime::simulated::{Servers, Turns, run, unless_left};
use runtime::{Instant, sleep};

/// How long a request and a batch may take, in milliseconds.
const LIMIT: u64 = 50;

#[derive(Debug, Clone)]
struct Request {
    arrives: u64,
    /// When its client leaves, if it does.
    leaves_after: Option<u64>,
}

#[derive(Debug, Clone)]
struct Script {
    requests: Vec<Request>,
    /// How long each batch takes, over and over.
    batches: Vec<u64>,
    most: usize,
    capacity: usize,
}

/// What a request saw.
#[derive(Debug)]
struct Seen {
    number: usize,
    took: Duration,
    answer: Option<usize>,
}

#[derive(Default)]
struct Server {
    /// How long each batch takes.
    batches: Turns<u64>,
    under_way: Cell<usize>,
    most_under_way: Cell<usize>,
    /// When each item was sent first.
    sent: RefCell<Vec<Option<Instant>>>,
    /// How often each item was sent.
    sendings: RefCell<Vec<usize>>,
}

fn script() -> impl Strategy<Value = Script> {
    let leaves = prop_oneof![3 => Just(None), 1 => (0..80_u64).prop_map(Some)];
    let request = (0..120_u64, leaves).prop_map(|(arrives, leaves_after)| Request {
        arrives,
        leaves_after,
    });
    (
        proptest::collection::vec(request, 1..14),
        proptest::collection::vec(prop_oneof![4 => 0..40_u64, 1 => 40..90_u64], 1..8),
        1..4_usize,
        1..6_usize,
    )
        .prop_map(|(requests, batches, most, capacity)| Script {
            requests,
            batches,
            most,
            capacity,
        })
}

type Items = Batcher<usize, usize>;

async fn lead(server: Rc<Server>, script: Rc<Script>, batch: Batch<usize, usize>) {
    let entries = batch.take(script.capacity);
    server.under_way.set(server.under_way.get() + 1);
    let most = server.most_under_way.get().max(server.under_way.get());
    server.most_under_way.set(most);
    let leaving = Leaving(server.clone());
    for entry in &entries {
        let mut sent = server.sent.borrow_mut();
        sent[*entry.item()].get_or_insert_with(Instant::now);
        server.sendings.borrow_mut()[*entry.item()] += 1;
    }
    let takes = Duration::from_millis(server.batches.next());
    let answered = within(Duration::from_millis(LIMIT), sleep(takes)).await;
    drop(leaving);
    if answered.is_some() {
        for entry in &entries {
            entry.answer(*entry.item());
        }
    } else {
        for entry in &entries {
            entry.answer(usize::MAX);
        }
    }
}

struct Leaving(Rc<Server>);

impl Drop for Leaving {
    fn drop(&mut self) {
        self.0.under_way.set(self.0.under_way.get() - 1);
    }
}

async fn request(
    number: usize,
    batcher: Rc<Items>,
    server: Rc<Server>,
    script: Rc<Script>,
) -> Option<Seen> {
    let Request {
        arrives,
        leaves_after,
    } = script.requests[number];
    sleep(Duration::from_millis(arrives)).await;
    let began = Instant::now();
    let asking = async {
        let entry = Entry::new(number, 1);
        let entries = [entry];
        let deadline = began + Duration::from_millis(LIMIT);
        let lead = |batch| lead(server.clone(), script.clone(), batch);
        batcher.run(&entries, deadline, lead).await;
        entries[0].take()
    };
    let answer = unless_left(leaves_after, asking).await?;
    Some(Seen {
        number,
        took: began.elapsed(),
        answer,
    })
}

/// What came of a script.
struct Observed {
    server: Rc<Server>,
    began: Instant,
    seen: Vec<Seen>,
    /// Whether a request long after all others led at once.
    at_once: bool,
}

fn observe(script: &Rc<Script>) -> Observed {
    let server = Rc::new(Server {
        batches: Turns::new(script.batches.clone()),
        ..Server::default()
    });
    server.sent.borrow_mut().resize(script.requests.len(), None);
    server
        .sendings
        .borrow_mut()
        .resize(script.requests.len(), 0);
    let batcher = Items::new(script.most);
    let (of_run, again) = (server.clone(), script.clone());
    let (began, seen, at_once) = run(Servers::default(), async move {
        let began = Instant::now();
        let requests = (0..again.requests.len())
            .map(|number| request(number, batcher.clone(), of_run.clone(), again.clone()));
        let seen = join_all(requests).await.into_iter().flatten().collect();
        sleep(Duration::from_millis(10 * LIMIT)).await;
        let entry = Entry::new(0, 1);
        let asked = Instant::now();
        let at_once = Rc::new(Cell::new(false));
        let lead = |batch: Batch<usize, usize>| {
            let at_once = at_once.clone();
            async move {
                at_once.set(true);
                for entry in batch.take(1) {
                    entry.answer(0);
                }
            }
        };
        let deadline = asked + Duration::from_millis(LIMIT);
        batcher.run(&[entry], deadline, lead).await;
        (began, seen, at_once.get() && asked.elapsed().is_zero())
    });
    Observed {
        server,
        began,
        seen,
        at_once,
    }
}

fn check(script: Script) -> TestCaseResult {
    let script = Rc::new(script);
    let Observed {
        server,
        began,
        seen,
        at_once,
    } = observe(&script);
    // Whatever happened, nothing is under way for ever.
    prop_assert!(at_once, "a batch is under way for ever");
    prop_assert!(server.most_under_way.get() <= script.most);
    prop_assert_eq!(server.under_way.get(), 0);
    for seen in seen {
        prop_assert!(
            seen.took <= Duration::from_millis(LIMIT),
            "{seen:?} has waited beyond its deadline"
        );
        if let Some(answer) = seen.answer.filter(|answer| *answer != usize::MAX) {
            prop_assert_eq!(answer, seen.number, "somebody else's answer");
        }
        // Who has no answer was in time for none, or was never sent because there was no room for it.
        prop_assert!(
            seen.answer.is_some() || seen.took == Duration::from_millis(LIMIT),
            "{seen:?} has given up early"
        );
    }
    // A leader whose own time is over leaves its batch to go on; only one that is cancelled takes it along.
    let nobody_leaves = script
        .requests
        .iter()
        .all(|request| request.leaves_after.is_none());
    let sendings = server.sendings.borrow();
    prop_assert!(
        !nobody_leaves || sendings.iter().all(|times| *times <= 1),
        "something was sent again: {sendings:?}"
    );
    let first = script.requests.iter().map(|request| request.arrives).min();
    for (request, sent) in script.requests.iter().zip(&*server.sent.borrow()) {
        if Some(request.arrives) == first && request.leaves_after != Some(0) {
            let alone = script
                .requests
                .iter()
                .filter(|other| Some(other.arrives) == first)
                .count();
            let at = began + Duration::from_millis(request.arrives);
            prop_assert!(
                alone > script.most || *sent == Some(at),
                "nothing was under way, and {request:?} waited"
            );
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn everybody_has_its_own_answer_in_its_own_time(script in script()) {
        check(script)?;
    }
}

/// Two wait while a batch is under way; the one that leads the next gives up, and the other has its answer all the same.
#[test]
fn what_a_cancelled_leader_sent_goes_again() {
    let request = |arrives, leaves_after| Request {
        arrives,
        leaves_after,
    };
    let script = Rc::new(Script {
        requests: vec![request(0, None), request(5, Some(20)), request(5, None)],
        batches: vec![20],
        most: 1,
        capacity: 5,
    });
    let Observed { server, seen, .. } = observe(&script);
    let answers: Vec<_> = seen.iter().map(|seen| (seen.number, seen.answer)).collect();
    assert_eq!(answers, [(0, Some(0)), (2, Some(2))], "{seen:?}");
    assert_eq!(*server.sendings.borrow(), [1, 1, 2]);
}
