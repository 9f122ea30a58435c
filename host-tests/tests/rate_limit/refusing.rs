//! Whom the limit is for, and what it costs.

use std::time::Duration;

use futures::future::join_all;
use http::Method;
use patience::{Deadline, until};

use crate::load::{BURST, Hosts, PATH, RATE, ask, send};

const READER: &str = "context-api-sa";

/// Counts the leases, those that are rolled back included.
const COUNTED: &str = "
    CREATE SEQUENCE leases;
    ALTER FUNCTION audit_lease RENAME TO audit_lease_uncounted;
    CREATE FUNCTION audit_lease(caller text, wanted bigint, per_second bigint, burst bigint) RETURNS text
    LANGUAGE sql
    AS $$ SELECT audit_lease_uncounted(caller, wanted, per_second, burst) FROM nextval('leases') $$";

/// Everything at once, so that it is over before the bucket has filled again.
async fn at_once(hosts: &Hosts, authorization: &str, number: u32) -> Vec<u16> {
    let client = &hosts.clients()[0];
    join_all((0..number).map(|_| ask(client, authorization))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_of_one_identity_share_its_limit_and_others_have_their_own() {
    let hosts = Hosts::start(1, 128).await;
    let (first, second) = (hosts.authorization(READER), hosts.authorization(READER));
    assert_ne!(first, second);
    let other = hosts.authorization("holmesgpt-api-sa");
    // Again while nobody is refused: a slow machine is not faster than the bucket fills.
    let deadline = Deadline::start();
    loop {
        deadline.check("another token of the same account is refused");
        at_once(&hosts, &first, 4 * BURST).await;
        // Fewer than a full bucket would take.
        if at_once(&hosts, &second, BURST / 2).await.contains(&429) {
            break;
        }
    }
    let statuses = at_once(&hosts, &other, BURST / 3).await;
    assert!(!statuses.contains(&429), "another account: {statuses:?}");
    hosts.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_and_failed_requests_count_and_health_does_not() {
    let hosts = Hosts::start(1, 128).await;
    let client = &hosts.clients()[0];
    let nobody = hosts.authorization("nobody-permitted-it");
    let deadline = Deadline::start();
    let mut refused = 0;
    loop {
        deadline.check("somebody is refused");
        let headers = [("authorization", nobody.as_str())];
        let all =
            join_all((0..4 * BURST).map(|_| client.send(Method::GET, PATH, &headers, ""))).await;
        let statuses: Vec<_> = all.iter().map(|answer| answer.status.as_u16()).collect();
        assert!(statuses.iter().all(|status| [403, 429].contains(status)));
        refused += statuses.iter().filter(|status| **status == 429).count();
        if refused > 0 {
            break;
        }
    }
    let refused = f64::from(u32::try_from(refused).expect("some"));
    let series = "datastorage_rate_limited_total";
    client.counted(series, refused..=refused).await;
    for path in ["/health", "/ready", "/metrics"] {
        let headers = [("authorization", nobody.as_str())];
        let all = join_all((0..BURST).map(|_| client.send(Method::GET, path, &headers, ""))).await;
        assert!(all.iter().all(|answer| answer.status == 200), "{path}");
    }
    hosts.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_over_its_limit_is_refused_without_a_statement() {
    let hosts = Hosts::start(1, 1_000).await;
    let authorization = hosts.authorization(READER);
    let database = hosts.database.client().await;
    database.batch_execute(COUNTED).await.expect("a counter");
    let outcome = send(&hosts, &authorization, RATE * 50, Duration::from_secs(2)).await;
    let leases = "SELECT last_value::integer FROM leases";
    let leases: i32 = database
        .query_one(leases, &[])
        .await
        .expect("a count")
        .get(0);
    let refused = outcome.refused * 2.0;
    assert!(refused > f64::from(leases), "{outcome:?}, {leases} leases");
    hosts.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_limiters_table_requests_pass_and_the_log_says_so() {
    let hosts = Hosts::start(1, 128).await;
    let authorization = hosts.authorization(READER);
    let database = hosts.database.client().await;
    database
        .batch_execute("DROP TABLE audit_rate_limit")
        .await
        .expect("a table to drop");
    for _ in 0..3 {
        let statuses = at_once(&hosts, &authorization, BURST).await;
        assert!(statuses.iter().all(|status| *status == 404), "{statuses:?}");
    }
    until("the log says so", async || {
        hosts.all[0].log().contains("a lease failed")
    })
    .await;
    let passed = f64::from(3 * BURST);
    let series = "datastorage_rate_limit_bypassed_total";
    hosts.clients()[0].counted(series, passed..=passed).await;
    hosts.stop().await;
}
