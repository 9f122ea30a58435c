//! What the service remembers of callers, for how long, and what it does not believe.

use std::time::{Duration, SystemTime};

use api_server::{Account, Token};
use chrono::{DateTime, Utc};
use host::{ReuseLimits, Span};
use patience::{Deadline, until, until_found};

use crate::guarded::{Guarded, READ, table};
use crate::support::api_server::account;
use crate::targets::assert_unknown;

/// A service each of whose requests has an instance of its own: what is known is in the store.
async fn forgetful() -> Guarded {
    let limits = ReuseLimits {
        requests: Span::One(1),
        ..ReuseLimits::default()
    };
    let permissions = table(&[("reader", &["read"])]);
    Guarded::with_limits(&[("permissions", &permissions)], limits).await
}

/// An account that may read, whose tokens end after this time.
fn short_lived(lifetime: Duration) -> Account {
    Account {
        expires: Some(SystemTime::now() + lifetime),
        ..account("reader")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_has_expired_is_refused_without_asking() {
    let guarded = Guarded::start(&[("reader", &["read"])]).await;
    let past = Account {
        expires: Some(SystemTime::now() - Duration::from_secs(1)),
        ..account("reader")
    };
    let server = &guarded.cluster.server;
    for token in [server.issue(&past), Token::forged(&past)] {
        assert_unknown(&guarded.stranger.with_token(&token).get(READ).await);
    }
    assert_eq!(server.counts().token_reviews, 0);
    // One that never ends is asked about.
    let endless = server.issue(&Account {
        expires: None,
        ..account("reader")
    });
    let client = guarded.stranger.with_token(&endless);
    assert_eq!(client.get(READ).await.status, 200);
    guarded.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_known_token_is_believed_until_it_ends() {
    let guarded = Guarded::start(&[("reader", &["read"])]).await;
    let server = &guarded.cluster.server;
    // On a slow machine two seconds are over before the first answer.
    let mut lifetime = Duration::from_secs(1);
    let token = until_found("a token that is accepted", async || {
        lifetime *= 2;
        let token = server.issue(&short_lived(lifetime));
        let answer = guarded.stranger.with_token(&token).get(READ).await;
        (answer.status == 200).then_some(token)
    })
    .await;
    let client = guarded.stranger.with_token(&token);
    let deadline = Deadline::start();
    loop {
        let answer = client.get(READ).await;
        if answer.status != 200 {
            assert_unknown(&answer);
            break;
        }
        deadline.pause("the token is refused").await;
    }
    // The instances that share it may have asked before it was in the store, but not afterwards.
    let reviews = server.reviews_of(&token);
    assert_unknown(&client.get(READ).await);
    assert_eq!(server.reviews_of(&token), reviews);
    guarded.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_identity_is_kept_for_a_minute_and_no_longer_than_its_token() {
    let guarded = Guarded::start(&[("reader", &["read"]), ("brief", &["read"])]).await;
    let before = Utc::now();
    guarded.known("reader").await;
    let until_of = |name: &str| {
        let entry = guarded.remembered(name).expect("an entry");
        let until = entry["until"].as_i64().expect("a time");
        DateTime::from_timestamp_millis(until).expect("a time")
    };
    let longest = Utc::now() + chrono::Duration::minutes(1);
    assert!(until_of("reader") > before && until_of("reader") <= longest);

    let brief = Account {
        expires: Some(SystemTime::now() + Duration::from_secs(45)),
        ..account("brief")
    };
    let end = DateTime::<Utc>::from(brief.expires.expect("an end"));
    let client = guarded
        .stranger
        .with_token(guarded.cluster.server.issue(&brief));
    client.get(READ).await.expect(200);
    until("the identity is kept", async || {
        guarded.remembered("brief").is_some()
    })
    .await;
    assert!(until_of("brief") <= end);
    guarded.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_token_works_while_it_is_remembered_and_no_longer() {
    let guarded = forgetful().await;
    let token = guarded.known("reader").await;
    let client = guarded.stranger.with_token(&token);
    guarded.cluster.server.revoke(&token);
    assert_eq!(client.get(READ).await.status, 200);
    guarded.change_store("DELETE FROM spin_key_value").await;
    assert_unknown(&client.get(READ).await);
    guarded.stop().await;
}

/// Neither garbage, nor what is over, nor what lies further ahead than anything that was found out now.
#[tokio::test(flavor = "multi_thread")]
async fn the_store_is_not_believed_blindly() {
    let guarded = forgetful().await;
    let token = guarded.known("reader").await;
    let client = guarded.stranger.with_token(&token);
    let server = &guarded.cluster.server;
    let now = "CAST(1000 * (julianday('now') - 2440587.5) * 86400 AS INTEGER)";
    for value in [
        "CAST('' AS BLOB)".to_owned(),
        "CAST('{}' AS BLOB)".to_owned(),
        "CAST('{\"value\":null,\"until\":1e99}' AS BLOB)".to_owned(),
        format!("CAST(json_set(CAST(value AS TEXT), '$.until', {now}) AS BLOB)"),
        format!("CAST(json_set(CAST(value AS TEXT), '$.until', {now} + 3600000) AS BLOB)"),
    ] {
        // As a caller leaves it.
        let reviews = server.reviews_of(&token);
        guarded
            .change_store(&format!("UPDATE spin_key_value SET value = {value}"))
            .await;
        client.get(READ).await.expect(200);
        assert_eq!(server.reviews_of(&token), reviews + 1, "{value}");
        until("the identity is kept anew", async || {
            guarded.remembered("reader").is_some_and(|entry| {
                let left =
                    entry["until"].as_i64().unwrap_or_default() - Utc::now().timestamp_millis();
                (1..=60_000).contains(&left)
            })
        })
        .await;
    }
    guarded.stop().await;
}
