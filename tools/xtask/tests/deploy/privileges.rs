//! What the databases of `deploy/` are begun with, on a real PostgreSQL: the owner can migrate, and the service has exactly what it needs.

use database::{MigrateOptions, TestDatabase, connect, migrate, migrate_vector_db};
use url::Url;

use crate::Faults;
use crate::documents::{Documents, list};

/// What the connected user lacks a right to, a row each. `CASE`, because PostgreSQL may ask what comes after `AND` first.
const LACKING: &str = "
    SELECT relname::text
    FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND NOT CASE
        WHEN relkind IN ('r', 'p') THEN has_table_privilege(oid, 'SELECT') AND has_table_privilege(oid, 'INSERT')
            AND has_table_privilege(oid, 'UPDATE') AND has_table_privilege(oid, 'DELETE')
        WHEN relkind IN ('v', 'm') THEN has_table_privilege(oid, 'SELECT')
        WHEN relkind = 'S' THEN has_sequence_privilege(oid, 'USAGE')
        ELSE true
    END
    UNION ALL
    SELECT proname::text
    FROM pg_proc
    WHERE pronamespace = 'public'::regnamespace AND NOT has_function_privilege(oid, 'EXECUTE')";

/// A user of a test's own, because users belong to the whole server.
struct User {
    name: String,
    url: String,
}

impl User {
    fn new(name: String, database: &TestDatabase) -> Self {
        let mut url = Url::parse(database.url()).expect("a URL");
        url.set_username(&name).expect("a user");
        url.set_password(Some("secret")).expect("a password");
        Self {
            name,
            url: url.into(),
        }
    }
}

/// Does with a database what `CloudNativePG` does with a Cluster, and gives its owner and the service's user.
async fn begin(documents: &Documents, cluster: &str, database: &TestDatabase) -> (User, User) {
    let cluster = documents.find("Cluster", cluster).expect("a Cluster");
    let initdb = &cluster["spec"]["bootstrap"]["initdb"];
    let unique = format!(
        "{}_{}",
        Url::parse(database.url())
            .expect("a URL")
            .path()
            .trim_start_matches('/'),
        std::process::id()
    );
    let owner = User::new(format!("owner_{unique}"), database);
    let service = User::new(format!("service_{unique}"), database);

    let client = database.client().await;
    let superuser = async |sql: String| {
        let done = client.batch_execute(&sql).await;
        done.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    };
    superuser(format!(
        "CREATE ROLE {} LOGIN PASSWORD 'secret'",
        owner.name
    ))
    .await;
    let own = "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I OWNER TO ";
    superuser(format!("{own}{}', current_database()); END $$", owner.name)).await;
    for sql in list(&initdb["postInitApplicationSQL"]) {
        let words = sql.as_str().expect("a statement").split(' ');
        let words = words.map(|word| match word {
            "audit_owner" => owner.name.as_str(),
            "audit" => service.name.as_str(),
            other => other,
        });
        superuser(words.collect::<Vec<_>>().join(" ")).await;
    }
    // Of `managed.roles`.
    superuser(format!(
        "ALTER ROLE {} LOGIN PASSWORD 'secret'",
        service.name
    ))
    .await;
    (owner, service)
}

/// What is wrong with the service's rights: it uses everything, and makes nothing.
async fn faults(service: &User) -> Faults {
    let client = connect(&service.url).await.expect("the service connects");
    let lacking = client.query(LACKING, &[]).await.expect("an answer");
    let mut faults: Faults = lacking.iter().map(|row| row.get(0)).collect();
    if client
        .batch_execute("CREATE TABLE own (n int)")
        .await
        .is_ok()
    {
        faults.push("the service can make tables".to_owned());
    }
    faults
}

/// Users outlive the database.
async fn end(database: &TestDatabase, users: [User; 2]) {
    let client = database.client().await;
    for User { name, .. } in users {
        let sql = format!(
            "REASSIGN OWNED BY {name} TO CURRENT_USER; DROP OWNED BY {name}; DROP ROLE {name}"
        );
        client.batch_execute(&sql).await.expect("the user goes");
    }
}

#[tokio::test]
async fn the_service_may_use_the_database_that_the_owner_migrates() {
    let documents = Documents::of("everything");
    let database = TestDatabase::create_empty().await;
    let (owner, service) = begin(&documents, "audit-store-db", &database).await;
    let options = MigrateOptions::default();
    migrate(&owner.url, &options, |_| {})
        .await
        .expect("the owner migrates");
    assert_eq!(faults(&service).await, Faults::new());
    // Months that come later are the owner's too, whoever makes them.
    let client = connect(&service.url).await.expect("the service connects");
    let row = client
        .query_one("SELECT audit_ensure_partitions(12)", &[])
        .await
        .expect("months");
    assert!(row.get::<_, i32>(0) > 0, "no month was made");
    assert_eq!(faults(&service).await, Faults::new());
    drop(client);
    end(&database, [service, owner]).await;
}

#[tokio::test]
async fn the_service_may_use_the_database_of_vectors() {
    let documents = Documents::of("everything");
    let database = TestDatabase::create_empty().await;
    let (owner, service) = begin(&documents, "audit-store-vectors", &database).await;
    let options = MigrateOptions::default();
    migrate_vector_db(&owner.url, &options, |_| {})
        .await
        .expect("the owner migrates");
    assert_eq!(faults(&service).await, Faults::new());
    end(&database, [service, owner]).await;
}

#[tokio::test]
async fn rights_that_are_missing_or_too_many_are_found() {
    let mut documents = Documents::of("everything");
    let statements = "/spec/bootstrap/initdb/postInitApplicationSQL";
    documents.set(
        "Cluster",
        "audit-store-vectors",
        &format!("{statements}/2"),
        "GRANT CREATE ON SCHEMA public TO audit".into(),
    );
    let database = TestDatabase::create_empty().await;
    let (owner, service) = begin(&documents, "audit-store-vectors", &database).await;
    let options = MigrateOptions::default();
    migrate_vector_db(&owner.url, &options, |_| {})
        .await
        .expect("the owner migrates");
    let faults = faults(&service).await;
    assert!(
        faults
            .iter()
            .any(|fault| fault.contains("audit_embeddings")),
        "{faults:?}"
    );
    assert!(
        faults.contains(&"the service can make tables".to_owned()),
        "{faults:?}"
    );
    end(&database, [service, owner]).await;
}
