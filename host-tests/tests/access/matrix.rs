//! Every route asks for its permission, and for nothing else.

use futures::stream::{self, StreamExt};
use http::Method;
use patience::until_found;

use crate::guarded::{Guarded, READ, table};
use crate::support::Client;
use crate::targets::{Target, assert_forbidden, assert_passed, assert_unknown, targets};

/// Those that there are.
const PERMISSIONS: [&str; 8] = [
    "read",
    "write:remediation",
    "write:aianalysis",
    "write:workflow",
    "write:execution",
    "write:events",
    "hold",
    "admin",
];

/// As many as an instance takes at once.
const AT_ONCE: usize = 16;

/// Whoever sends requests.
struct Caller {
    client: Client,
    /// What it may do; nothing for somebody who may do nothing.
    permission: Option<&'static str>,
}

impl Caller {
    /// Whether it may do what `needed` stands for.
    fn may(&self, needed: &str) -> bool {
        self.permission == Some(needed)
            || (self.permission == Some("write:events") && needed == "read")
    }
}

/// The name of the account with only this permission.
fn account(permission: &str) -> String {
    format!("only-{}", permission.replace(':', "-"))
}

/// A service in which there is an account for each permission, and one with none.
async fn with_an_account_each() -> (Guarded, Vec<Caller>) {
    let rows: Vec<_> = PERMISSIONS
        .map(|permission| (account(permission), vec![permission]))
        .into_iter()
        .chain([("idle".to_owned(), Vec::new())])
        .collect();
    let rows: Vec<_> = rows
        .iter()
        .map(|(name, permissions)| (name.as_str(), permissions.as_slice()))
        .collect();
    let variables = [
        ("permissions", table(&rows)),
        ("metrics_auth", "token".to_owned()),
    ];
    let variables = variables
        .each_ref()
        .map(|(name, value)| (*name, value.as_str()));
    let guarded = Guarded::with(&variables).await;
    let mut callers: Vec<_> = PERMISSIONS
        .map(|permission| Caller {
            client: guarded.caller(&account(permission)),
            permission: Some(permission),
        })
        .into();
    // One with an empty row, and one without a row.
    for name in ["idle", "nobody"] {
        callers.push(Caller {
            client: guarded.caller(name),
            permission: None,
        });
    }
    (guarded, callers)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_asks_for_its_permission_alone() {
    let (guarded, callers) = with_an_account_each().await;
    let targets = targets();
    let attempts = targets
        .iter()
        .flat_map(|target| callers.iter().map(move |caller| (target, caller)));
    let passed: Vec<_> = stream::iter(attempts)
        .map(async |(target, caller)| attempt(target, caller).await)
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    for outcome in [true, false] {
        let count = passed.iter().filter(|passed| **passed == outcome).count();
        assert!(count > 50, "passed {outcome}: {count} times only");
    }
    let refused = passed.iter().filter(|passed| !**passed).count();
    let refused = f64::from(u32::try_from(refused).expect("some"));
    let series = "datastorage_auth_total{result=\"forbidden\"}";
    callers[0].client.counted(series, refused..=refused).await;
    guarded.stop().await;
}

/// Sends the request as this caller. Whether it passed.
async fn attempt(target: &Target, caller: &Caller) -> bool {
    let answer = target.send(&caller.client).await;
    match &target.needed {
        Some(needed) if !caller.may(needed) => {
            assert_forbidden(&answer, needed, target.method == Method::HEAD);
            false
        }
        _ => {
            assert_passed(&answer);
            true
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_open_routes_answer_without_a_token() {
    let guarded = Guarded::with(&[("metrics_auth", "token")]).await;
    let client = &guarded.stranger;
    stream::iter(targets())
        .for_each_concurrent(AT_ONCE, async |target| {
            let answer = target.send(client).await;
            match target.needed {
                None => assert_eq!(answer.status, 200, "{}", answer.request),
                Some(_) => assert_unknown(&answer),
            }
        })
        .await;
    assert_eq!(guarded.cluster.server.counts().token_reviews, 0);
    guarded.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_exist_is_nobodys_business() {
    let guarded = Guarded::start(&[]).await;
    let nobody = guarded.caller("nobody");
    for path in [
        "/api/v1/query/pods",
        "/api/v1/store/pods/1",
        "/api/v1/audit",
        "/api/v1/incidents/1/2",
        "/api/v1/query/semantic/x",
    ] {
        assert_unknown(&guarded.stranger.get(path).await);
        nobody.get(path).await.problem(404, "not-found");
    }
    for (method, path) in [
        (Method::PUT, "/api/v1/query/workflow"),
        (Method::GET, "/api/v1/store/workflow"),
        (Method::POST, "/api/v1/incidents/1"),
        (Method::GET, "/api/v1/query/semantic"),
    ] {
        let answer = guarded.stranger.send(method.clone(), path, &[], "").await;
        assert_unknown(&answer);
        let answer = nobody.send(method, path, &[], "").await;
        answer.problem(405, "method-not-allowed");
    }
    guarded.stop().await;
}

/// The table that holds while there is no other has Kubernaut's own accounts, in their namespace.
#[tokio::test(flavor = "multi_thread")]
async fn without_a_table_kubernauts_own_services_are_permitted() {
    let guarded = Guarded::with(&[]).await;
    let post = |kind: &str| Target {
        method: Method::POST,
        path: format!("/api/v1/store/{kind}"),
        needed: None,
    };
    let gateway = guarded.caller("gateway-sa");
    assert_passed(&post("remediation").send(&gateway).await);
    let answer = post("workflow").send(&gateway).await;
    assert_forbidden(&answer, "write:workflow", false);
    let reader = guarded.caller("context-api-sa");
    assert_passed(&reader.get("/api/v1/incidents").await);
    let answer = post("remediation").send(&reader).await;
    assert_forbidden(&answer, "write:remediation", false);
    let webhook = guarded.caller("authwebhook");
    assert_passed(&webhook.get("/api/v1/incidents").await);
    guarded.stop().await;
}

/// The words that clients read, as the API promises them.
#[tokio::test(flavor = "multi_thread")]
async fn refusals_have_the_words_that_clients_read() {
    let limit = [("rate_limit_rps", "1"), ("rate_limit_burst", "1")];
    let guarded = Guarded::with(&limit).await;
    let refused = guarded.stranger.get(READ).await;
    let forbidden = guarded.caller("nobody").get(READ).await;
    let hasty = guarded.caller("gateway-sa");
    let limited = until_found("the caller is over its limit", async || {
        let answer = hasty.get(READ).await;
        (answer.status == 429).then_some(answer)
    })
    .await;
    for (answer, slug, word) in [
        (refused, "unauthorized", "authentication_failed"),
        (forbidden, "forbidden", "authorization_failed"),
        (limited, "rate-limit-exceeded", "rate_limit_exceeded"),
    ] {
        let problem = answer.problem(answer.status.as_u16(), slug);
        assert_eq!(problem["error"], word, "{problem}");
    }
    guarded.stop().await;
}
