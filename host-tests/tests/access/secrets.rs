//! No token is in the log, in an answer, in the metrics, in a store or in the database.

use std::fs;
use std::path::Path;

use api_server::{Fault, Review, Token};
use http::Method;
use patience::until;
use serde_json::json;

use crate::guarded::{Guarded, READ, get_with, table};
use crate::support::api_server::{account, bearer};
use crate::support::payloads::{fresh, remediation, with, workflow};
use crate::support::provider::Provider;
use crate::support::service::embedded_by;
use crate::support::{Answer, Client};

/// Whatever was said, and what must not be in it.
#[derive(Default)]
struct Search {
    said: Vec<(String, Vec<u8>)>,
    secrets: Vec<String>,
}

impl Search {
    /// A token as a whole, and what is only its own: the payload and the signature, also the beginnings of the two.
    fn hide(&mut self, token: &Token) {
        let text = token.as_str();
        self.secrets.push(text.to_owned());
        for part in text.split('.').skip(1) {
            self.secrets.push(part.to_owned());
        }
        let signature = text.rsplit('.').next().expect("a signature");
        self.secrets.push(signature[..40].to_owned());
    }

    fn say(&mut self, what: impl Into<String>, bytes: impl Into<Vec<u8>>) {
        self.said.push((what.into(), bytes.into()));
    }

    fn hear(&mut self, answer: &Answer) {
        let said = format!("{:?}\n{}", answer.headers, answer.text());
        self.say("an answer", said);
    }

    /// The file and those that `SQLite` keeps beside it.
    fn read(&mut self, file: &Path) {
        let folder = file.parent().expect("a folder");
        let name = file
            .file_name()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        for entry in fs::read_dir(folder).expect("the folder") {
            let path = entry.expect("a file").path();
            if path
                .file_name()
                .is_some_and(|found| found.to_string_lossy().starts_with(&name))
            {
                self.say(path.display().to_string(), fs::read(path).expect("a file"));
            }
        }
    }

    fn assert_nothing_is_found(&self) {
        assert!(
            self.said.len() > 40,
            "only {} things were said",
            self.said.len()
        );
        for (what, said) in &self.said {
            for secret in &self.secrets {
                let found = said
                    .windows(secret.len())
                    .any(|bytes| bytes == secret.as_bytes());
                assert!(
                    !found,
                    "a token is in {what}: {}",
                    String::from_utf8_lossy(said)
                );
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_nowhere() {
    let provider = Provider::start().await;
    let url = provider.url();
    let permissions = table(&[("writer", &["write:workflow", "write:remediation", "read"])]);
    let more = [
        ("permissions", permissions.as_str()),
        ("log_level", "debug"),
        ("metrics_auth", "token"),
    ];
    let guarded = Guarded::with(&[&embedded_by(&url)[..], &more].concat()).await;
    let mut search = Search::default();
    let credential = guarded.cluster.server.issue_credential();
    guarded.cluster.mount(&credential);
    search.hide(&credential);

    let good = guarded.cluster.token("writer");
    let nobody = guarded.cluster.token("nobody");
    let forged = Token::forged(&account("writer"));
    for token in [&good, &nobody, &forged] {
        search.hide(token);
        let client = guarded.stranger.with_token(token);
        ask(&guarded, &client, token, &mut search).await;
    }
    fail(&guarded, &mut search).await;
    until("the identity is kept", async || {
        guarded.remembered("writer").is_some()
    })
    .await;
    let metrics = guarded.stranger.with_token(&good).get("/metrics").await;
    assert_eq!(metrics.status, 200);
    search.hear(&metrics);

    let database = guarded.service.database.client().await;
    let sql = "SELECT coalesce(string_agg(a::text, ' '), '') FROM audit AS a";
    let rows: String = database.query_one(sql, &[]).await.expect("rows").get(0);
    assert!(rows.contains("workflow"), "there are records: {rows}");
    search.say("the database", rows);
    let sql = "SELECT coalesce(string_agg(l::text, ' '), '') FROM audit_rate_limit AS l";
    let rows: String = database.query_one(sql, &[]).await.expect("rows").get(0);
    search.say("the rate limits", rows);
    search.say("the provider", provider.texts().join("\n"));
    let cache = guarded.service.host.key_value_file();
    until("the cache has an entry", async || cache.exists()).await;
    search.read(&cache);
    search.read(&guarded.store_file());
    let log = guarded.service.host.log();
    assert!(
        log.contains(&account("writer").user()),
        "callers are logged"
    );
    search.say("the log", log);
    guarded.stop().await;
    search.assert_nothing_is_found();
}

/// Requests that have the token wherever one might be, beside where it belongs.
async fn ask(guarded: &Guarded, client: &Client, token: &Token, search: &mut Search) {
    let text = token.as_str();
    let authorization = bearer(token);
    for headers in [
        [("x-request-id", text), ("x-correlation-id", text)],
        [("idempotency-key", text), ("traceparent", text)],
        [("authorization", text), ("cookie", text)],
        [("x-correlation-id", &authorization), ("x-token", text)],
        // Too long for an id.
        [
            ("x-request-id", &authorization),
            ("proxy-authorization", text),
        ],
    ] {
        search.hear(&get_with(client, READ, &headers).await);
        search.hear(&get_with(&guarded.stranger, READ, &headers).await);
        let body = workflow(&fresh("secret"), &fresh("word")).to_string();
        let json = ("content-type", "application/json");
        let headers = [&headers[..], &[json]].concat();
        let path = "/api/v1/store/workflow";
        search.hear(&client.send(Method::POST, path, &headers, body).await);
    }
    for path in [
        format!("{READ}&access_token={text}"),
        format!("{READ}&{text}=1"),
        format!("{READ}&namespace={text}"),
        format!("{READ}&cursor={text}"),
        format!("{READ}&severity={text}"),
        format!("/api/v1/query/remediation/{text}"),
        format!("/api/v1/query/{text}"),
        format!("/{text}"),
    ] {
        search.hear(&client.get(&path).await);
    }
    let said = json!({
        "alert_name": format!("used {text}"), "error_message": authorization.clone(),
        "metadata": {"headers": {"Authorization": authorization, "x": [text]}, "note": text}, "extra": text,
    });
    let body = with(&remediation(&fresh("secret"), &fresh("rr")), &said);
    search.hear(&client.post("/api/v1/store/remediation", &body).await);
    let question = json!({"query": format!("who used {text}")});
    search.hear(&client.post("/api/v1/query/semantic", &question).await);
    search.hear(&client.get(READ).await);
}

/// Answers of the API server that have the token in them, and those that nobody understands.
async fn fail(guarded: &Guarded, search: &mut Search) {
    let server = &guarded.cluster.server;
    for fault in [
        Fault::NotJson,
        Fault::OtherShape,
        Fault::Truncated,
        Fault::VerdictAsText,
        Fault::EmptyBody,
        Fault::CloseDuring,
        Fault::InternalError,
        Fault::Forbidden,
        Fault::Unauthorized,
        Fault::TooManyRequests(1),
    ] {
        server.fail(Review::Token, fault);
        let token = guarded.cluster.token("writer");
        search.hide(&token);
        let answer = guarded.stranger.with_token(&token).get(READ).await;
        assert_eq!(answer.status, 503, "{fault:?}");
        search.hear(&answer);
    }
    server.recover();
}
