//! A request to each route.

use http::Method;
use serde_json::json;

use crate::support::routes::{Access, KINDS, Row, rows};
use crate::support::{Answer, Client};

/// A request that is addressed right, with next to nothing in it.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) method: Method,
    pub(crate) path: String,
    /// What it asks for, where metrics are for readers; nothing if it is open.
    pub(crate) needed: Option<String>,
}

/// One to each route that callers reach, for each kind. Where `GET` is, there is `HEAD`.
pub(crate) fn targets() -> Vec<Target> {
    let reachable = rows().into_iter();
    let reachable = reachable.filter(|row| row.access != Access::Private);
    reachable.flat_map(|row| of_row(&row)).collect()
}

/// Those that ask for something.
pub(crate) fn guarded_targets() -> Vec<Target> {
    let mut targets = targets();
    targets.retain(|target| target.needed.is_some());
    targets
}

fn of_row(row: &Row) -> Vec<Target> {
    let kinds: &[&str] = if row.pattern.contains("{kind}") {
        &KINDS
    } else {
        &[""]
    };
    let methods: &[&str] = match row.method.as_str() {
        "GET" => &["GET", "HEAD"],
        other => &[other],
    };
    let mut targets = Vec::new();
    for kind in kinds {
        for method in methods {
            targets.push(Target {
                method: method.parse().expect("a method"),
                path: row
                    .pattern
                    .replace("{kind}", kind)
                    .replace("{id}", "1")
                    .replace("{correlation_id}", "req-4711"),
                needed: needed(row.access, kind),
            });
        }
    }
    targets
}

fn needed(access: Access, kind: &str) -> Option<String> {
    match access {
        Access::Open => None,
        Access::Metrics | Access::Read => Some("read".to_owned()),
        Access::WriteKind => Some(format!("write:{kind}")),
        Access::WriteEvents => Some("write:events".to_owned()),
        Access::Hold => Some("hold".to_owned()),
        Access::Admin => Some("admin".to_owned()),
        Access::Private => panic!("nobody reaches a private route"),
    }
}

impl Target {
    /// The same at another path.
    pub(crate) fn at(&self, path: String) -> Self {
        Self {
            path,
            ..self.clone()
        }
    }

    pub(crate) async fn send(&self, client: &Client) -> Answer {
        let method = self.method.clone();
        if method == Method::POST || method == Method::PATCH {
            return client.json(method, &self.path, &json!({})).await;
        }
        client.send(method, &self.path, &[], "").await
    }
}

/// Looks whether an answer says that exactly this permission is missing.
#[track_caller]
pub(crate) fn assert_forbidden(answer: &Answer, needed: &str, is_head: bool) {
    assert_eq!(answer.status, 403, "{}: {}", answer.request, answer.text());
    if is_head {
        return;
    }
    let problem = answer.problem(403, "forbidden");
    let detail = problem["detail"].as_str().expect("a detail");
    let named: Vec<_> = detail.split('`').skip(1).step_by(2).collect();
    assert_eq!(named, [needed], "{}: {detail}", answer.request);
}

/// Looks whether an answer says that nobody known calls.
#[track_caller]
pub(crate) fn assert_unknown(answer: &Answer) {
    assert_eq!(answer.status, 401, "{}: {}", answer.request, answer.text());
    assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
}

/// Looks whether an answer lets its caller pass, and nothing failed.
#[track_caller]
pub(crate) fn assert_passed(answer: &Answer) {
    let status = answer.status.as_u16();
    let stopped = [401, 403, 429].contains(&status) || status >= 500;
    assert!(!stopped, "{}: {status}: {}", answer.request, answer.text());
}
