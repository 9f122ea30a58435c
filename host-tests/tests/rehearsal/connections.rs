//! Somebody else takes all connections that PostgreSQL has to give.

use database::connect;
use patience::until;
use tokio_postgres::Client as Session;
use url::Url;

use crate::load::{Load, STORE};
use crate::primary::{self, DATABASE, setting, until_ready, variables};
use crate::support::payloads::{fresh, remediation};
use crate::support::service::start_host;

/// How many connections there are for roles that are no superusers, of 20.
const CONNECTIONS: i64 = 17;

#[tokio::test(flavor = "multi_thread")]
async fn without_a_connection_to_spare_the_service_says_so_and_comes_back() {
    let settings = [
        setting("max_connections", "20"),
        setting("superuser_reserved_connections", "3"),
    ];
    let server = primary::start(&settings).await;
    let url = server.url(DATABASE);
    let owner = connect(&url).await.unwrap();
    owner.batch_execute(ROLES).await.unwrap();

    let crowd = take_all(&owner, &of_role(&url, "somebody")).await;
    let host = start_host(variables(&of_role(&url, "service"))).await;
    let client = host.client();
    client.get("/health").await.expect(200);
    client.get("/ready").await.expect(503);
    let list = client.get("/api/v1/query/remediation").await;
    let post = client
        .post(STORE, &remediation(&fresh("crowd"), &fresh("rr")))
        .await;
    for answer in [list, post] {
        answer.problem(503, "service-unavailable");
        assert_eq!(answer.header("retry-after"), Some("1"));
    }
    let log = host.log();
    assert!(
        log.contains("the database has no connection to spare"),
        "{log}"
    );
    // Its answers within their limits are a matter of the load.
    let load = Load::start(std::slice::from_ref(&client)).await;
    load.is_refused().await;
    drop(crowd);
    until_ready(&client).await;
    load.goes_on(100).await;

    // Once more, while the service has connections of its own: it goes on with these.
    let crowd = take_all(&owner, &of_role(&url, "somebody")).await;
    load.goes_on(100).await;
    drop(crowd);
    until_ready(&client).await;
    load.goes_on(100).await;
    let written = load.stop().await;
    written.is_stored(&client).await;
    written.is_recognised(&client).await;
    host.stop().await;
}

/// The service's role has what docs/operations.md says that it needs.
const ROLES: &str = "
    CREATE ROLE somebody LOGIN PASSWORD 'x';
    CREATE ROLE service LOGIN PASSWORD 'x';
    GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO service;
    GRANT USAGE ON SEQUENCE audit_id_sequence TO service;
    GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO service";

fn of_role(url: &str, role: &str) -> String {
    let mut url = Url::parse(url).unwrap();
    url.set_username(role).unwrap();
    url.set_password(Some("x")).unwrap();
    url.into()
}

/// Opens connections until there is none left.
async fn take_all(owner: &Session, url: &str) -> Vec<Session> {
    let mut taken = Vec::new();
    // Of some that were given back, PostgreSQL learns later.
    until("all connections are taken", async || {
        while let Ok(session) = connect(url).await {
            taken.push(session);
        }
        let count = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'";
        owner.query_one(count, &[]).await.unwrap().get::<_, i64>(0) >= CONNECTIONS
    })
    .await;
    taken
}
