//! Embedding under every order of arriving, answering, failing, running out of time and giving up, on a simulated clock
//! and a scripted provider: `PROPTEST_CASES=1000000 cargo test --release -p vectors simulation` runs a million of them.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use audit::{QuestionForm, Vector};
use bytes::Bytes;
use futures::future::join_all;
use http::{Request, Response};
use proptest::prelude::{Just, Strategy, prop_oneof, proptest};
use proptest::test_runner::TestCaseResult;
use proptest::{prop_assert, prop_assert_eq};
use runtime::simulated::{HttpServer, Servers, StoreServer, Turns, run, unless_left};
use runtime::{Instant, StoreFailed, Unreachable, sleep};
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::settings::Provider;

/// How long a request waits for its vector, in milliseconds.
const TIMEOUT: u64 = 2_000;

#[derive(Debug, Clone)]
struct Asking {
    arrives: u64,
    leaves_after: Option<u64>,
    texts: usize,
}

/// What the provider does with a request.
#[derive(Debug, Clone, Copy)]
enum Fate {
    Answers(u64),
    Status(u16),
    Unreachable,
}

#[derive(Debug, Clone)]
struct Script {
    asking: Vec<Asking>,
    fates: Vec<Fate>,
}

fn script(fate: impl Strategy<Value = Fate>) -> impl Strategy<Value = Script> {
    let leaves = prop_oneof![4 => Just(None), 1 => (0..2_500_u64).prop_map(Some)];
    let asking =
        (0..6_000_u64, leaves, 1..4_usize).prop_map(|(arrives, leaves_after, texts)| Asking {
            arrives,
            leaves_after,
            texts,
        });
    (
        proptest::collection::vec(asking, 1..14),
        proptest::collection::vec(fate, 1..8),
    )
        .prop_map(|(asking, fates)| Script { asking, fates })
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        6 => (0..1_900_u64).prop_map(Fate::Answers),
        1 => Just(Fate::Answers(60_000)),
        1 => prop_oneof![Just(429), Just(500), Just(503), Just(400), Just(401)]
            .prop_map(Fate::Status),
        1 => Just(Fate::Unreachable),
    ]
}

struct Server {
    fates: Turns<Fate>,
    /// When each request came, and how many texts it had.
    requests: RefCell<Vec<(Instant, usize)>>,
}

/// The vector of a text that is a number; any other is asked for to see whether the provider works.
fn vector_of(text: &str) -> Vec<f32> {
    let number: f32 = text.parse().unwrap_or_default();
    vec![number + 1.0, 1.0]
}

impl HttpServer for Server {
    fn handle(&self, request: Request<Bytes>) -> (Duration, Result<Response<Bytes>, Unreachable>) {
        let question: Value = serde_json::from_slice(request.body()).expect("a question");
        let texts = question["input"].as_array().expect("texts");
        self.requests
            .borrow_mut()
            .push((Instant::now(), texts.len()));
        let answer = |status: u16, body: Value| {
            let response = Response::builder().status(status);
            Ok(response
                .body(Bytes::from(body.to_string()))
                .expect("an answer"))
        };
        match self.fates.next() {
            Fate::Answers(after) => {
                let data: Vec<Value> = texts
                    .iter()
                    .enumerate()
                    .map(|(index, text)| {
                        let text = text.as_str().expect("a text");
                        json!({"index": index, "embedding": vector_of(text)})
                    })
                    .collect();
                let body = json!({"data": data});
                (Duration::from_millis(after), answer(200, body))
            }
            Fate::Status(status) => (Duration::from_millis(5), answer(status, json!({}))),
            Fate::Unreachable => (Duration::from_millis(5), Err(Unreachable)),
        }
    }
}

#[derive(Debug)]
struct Seen {
    texts: Vec<String>,
    took: Duration,
    vectors: Vec<Result<Vector, Failure>>,
}

