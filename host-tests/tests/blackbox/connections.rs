//! Rubbish below the level of HTTP: floods of headers, requests that break off, bytes that are no
//! request. The next connection works, and nothing is half-written.

use std::fmt::Write as _;

use serde_json::json;

use crate::client;
use crate::support::payloads::{execution, fresh};
use crate::support::wire::RawAnswer;
use crate::wire;

const PATH: &str = "/api/v1/store/execution";

/// A whole request that stores a record.
fn storing(namespace: &str, extra: &str) -> String {
    let body = execution(namespace, &fresh("word")).to_string();
    let length = body.len();
    format!(
        "POST {PATH} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\n{extra}\r\n{body}"
    )
}

const HEALTH: &str = "GET /health HTTP/1.1\r\nhost: x\r\n\r\n";

/// A new connection is served as if nothing had been.
async fn assert_served() {
    let Some(mut wire) = wire::open().await else {
        return;
    };
    wire.send(HEALTH).await;
    let answer = wire.answer().await.expect("an answer");
    assert_eq!(answer.status, 200);
    assert_eq!(answer.value(), json!({"status": "ok"}));
}

/// The host or the service may refuse, but in no other way than these.
fn assert_refused(answer: Option<RawAnswer>, what: &str) {
    let Some(answer) = answer else {
        return; // hung up
    };
    if [400, 414, 431].contains(&answer.status) {
        let is_problem = answer.header("content-type") == Some("application/problem+json");
        let is_bare = answer.value().is_null();
        assert!(is_problem || is_bare, "{what}: {answer:?}");
    } else {
        panic!("{what}: {answer:?}");
    }
}

#[tokio::test]
async fn a_flood_of_headers_is_refused() {
    let namespace = fresh("flood");
    for count in [101, 1000] {
        let mut headers = String::new();
        for i in 0..count {
            let _ = write!(headers, "x-flood-{i}: {i}\r\n");
        }
        let Some(mut wire) = wire::open().await else {
            return;
        };
        wire.send(storing(&namespace, &headers)).await;
        let answer = wire.answer().await;
        assert_refused(answer, &format!("{count} headers"));
        assert_served().await;
    }
    assert_eq!(client().count("execution", &namespace).await, 0);
}

#[tokio::test]
async fn large_headers_are_served_or_refused_as_a_whole() {
    let client = client();
    for (name, size) in [("x-large", 100 * 1024), ("x-large", 1024 * 1024)] {
        let namespace = fresh("large");
        let header = format!("{name}: {}\r\n", "y".repeat(size));
        let Some(mut wire) = wire::open().await else {
            return;
        };
        wire.send(storing(&namespace, &header)).await;
        let stored = match wire.answer().await {
            Some(answer) if answer.status == 201 => 1,
            answer => {
                assert_refused(answer, &format!("{size} bytes of {name}"));
                0
            }
        };
        assert_eq!(client.count("execution", &namespace).await, stored);
        assert_served().await;
    }
}

#[tokio::test]
async fn a_long_path_is_refused() {
    for size in [70 * 1024, 500 * 1024] {
        let Some(mut wire) = wire::open().await else {
            return;
        };
        let path = "a".repeat(size);
        wire.send(format!(
            "GET /api/v1/query/{path} HTTP/1.1\r\nhost: x\r\n\r\n"
        ))
        .await;
        assert_refused(wire.answer().await, &format!("a path of {size} bytes"));
        assert_served().await;
    }
}

#[tokio::test]
async fn half_a_request_writes_nothing() {
    let client = client();
    let namespace = fresh("half");
    let whole = storing(&namespace, "");
    let head = whole.find("\r\n\r\n").expect("a head") + 4;
    for length in [1, 20, head - 3, head, head + 1, head + 40, whole.len() - 1] {
        let Some(mut wire) = wire::open().await else {
            return;
        };
        wire.send(&whole[..length]).await;
        wire.finish().await;
        let answer = wire.answer().await;
        assert!(
            answer.as_ref().is_none_or(|answer| answer.status == 400),
            "{length} bytes: {answer:?}"
        );
        drop(wire);
        assert_served().await;
    }
    assert_eq!(client.count("execution", &namespace).await, 0);
}

