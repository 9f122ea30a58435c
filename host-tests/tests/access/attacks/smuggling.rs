//! Requests whose end two readers would see in different places. A second request that one of them sees within the first is
//! served as nobody's, or not at all.

use super::start;
use crate::guarded::READ;
use crate::support::api_server::bearer;
use crate::support::wire::Wire;

/// What shows that the connection is in step.
const LAST: &str = "GET /healthz HTTP/1.1\r\nhost: x\r\nx-request-id: the-last-one\r\n\r\n";

/// The request that is hidden within another one.
fn hidden() -> String {
    format!("GET {READ} HTTP/1.1\r\nhost: x\r\nx-request-id: hidden\r\n\r\n")
}

/// A body that ends at once for who reads chunks.
const AT_ONCE: &str = "0\r\n\r\nHIDDEN";
/// A body for who reads lengths.
const PLAIN: &str = "HIDDEN";

/// Lines of a head that say in two ways how long the body is, or in none, and the body. `HIDDEN` stands for the hidden request,
/// `CHUNK` for its length in hexadecimal digits, `LENGTH` for the length of the body.
const SHAPES: [(&str, &str, &str); 22] = [
    (
        "a length and chunks",
        "content-length: LENGTH\r\ntransfer-encoding: chunked",
        AT_ONCE,
    ),
    (
        "chunks and a length",
        "transfer-encoding: chunked\r\ncontent-length: LENGTH",
        AT_ONCE,
    ),
    (
        "a length that ends early, and chunks",
        "content-length: 3\r\ntransfer-encoding: chunked",
        "CHUNK\r\nHIDDEN\r\n0\r\n\r\n",
    ),
    (
        "two lengths",
        "content-length: 0\r\ncontent-length: LENGTH",
        PLAIN,
    ),
    (
        "two lengths, the longer one first",
        "content-length: LENGTH\r\ncontent-length: 0",
        PLAIN,
    ),
    (
        "two lengths in one line",
        "content-length: 0, LENGTH",
        PLAIN,
    ),
    ("a length with a sign", "content-length: +LENGTH", PLAIN),
    ("a length below zero", "content-length: -1", PLAIN),
    ("a length in another base", "content-length: 0xCHUNK", PLAIN),
    (
        "a length beyond all numbers",
        "content-length: 18446744073709551616",
        PLAIN,
    ),
    (
        "chunked twice in one line",
        "transfer-encoding: chunked, chunked",
        AT_ONCE,
    ),
    (
        "chunked twice",
        "transfer-encoding: chunked\r\ntransfer-encoding: chunked",
        AT_ONCE,
    ),
    (
        "chunked, then not",
        "transfer-encoding: chunked, identity",
        AT_ONCE,
    ),
    ("another encoding", "transfer-encoding: xchunked", AT_ONCE),
    (
        "chunked behind a tab",
        "transfer-encoding:\tchunked\r\ncontent-length: 3",
        AT_ONCE,
    ),
    (
        "a blank before the colon",
        "transfer-encoding : chunked\r\ncontent-length: LENGTH",
        AT_ONCE,
    ),
    (
        "a folded line",
        "x-folded: a\r\n transfer-encoding: chunked",
        AT_ONCE,
    ),
    (
        "a folded encoding",
        "transfer-encoding:\r\n chunked\r\ncontent-length: LENGTH",
        AT_ONCE,
    ),
    (
        "a line that ends in a line feed alone",
        "x-a: b\ntransfer-encoding: chunked\r\ncontent-length: LENGTH",
        AT_ONCE,
    ),
    (
        "a carriage return alone within a line",
        "x-a: b\rtransfer-encoding: chunked\r\ncontent-length: LENGTH",
        AT_ONCE,
    ),
    (
        "a chunk whose length is none",
        "transfer-encoding: chunked",
        "0x0\r\n\r\nHIDDEN",
    ),
    (
        "a chunk whose length is beyond all numbers",
        "transfer-encoding: chunked",
        "10000000000000000\r\nHIDDEN",
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_hidden_request_is_nobodys() {
    let guarded = start().await;
    let good = bearer(&guarded.cluster.token("admin"));
    let hidden = hidden();
    let mut found = 0;
    for (name, head, body) in SHAPES {
        let chunk = format!("{:x}", hidden.len());
        let body = body.replace("CHUNK", &chunk).replace("HIDDEN", &hidden);
        let length = body.len().to_string();
        let head = head.replace("CHUNK", &chunk).replace("LENGTH", &length);
        let mut wire = Wire::open(guarded.service.host.addr()).await;
        wire.send(format!(
            "POST /api/v1/store/workflow HTTP/1.1\r\nhost: x\r\nauthorization: {good}\r\n\
             content-type: application/json\r\n{head}\r\n\r\n{body}{LAST}"
        ))
        .await;
        let mut answers = wire.answers_until("the-last-one").await;
        // In step, or at an end.
        if answers
            .last()
            .is_some_and(|last| last.text().contains("the-last-one"))
        {
            answers.pop();
        }
        for answer in answers {
            assert!(answer.status >= 400, "{name}: {answer:?}");
            if answer.text().contains("hidden") {
                assert_eq!(answer.status, 401, "{name}: {answer:?}");
                found += 1;
            }
        }
    }
    assert!(found > 0, "no hidden request was ever seen");
    // What the hidden request asks for is there for whoever asks openly.
    let client = guarded.caller("admin");
    client.get(READ).await.expect(200);
    guarded.stop().await;
}

/// The body of a request that needs none is not the next request.
#[tokio::test(flavor = "multi_thread")]
async fn a_body_is_no_request() {
    let guarded = start().await;
    let good = bearer(&guarded.cluster.token("admin"));
    let hidden = hidden();
    for (method, path) in [
        ("GET", "/healthz"),
        ("GET", READ),
        ("DELETE", "/api/v1/store/workflow/1"),
        ("OPTIONS", READ),
    ] {
        let mut wire = Wire::open(guarded.service.host.addr()).await;
        wire.send(format!(
            "{method} {path} HTTP/1.1\r\nhost: x\r\nauthorization: {good}\r\ncontent-length: {}\r\n\r\n{hidden}{LAST}",
            hidden.len()
        ))
        .await;
        let answers = wire.answers_until("the-last-one").await;
        let bodies = answers
            .iter()
            .filter(|answer| answer.text().contains("hidden"));
        assert_eq!(bodies.count(), 0, "{method} {path}: {answers:?}");
        assert!(answers.len() <= 2, "{method} {path}: {answers:?}");
    }
    guarded.stop().await;
}
