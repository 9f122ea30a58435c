//! The check that every suite relies on does find what is not described.

use http::header::{HeaderMap, HeaderName};
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::Answer;
use crate::support::openapi::{description, faults};

/// An answer as the service would give it to `GET /health`.
fn alive() -> Answer {
    answer(200, &json!({"status": "ok"}), "application/json")
}

fn answer(status: u16, body: &Value, media_type: &str) -> Answer {
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("content-type", media_type),
        ("x-request-id", "r-1"),
        ("x-correlation-id", "c-1"),
        ("allow", "GET, HEAD"),
        ("www-authenticate", "Bearer"),
        ("retry-after", "1"),
        ("x-ratelimit-remaining", "0"),
    ] {
        let name = HeaderName::from_static(name);
        headers.insert(name, value.parse().expect("a header"));
    }
    Answer {
        request: "a request".to_owned(),
        status: StatusCode::from_u16(status).expect("a status"),
        headers,
        body: body.to_string().into(),
    }
}

fn problem(status: u16, slug: &str) -> Answer {
    let body = json!({
        "type": format!("https://kubernaut.io/problems/{slug}"),
        "title": "A title",
        "status": status,
        "detail": "a detail",
        "instance": "/health",
        "error": slug.replace('-', "_"),
        "message": "a detail",
        "correlation_id": "c-1",
    });
    answer(status, &body, "application/problem+json")
}

/// A problem as the description shows it.
fn example(name: &str) -> Answer {
    let response = &description().document["components"]["responses"][name];
    let problem = &response["content"]["application/problem+json"]["example"];
    let status = problem["status"]
        .as_u64()
        .and_then(|status| status.try_into().ok());
    answer(
        status.expect("a status"),
        problem,
        "application/problem+json",
    )
}

fn found(method: &Method, path: &str, answer: &Answer) -> usize {
    faults(method, path, answer).len()
}

#[test]
fn what_is_described_has_no_faults() {
    assert_eq!(found(&Method::GET, "/health?x=1", &alive()), 0);
    let head = Answer {
        body: "".into(),
        ..alive()
    };
    assert_eq!(found(&Method::HEAD, "/health", &head), 0);
    let unknown = problem(404, "not-found");
    assert_eq!(found(&Method::GET, "/nowhere", &unknown), 0);
    assert_eq!(found(&Method::PUT, "/api/v1/store/bogus/1", &unknown), 0);
    let other_method = problem(405, "method-not-allowed");
    assert_eq!(found(&Method::PUT, "/health", &other_method), 0);
}

#[test]
fn who_is_not_known_hears_nothing_of_what_exists() {
    for refusal in &["Unauthorized", "RateLimitExceeded", "Unavailable"].map(example) {
        for path in [
            "/api/v1/query/bogus",
            "/api/v1/store/x?y=1",
            "//api/v1/audit/",
        ] {
            assert_eq!(found(&Method::GET, path, refusal), 0, "{path}");
        }
        assert_eq!(found(&Method::PUT, "/api/v1/query/workflow", refusal), 0);
        // Elsewhere nobody is asked.
        for path in ["/nowhere", "/api/v1", "/api/v1/queries", "/api/v1/events"] {
            assert_eq!(found(&Method::GET, path, refusal), 1, "{path}");
        }
        assert_eq!(found(&Method::PUT, "/metrics", refusal), 1);
    }
    // What does not exist needs no permission.
    let forbidden = example("Forbidden");
    assert_eq!(found(&Method::GET, "/api/v1/query/bogus", &forbidden), 1);
    assert_eq!(found(&Method::PUT, "/api/v1/query/workflow", &forbidden), 1);
    // Nor is anything but a problem an answer.
    let unknown = answer(401, &json!({}), "application/json");
    assert_ne!(found(&Method::GET, "/api/v1/query/bogus", &unknown), 0);
}

#[test]
fn an_undescribed_status_is_found() {
    let answer = Answer {
        status: StatusCode::ACCEPTED,
        ..alive()
    };
    assert_eq!(found(&Method::GET, "/health", &answer), 1);
    assert_eq!(found(&Method::GET, "/nowhere", &alive()), 1);
    assert_eq!(found(&Method::PUT, "/health", &alive()), 1);
    assert_eq!(found(&Method::GET, "/api/v1/query/bogus", &alive()), 1);
}

#[test]
fn an_undescribed_body_is_found() {
    for (body, media_type) in [
        (json!({"status": "ok", "more": 1}), "application/json"),
        (json!({}), "application/json"),
        (json!({"status": "fine"}), "application/json"),
        (json!({"status": "ok"}), "text/plain"),
    ] {
        let answer = answer(200, &body, media_type);
        assert_ne!(found(&Method::GET, "/health", &answer), 0, "{body}");
    }
    let mut extended = problem(404, "not-found");
    extended.body = extended.text().replace('{', r#"{"more":1,"#).into();
    assert_ne!(found(&Method::GET, "/nowhere", &extended), 0);
    let other_problem = problem(404, "conflict");
    assert_ne!(found(&Method::GET, "/nowhere", &other_problem), 0);
}

#[test]
fn an_undescribed_header_is_found() {
    for name in ["x-request-id", "x-correlation-id", "content-type"] {
        let mut answer = alive();
        answer.headers.remove(name);
        assert_eq!(found(&Method::GET, "/health", &answer), 1, "{name}");
    }
    let mut answer = problem(405, "method-not-allowed");
    answer
        .headers
        .insert("allow", "GET".parse().expect("a header"));
    assert_eq!(found(&Method::PUT, "/health", &answer), 1);
    answer.headers.remove("allow");
    assert_eq!(found(&Method::PUT, "/health", &answer), 1);
}