#[tokio::test]
async fn a_chunked_body_counts_as_any_other() {
    let client = client();
    let namespace = fresh("chunked");
    let head = format!(
        "POST {PATH} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
         transfer-encoding: chunked\r\n\r\n"
    );
    let body = execution(&namespace, &fresh("word")).to_string();
    let (first, second) = body.split_at(body.len() / 2);
    let Some(mut wire) = wire::open().await else {
        return;
    };
    wire.send(&head).await;
    for part in [first, second, ""] {
        wire.send(format!("{:x}\r\n{part}\r\n", part.len())).await;
    }
    assert_eq!(wire.answer().await.expect("an answer").status, 201);
    assert_eq!(client.count("execution", &namespace).await, 1);

    // 1 MiB and one byte: a record, then blanks. Its length is nowhere announced.
    let record = execution(&namespace, &fresh("word")).to_string();
    let blanks = " ".repeat(1024 * 1024 + 1 - record.len());
    wire.send(&head).await;
    for part in [record.as_str(), &blanks, ""] {
        wire.send(format!("{:x}\r\n{part}\r\n", part.len())).await;
    }
    let answer = wire.answer().await.expect("an answer");
    assert_eq!(answer.status, 413, "{answer:?}");
    assert_eq!(
        answer.value()["type"],
        "https://kubernaut.io/problems/payload-too-large"
    );

    // A chunk that breaks off, and one that is none.
    for rest in ["fff\r\n{\"name\":", "zz\r\n{}\r\n0\r\n\r\n"] {
        let mut wire = wire::open().await.expect("a connection");
        wire.send(format!("{head}{rest}")).await;
        wire.finish().await;
        let answer = wire.answer().await;
        assert!(
            answer.as_ref().is_none_or(|answer| answer.status == 400),
            "{answer:?}"
        );
        assert_served().await;
    }
    assert_eq!(client.count("execution", &namespace).await, 1);
}

#[tokio::test]
async fn rubbish_is_refused_and_does_not_reach_the_next_request() {
    for rubbish in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
        b"\0\0\0\0\r\n\r\n",
        b"SELECT * FROM x;\r\n\r\n",
        b"GET /health\r\n\r\n",
        b"GET /health HTTP/9.9\r\n\r\n",
        b"GET /hea lth HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET /health HTTP/1.1\r\nno colon\r\n\r\n",
        b"POST /api/v1/store/execution HTTP/1.1\r\nhost: x\r\ncontent-length: many\r\n\r\n",
        b"POST /api/v1/store/execution HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n",
    ] {
        // Alone, and behind a good request.
        for before in ["", HEALTH] {
            let Some(mut wire) = wire::open().await else {
                return;
            };
            wire.send([before.as_bytes(), rubbish].concat()).await;
            wire.finish().await;
            if !before.is_empty() {
                assert_eq!(wire.answer().await.expect("an answer").status, 200);
            }
            assert_refused(wire.answer().await, &String::from_utf8_lossy(rubbish));
        }
        assert_served().await;
    }
}

#[tokio::test]
async fn requests_sent_ahead_are_answered_in_order() {
    let client = client();
    let namespace = fresh("ahead");
    let Some(mut wire) = wire::open().await else {
        return;
    };
    let unknown = "GET /nowhere HTTP/1.1\r\nhost: x\r\n\r\n";
    let all = [
        storing(&namespace, ""),
        unknown.to_owned(),
        storing(&namespace, ""),
        HEALTH.to_owned(),
    ];
    wire.send(all.concat()).await;
    for status in [201, 404, 201, 200] {
        assert_eq!(wire.answer().await.expect("an answer").status, status);
    }
    assert_eq!(client.count("execution", &namespace).await, 2);
}

#[tokio::test]
async fn useless_idempotency_keys_are_refused() {
    let client = client();
    let namespace = fresh("keys");
    let long = "k".repeat(256);
    for key in ["", "two words", "tab\tin it", &long, "schl\u{fc}ssel"] {
        let Some(mut wire) = wire::open().await else {
            return;
        };
        let header = format!("idempotency-key: {key}\r\n");
        wire.send(storing(&namespace, &header)).await;
        let answer = wire.answer().await.expect("an answer");
        let problem = answer.value();
        assert_eq!(answer.status, 400, "{problem}");
        assert_eq!(
            problem["type"],
            "https://kubernaut.io/problems/validation-error"
        );
        assert_eq!(problem["field"], "Idempotency-Key");
    }
    let mut wire = wire::open().await.expect("a connection");
    wire.send(storing(
        &namespace,
        "idempotency-key: a\r\nidempotency-key: b\r\n",
    ))
    .await;
    let answer = wire.answer().await.expect("an answer");
    assert_eq!(answer.status, 400, "{answer:?}");
    assert_eq!(client.count("execution", &namespace).await, 0);

    let longest = format!("{}{}", fresh("key"), "k".repeat(255));
    wire.send(storing(
        &namespace,
        &format!("idempotency-key: {}\r\n", &longest[..255]),
    ))
    .await;
    assert_eq!(wire.answer().await.expect("an answer").status, 201);
}

#[tokio::test]
async fn a_header_that_is_not_utf8_does_no_harm() {
    let namespace = fresh("latin");
    let Some(mut wire) = wire::open().await else {
        return;
    };
    let whole = storing(&namespace, "idempotency-key: KEY\r\n");
    let (before, after) = whole.split_once("KEY").expect("a place");
    wire.send([before.as_bytes(), b"\xfc", after.as_bytes()].concat())
        .await;
    // Spin does not pass such a request on and answers with a bare 500.
    let answer = wire.answer().await.expect("an answer");
    let by_spin = answer.status == 500 && answer.value().is_null();
    assert!(by_spin || answer.status == 400, "{answer:?}");
    assert_served().await;
    assert_eq!(client().count("execution", &namespace).await, 0);
}
