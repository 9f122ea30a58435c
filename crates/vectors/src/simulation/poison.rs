//! A text that the provider cannot embed, in every way in which providers fail at one, among others that it can.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use proptest::prelude::{Just, Strategy, prop_oneof, proptest};
use proptest::prop_assert;
use proptest::test_runner::TestCaseResult;
use runtime::simulated::{HttpServer, Servers, run};
use runtime::{Unreachable, sleep};
use serde_json::{Value, json};

use super::embedding::provider;
use crate::failure::Failure;

/// How the provider fails at a text.
#[derive(Debug, Clone, Copy)]
enum Way {
    Status(u16),
    /// An error under 200.
    ErrorBody,
    /// This as the text's vector.
    Vector(&'static str),
}

fn way() -> impl Strategy<Value = Way> {
    prop_oneof![
        prop_oneof![Just(400), Just(413), Just(424), Just(500), Just(502)].prop_map(Way::Status),
        Just(Way::ErrorBody),
        prop_oneof![
            Just("[0,0]"),
            Just("[null,null]"),
            Just("[NaN,NaN]"),
            Just("[]"),
            Just("null"),
        ]
        .prop_map(Way::Vector),
    ]
}

struct Server {
    way: Way,
    poison: BTreeSet<usize>,
    /// From this request on it fails at everything.
    works_for: usize,
    requests: RefCell<Vec<Vec<String>>>,
}

impl Server {
    fn answer(&self, texts: &[String]) -> (u16, String) {
        let works = self.requests.borrow().len() <= self.works_for;
        let is_poison = |text: &String| {
            !works
                || text
                    .parse()
                    .is_ok_and(|number| self.poison.contains(&number))
        };
        let is_hit = texts.iter().any(is_poison);
        let vector = match self.way {
            Way::Status(status) if is_hit => return (status, "{}".into()),
            Way::ErrorBody if is_hit => return (200, r#"{"error":"no"}"#.into()),
            Way::Vector(vector) => vector,
            Way::Status(_) | Way::ErrorBody => "",
        };
        let vectors = texts.iter().map(|text| {
            if is_poison(text) {
                vector.to_owned()
            } else {
                format!("[{},1]", text.parse().unwrap_or(0))
            }
        });
        (200, format!("[{}]", vectors.collect::<Vec<_>>().join(",")))
    }
}

impl HttpServer for Server {
    fn handle(&self, request: Request<Bytes>) -> (Duration, Result<Response<Bytes>, Unreachable>) {
        let question: Value = serde_json::from_slice(request.body()).expect("a question");
        let texts: Vec<String> = serde_json::from_value(question["input"].clone()).expect("texts");
        self.requests.borrow_mut().push(texts.clone());
        let (status, body) = self.answer(&texts);
        let response = Response::builder().status(status).body(Bytes::from(body));
        (Duration::from_millis(5), Ok(response.expect("an answer")))
    }
}

/// Texts to embed: so many, and those of them that are poison.
#[derive(Debug, Clone)]
struct Texts {
    count: usize,
    poison: BTreeSet<usize>,
}

fn texts() -> impl Strategy<Value = Texts> {
    (1..=64_usize).prop_flat_map(|count| {
        proptest::collection::btree_set(0..count, 0..4.min(count + 1))
            .prop_map(move |poison| Texts { count, poison })
    })
}

/// What becomes of the texts, and of one more that comes right behind them; and all requests.
fn outcomes(way: Way, texts: &Texts, works_for: usize) -> (Vec<Option<Failure>>, Vec<Vec<String>>) {
    let server = Rc::new(Server {
        way,
        poison: texts.poison.clone(),
        works_for,
        requests: RefCell::default(),
    });
    let servers = Servers {
        http: Some(server.clone()),
        ..Servers::default()
    };
    let said: Vec<String> = (0..texts.count).map(|number| number.to_string()).collect();
    let outcomes = run(servers, async move {
        // Longer than any breaker of the case before stays open.
        sleep(Duration::from_mins(2)).await;
        let provider = provider();
        let mut vectors = crate::embed(Some(&provider), &said, None).await.vectors;
        let after = crate::embed(Some(&provider), &["1000".to_owned()], None).await;
        vectors.extend(after.vectors);
        vectors.into_iter().map(Result::err).collect()
    });
    let requests = server.requests.borrow().clone();
    (outcomes, requests)
}

fn check(way: Way, texts: &Texts) -> TestCaseResult {
    let (outcomes, requests) = outcomes(way, texts, usize::MAX);
    for (number, failure) in outcomes.iter().enumerate() {
        let expected = texts.poison.contains(&number).then_some(Failure::Refused);
        prop_assert!(
            *failure == expected,
            "text {number}: {failure:?}, {requests:?}"
        );
    }
    Ok(())
}

proptest! {
    #[test]
    fn it_costs_nobody_else_the_vector(way in way(), texts in texts()) {
        check(way, &texts)?;
    }

    /// Where the provider fails at everything, no text is to blame for it, and the provider is left alone.
    #[test]
    fn an_outage_is_nobodys_fault(way in way(), count in 1..=64_usize) {
        let texts = Texts { count, poison: BTreeSet::new() };
        let (outcomes, requests) = outcomes(way, &texts, 0);
        // A provider that says that it is not the provider but the text is believed.
        let is_refusal = matches!(way, Way::Status(400 | 413));
        for failure in outcomes {
            let is_refused = failure == Some(Failure::Refused);
            prop_assert!(failure.is_some() && is_refused == is_refusal, "{failure:?}, {requests:?}");
        }
        prop_assert!(is_refusal || requests.len() <= 12, "{requests:?}");
    }
}

/// Alone and in a batch, with a provider that has answered nothing before.
#[test]
fn alone_it_takes_one_look_at_a_harmless_text() {
    let poison = [0].into();
    let (outcomes, requests) = outcomes(Way::Status(500), &Texts { count: 1, poison }, usize::MAX);
    assert_eq!(outcomes, [Some(Failure::Refused), None]);
    let asked: Vec<&str> = requests.iter().map(|texts| texts[0].as_str()).collect();
    assert_eq!(asked, ["0", "0", "an incident", "0", "1000"]);
}

/// A vector that is missing says whose text it was.
#[test]
fn what_the_provider_points_at_is_not_looked_for() {
    let texts = Texts {
        count: 64,
        poison: [7, 40].into(),
    };
    let (_, requests) = outcomes(Way::Vector("[0,0]"), &texts, usize::MAX);
    assert_eq!(requests.len(), 2, "{requests:?}");
}

/// A failure of a moment is nobody's fault either.
#[test]
fn a_provider_that_recovers_has_refused_nothing() {
    for broken in 1..=4 {
        let server = Rc::new(Hiccup {
            broken,
            asked: RefCell::default(),
        });
        let servers = Servers {
            http: Some(server.clone()),
            ..Servers::default()
        };
        let failure = run(servers, async {
            sleep(Duration::from_mins(2)).await;
            let mut vectors = crate::embed(Some(&provider()), &["1".to_owned()], None)
                .await
                .vectors;
            vectors.pop().expect("an outcome").err()
        });
        assert_eq!(failure, None, "after {broken} failures");
    }
}

/// Fails so often, then works.
struct Hiccup {
    broken: usize,
    asked: RefCell<usize>,
}

impl HttpServer for Hiccup {
    fn handle(&self, _: Request<Bytes>) -> (Duration, Result<Response<Bytes>, Unreachable>) {
        *self.asked.borrow_mut() += 1;
        let status = if *self.asked.borrow() > self.broken {
            200
        } else {
            500
        };
        let body = json!([[1, 1]]).to_string();
        let response = Response::builder().status(status).body(Bytes::from(body));
        (Duration::from_millis(5), Ok(response.expect("an answer")))
    }
}
