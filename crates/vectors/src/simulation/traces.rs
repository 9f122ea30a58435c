//! A request to the provider is in the trace of a request that has a text in it, and in none if none of them is in one.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::join_all;
use http::{HeaderMap, HeaderValue, Request, Response};
use instance::{TRACEPARENT, Trace};
use proptest::prelude::{Strategy, any, proptest};
use proptest::test_runner::TestCaseResult;
use proptest::{prop_assert, prop_assert_eq};
use runtime::simulated::{HttpServer, Servers, run};
use runtime::{Unreachable, sleep};
use serde_json::{Value, json};

use super::embedding::provider;

#[derive(Debug, Clone)]
struct Asking {
    arrives: u64,
    is_traced: bool,
    texts: usize,
}

fn asking() -> impl Strategy<Value = Asking> {
    let parts = (0..300_u64, any::<bool>(), 1..40_usize);
    parts.prop_map(|(arrives, is_traced, texts)| Asking {
        arrives,
        is_traced,
        texts,
    })
}

/// The trace of the request of this number.
fn trace(number: usize) -> Trace {
    let text = format!("00-{:032x}-{:016x}-01", number + 1, 1);
    let mut headers = HeaderMap::new();
    headers.insert(TRACEPARENT, HeaderValue::try_from(text).expect("a header"));
    Trace::of(&headers).expect("a trace")
}

/// Takes a while, so that texts go together, and refuses some requests, so that their texts are asked for in halves.
struct Server {
    refused: BTreeSet<usize>,
    /// The texts of each request so far, and its headers.
    requests: RefCell<Vec<(Vec<String>, HeaderMap)>>,
}

impl HttpServer for Server {
    fn handle(&self, request: Request<Bytes>) -> (Duration, Result<Response<Bytes>, Unreachable>) {
        let question: Value = serde_json::from_slice(request.body()).expect("a question");
        let texts: Vec<String> = serde_json::from_value(question["input"].clone()).expect("texts");
        let mut requests = self.requests.borrow_mut();
        let is_refused = self.refused.contains(&requests.len());
        let vectors = vec![json!([1, 1]); texts.len()];
        requests.push((texts, request.headers().clone()));
        let response = Response::builder().status(if is_refused { 400 } else { 200 });
        let response = response.body(json!(vectors).to_string().into());
        (Duration::from_millis(100), Ok(response.expect("an answer")))
    }
}

async fn ask(number: usize, asking: Asking) {
    sleep(Duration::from_millis(asking.arrives)).await;
    // Whose text it is, it says itself.
    let texts: Vec<String> = (0..asking.texts).map(|_| number.to_string()).collect();
    let trace = asking.is_traced.then(|| trace(number));
    let embedded = crate::embed(Some(&provider()), &texts, trace).await;
    assert_eq!(embedded.vectors.len(), texts.len());
}

fn check(all: &[Asking], refused: BTreeSet<usize>) -> TestCaseResult {
    let server = Rc::new(Server {
        refused,
        requests: RefCell::default(),
    });
    let servers = Servers {
        http: Some(server.clone()),
        ..Servers::default()
    };
    let asked = all.to_vec();
    run(servers, async move {
        // Longer than any breaker of the case before stays open.
        sleep(Duration::from_mins(2)).await;
        let asked = asked.into_iter().enumerate();
        join_all(asked.map(|(number, asking)| ask(number, asking))).await;
    });
    let mut parents = BTreeSet::new();
    for (texts, headers) in server.requests.borrow().iter() {
        let numbers = texts.iter().map(|text| text.parse().expect("a number"));
        let first = numbers
            .into_iter()
            .find(|number: &usize| all[*number].is_traced);
        prop_assert_eq!(Trace::of(headers), first.map(trace), "{:?}", texts);
        if let Some(sent) = headers.get(TRACEPARENT) {
            prop_assert!(
                parents.insert(sent.as_bytes()[36..52].to_vec()),
                "{:?}",
                sent
            );
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn the_provider_is_asked_in_a_trace_of_those_who_ask(
        all in proptest::collection::vec(asking(), 1..14),
        refused in proptest::collection::btree_set(0..8_usize, 0..3),
    ) {
        check(&all, refused)?;
    }
}
