//! Tokens in other places and of other forms.

use api_server::Token;
use http::Method;

use super::start;
use crate::guarded::{READ, get_with};
use crate::support::api_server::{account, bearer};
use crate::support::wire::Wire;
use crate::targets::assert_unknown;

#[tokio::test(flavor = "multi_thread")]
async fn a_token_counts_in_one_place_only() {
    let guarded = start().await;
    let token = guarded.cluster.token("reader");
    let (text, good) = (token.as_str(), bearer(&token));
    for parameter in [
        "access_token",
        "token",
        "authorization",
        "Authorization",
        "bearer",
        "id_token",
    ] {
        let path = format!("{READ}&{parameter}={text}");
        assert_unknown(&guarded.stranger.get(&path).await);
    }
    for (name, value) in [
        (
            "cookie",
            format!("token={text}; access_token={text}; session={text}"),
        ),
        ("cookie", format!("Authorization={good}")),
        ("proxy-authorization", good.clone()),
        ("www-authenticate", good.clone()),
        ("x-authorization", good.clone()),
        ("x-api-key", text.to_owned()),
        ("x-auth-token", text.to_owned()),
        ("x-access-token", text.to_owned()),
        (
            "sec-websocket-protocol",
            format!("base64url.bearer.authorization.k8s.io.{text}"),
        ),
        ("authorization", text.to_owned()),
        ("authorization", format!("Basic {text}")),
        ("authorization", format!("Token {text}")),
        ("authorization", format!("JWT {text}")),
        ("authorization", format!("Bearer={text}")),
        ("authorization", format!("Bearer\t{text}")),
        ("authorization", format!("Bearer \"{text}\"")),
        ("authorization", format!("Bearer token=\"{text}\"")),
        ("authorization", format!("Negotiate {text}")),
    ] {
        let answer = get_with(&guarded.stranger, READ, &[(name, &value)]).await;
        assert_eq!(answer.status, 401, "{name}");
        assert_unknown(&answer);
    }
    // Nor in a form, as OAuth 2 allows it.
    let headers = [("content-type", "application/x-www-form-urlencoded")];
    let form = format!("access_token={text}");
    let path = "/api/v1/query/semantic";
    assert_unknown(
        &guarded
            .stranger
            .send(Method::POST, path, &headers, form)
            .await,
    );
    assert_eq!(guarded.cluster.server.counts().token_reviews, 0);
    guarded.stop().await;
}

/// The scheme's letter case does not matter, nor do blanks around the token.
#[tokio::test(flavor = "multi_thread")]
async fn the_scheme_is_bearer_in_any_letter_case() {
    let guarded = start().await;
    let token = guarded.cluster.token("reader");
    for scheme in ["Bearer", "bearer", "BEARER", "bEaReR", "Bearer  "] {
        let value = format!("{scheme} {}", token.as_str());
        let answer = get_with(&guarded.stranger, READ, &[("authorization", &value)]).await;
        assert_eq!(answer.status, 200, "{scheme}");
    }
    guarded.stop().await;
}

/// Heads of tokens with other algorithms than that of the good ones.
const HEADS: [(&str, &str); 6] = [
    ("none", "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0"),
    ("None", "eyJhbGciOiJOb25lIiwidHlwIjoiSldUIn0"),
    ("NONE", "eyJhbGciOiJOT05FIiwidHlwIjoiSldUIn0"),
    ("nOnE", "eyJhbGciOiJuT25FIiwidHlwIjoiSldUIn0"),
    ("HS256", "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9"),
    ("no name", "eyJhbGciOiIiLCJ0eXAiOiJKV1QifQ"),
];

/// The head of a good one, `{"alg":"RS256"}`.
const HEAD: &str = "eyJhbGciOiJSUzI1NiJ9";

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_nobody_signed_is_refused() {
    let guarded = start().await;
    let good = guarded.cluster.token("reader");
    let parts: Vec<_> = good.as_str().split('.').collect();
    let [_, payload, signature] = parts[..] else {
        panic!("a token of three parts");
    };
    for (algorithm, head) in HEADS {
        for signature in ["", signature, "eA"] {
            let token = format!("{head}.{payload}.{signature}");
            let answer = guarded.stranger.with_token(token).get(READ).await;
            assert_eq!(answer.status, 401, "{algorithm}");
        }
    }
    // The payload of somebody else under a good signature.
    let forged = Token::forged(&account("admin"));
    let other = forged.as_str().split('.').nth(1).expect("a payload");
    for token in [
        format!("{}.{other}.{signature}", parts[0]),
        format!("{}.{payload}", parts[0]),
        format!("{payload}.{signature}"),
        format!("{}.{payload}.{signature}.{signature}", parts[0]),
        format!("{}.{payload}.{signature}=", parts[0]),
        format!("{}.{payload}.{}", parts[0], signature.to_uppercase()),
        format!("{}..{signature}", parts[0]),
        "..".to_owned(),
        "a.b.c".to_owned(),
    ] {
        assert_unknown(&guarded.stranger.with_token(token).get(READ).await);
    }
    guarded
        .stranger
        .with_token(&good)
        .get(READ)
        .await
        .expect(200);
    guarded.stop().await;
}

/// A token of a form that takes long to read, or that no memory holds, is refused before anybody is asked.
#[tokio::test(flavor = "multi_thread")]
async fn a_huge_token_is_refused() {
    let guarded = start().await;
    // `{"x":"xxx…"}`.
    let sized = |size: usize| format!("{HEAD}.eyJ4Ijoi{}In0.c2lnbmF0dXJl", "eHh4".repeat(size / 4));
    // `[[[…`.
    let nested = "W1tb".repeat(1_500);
    for token in [
        sized(8 * 1024),
        sized(100 * 1024),
        format!("{HEAD}.{nested}.c2lnbmF0dXJl"),
        ".".repeat(8_000),
        "a".repeat(64 * 1024),
    ] {
        assert_unknown(&guarded.stranger.with_token(token).get(READ).await);
    }
    for size in [500 * 1024, 1024 * 1024] {
        let mut wire = Wire::open(guarded.service.host.addr()).await;
        let token = sized(size);
        wire.send(format!(
            "GET {READ} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\r\n"
        ))
        .await;
        // The host hangs up on a client that still sends.
        if let Some(answer) = wire.answer().await {
            assert!([401, 431].contains(&answer.status), "{size}: {answer:?}");
        }
    }
    assert_eq!(guarded.cluster.server.counts().token_reviews, 0);
    guarded.stop().await;
}