pub(super) fn provider() -> Rc<Provider> {
    Rc::new(Provider {
        url: "http://provider/v1/embeddings".into(),
        form: QuestionForm::OpenAi,
        model: "m".into(),
        key: None,
        dimensions: 2,
        timeout: Duration::from_millis(TIMEOUT),
        cache_ttl: None,
    })
}

async fn ask(number: usize, asking: Asking, provider: Rc<Provider>) -> Option<Seen> {
    sleep(Duration::from_millis(asking.arrives)).await;
    let began = Instant::now();
    let texts: Vec<String> = (0..asking.texts)
        .map(|text| (number * 10 + text).to_string())
        .collect();
    let embedding = crate::embed(Some(&provider), &texts, None);
    let embedded = unless_left(asking.leaves_after, embedding).await?;
    Some(Seen {
        took: began.elapsed(),
        vectors: embedded.vectors,
        texts,
    })
}

/// What clients that stayed saw, and when the provider was asked.
fn outcomes(script: &Script) -> (Vec<Seen>, Vec<(Instant, usize)>) {
    let server = Rc::new(Server {
        fates: Turns::new(script.fates.clone()),
        requests: RefCell::default(),
    });
    let servers = Servers {
        http: Some(server.clone()),
        ..Servers::default()
    };
    let asking = script.asking.clone();
    let seen = run(servers, async move {
        // Longer than any breaker of the script before stays open.
        sleep(Duration::from_mins(2)).await;
        let provider = provider();
        let all = asking
            .into_iter()
            .enumerate()
            .map(|(number, one)| ask(number, one, provider.clone()));
        join_all(all).await.into_iter().flatten().collect()
    });
    let requests = server.requests.borrow().clone();
    (seen, requests)
}

fn check(script: &Script) -> TestCaseResult {
    for seen in outcomes(script).0 {
        prop_assert!(
            seen.took <= Duration::from_millis(TIMEOUT),
            "{seen:?} took longer than its limit"
        );
        prop_assert_eq!(seen.vectors.len(), seen.texts.len());
        for (text, vector) in seen.texts.iter().zip(&seen.vectors) {
            if let Ok(vector) = vector {
                prop_assert_eq!(vector.numbers(), vector_of(text), "somebody else's vector");
            }
        }
    }
    Ok(())
}

/// A provider that answers within the limit of a request closes no door: whoever could have an answer in time has one.
fn check_slow(script: &Script) -> TestCaseResult {
    let (seen, _) = outcomes(script);
    for seen in seen {
        let failed = seen.vectors.iter().find_map(|vector| vector.as_ref().err());
        prop_assert!(
            failed.is_none() || seen.took == Duration::from_millis(TIMEOUT),
            "{seen:?} was refused although the provider answers"
        );
    }
    Ok(())
}

proptest! {
    #[test]
    fn everybody_has_its_own_vectors_in_its_own_time(script in script(fate())) {
        check(&script)?;
    }

    #[test]
    fn a_slow_provider_is_not_away(script in script((0..1_900_u64).prop_map(Fate::Answers))) {
        check_slow(&script)?;
    }
}

fn posts(count: u64, apart: u64) -> Vec<Asking> {
    (0..count)
        .map(|number| Asking {
            arrives: number * apart,
            leaves_after: None,
            texts: 1,
        })
        .collect()
}

/// A provider that always takes 1.2 s, a limit of 2 s, a post every 150 ms: each has its vector.
#[test]
fn each_has_its_own_deadline() {
    let script = Script {
        asking: posts(12, 150),
        fates: vec![Fate::Answers(1_200)],
    };
    let (seen, _) = outcomes(&script);
    assert_eq!(seen.len(), 12);
    for seen in seen {
        assert!(seen.vectors[0].is_ok(), "{seen:?}");
    }
}

/// A provider that says nothing for a whole limit is left alone for a second, not for ever.
#[test]
fn silence_opens_the_breaker_for_a_while() {
    let script = Script {
        asking: posts(2, 2_500)
            .into_iter()
            .chain([Asking {
                arrives: 3_100,
                leaves_after: None,
                texts: 1,
            }])
            .collect(),
        fates: vec![Fate::Answers(60_000), Fate::Answers(10)],
    };
    let (seen, requests) = outcomes(&script);
    assert!(seen[0].vectors[0].is_err(), "{seen:?}");
    assert!(
        seen[1].vectors[0].is_err() && seen[1].took.is_zero(),
        "{seen:?}"
    );
    assert!(seen[2].vectors[0].is_ok(), "{seen:?}");
    assert_eq!(requests.len(), 2, "{requests:?}");
}

/// A key-value store whose every call takes so long.
struct SlowStore(Duration);

impl StoreServer for SlowStore {
    fn call(&self) -> (Duration, Result<(), StoreFailed>) {
        (self.0, Ok(()))
    }

    fn get(&self, _: &str) -> Option<Vec<u8>> {
        None
    }

    fn set(&self, _: &str, _: &[u8]) {}
}

/// A batch of many texts takes a store of half a millisecond longer than its limit, and costs nobody else the cache.
#[test]
fn much_work_is_no_outage_of_the_cache() {
    let works = |takes: Duration, keys: usize| {
        let servers = Servers {
            store: Some(Rc::new(SlowStore(takes))),
            ..Servers::default()
        };
        run(servers, async move {
            let keys: Vec<String> = (0..keys).map(|key| key.to_string()).collect();
            crate::cache::get(&keys, 2, Duration::from_mins(5)).await;
            crate::cache_works().await
        })
    };
    assert!(works(Duration::from_micros(500), 400));
    assert!(
        !works(Duration::from_millis(500), 1),
        "silence is an outage"
    );
}

/// A key-value store that has one vector, and no room for another.
#[derive(Default)]
struct FullStore {
    has: RefCell<Option<(String, Vec<u8>)>>,
    asked: Cell<usize>,
    refused: Cell<usize>,
}

impl StoreServer for FullStore {
    fn call(&self) -> (Duration, Result<(), StoreFailed>) {
        self.asked.set(self.asked.get() + 1);
        (Duration::from_micros(100), Ok(()))
    }

    fn get(&self, key: &str) -> Option<Vec<u8>> {
        let has = self.has.borrow();
        let (there, value) = has.as_ref()?;
        (there == key).then(|| value.clone())
    }

    fn set(&self, key: &str, value: &[u8]) {
        *self.has.borrow_mut() = Some((key.to_owned(), value.to_vec()));
    }

    fn takes(&self) -> Result<(), StoreFailed> {
        if self.has.borrow().is_none() {
            return Ok(());
        }
        self.refused.set(self.refused.get() + 1);
        Err(StoreFailed)
    }
}

/// A store that takes no more is asked for what it has as ever, and left alone with what it has no room for.
#[test]
fn a_store_that_is_full_is_still_read() {
    const TTL: Duration = Duration::from_mins(5);
    let store = Rc::new(FullStore::default());
    let servers = Servers {
        store: Some(Rc::clone(&store) as Rc<dyn StoreServer>),
        ..Servers::default()
    };
    let vector = Vector::new(vec![0.25, -1.5]);
    let kept = [("kept".to_owned(), vector.clone())];
    let new = [("new".to_owned(), vector.clone())];
    run(servers, async move {
        crate::cache::put(&kept, TTL).await;
        for _ in 0..3 {
            crate::cache::put(&new, TTL).await;
            let keys = ["kept".to_owned(), "new".to_owned()];
            let found = crate::cache::get(&keys, 2, TTL).await;
            assert_eq!(found, [Some(vector.clone()), None]);
        }
        assert!(crate::cache_works().await);
        sleep(Duration::from_secs(11)).await;
        crate::cache::put(&new, TTL).await;
    });
    assert_eq!(store.refused.get(), 2, "once in each pause");
    assert_eq!(store.asked.get(), 3 + 3 * 2 + 1);
}
