//! The release before this one, commit 3757e32: its schema, and the statements of its service.

use database::TestDatabase;
use tokio_postgres::Client;

/// A primary as that release made it.
pub(crate) async fn primary() -> TestDatabase {
    made_by(include_str!("primary.sql")).await
}

/// A vector database as that release made it.
pub(crate) async fn vector_db() -> TestDatabase {
    made_by(include_str!("vector_db.sql")).await
}

async fn made_by(sql: &str) -> TestDatabase {
    let database = TestDatabase::create_empty().await;
    let sql = sql
        .replace("{{embedding_dimensions}}", "384")
        .replace("{{sketch_type}}", "halfvec")
        .replace(
            "{{sketch_of_embedding}}",
            "l2_normalize(embedding)::halfvec",
        );
    let client = database.client().await;
    client.batch_execute(&sql).await.expect("the old schema");
    database
}

/// A role that owns nothing and has the privileges that docs/operations.md of that release lists, in the database of
/// `owner`. Returns the URL with which it connects to `url`'s database.
pub(crate) async fn service_role(owner: &Client, url: &str) -> String {
    let role = "DO $$ BEGIN CREATE ROLE audit_service LOGIN PASSWORD 'service'; EXCEPTION
                WHEN duplicate_object OR unique_violation THEN NULL; END $$";
    owner.batch_execute(role).await.expect("a role");
    let grants =
        "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO audit_service;
                  GRANT USAGE ON SEQUENCE audit_id_sequence TO audit_service;
                  REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA public FROM PUBLIC;
                  GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO audit_service";
    owner.batch_execute(grants).await.expect("privileges");
    let mut url = url::Url::parse(url).expect("a URL");
    url.set_username("audit_service").expect("a user");
    url.set_password(Some("service")).expect("a password");
    url.into()
}

/// Every statement of that release's components about the primary, with values in place of parameters. `{vector}` is a
/// vector, `{id}` the id of a remediation.
pub(crate) const STATEMENTS: [&str; 24] = [
    "SELECT max(version) = 9 AND 9 >= 8 FROM schema_migration",
    "SELECT value = '384' FROM audit_setting WHERE name = 'embedding_dimensions'",
    "SELECT audit_write('[]'::text::jsonb, true, true) IS NOT NULL",
    "SELECT audit_patch('remediation', {id}, '{\"hash\":\"\\\\xaa\",\"columns\":{},\"document\":{}}'::text::jsonb, NULL, true) \
        LIKE '{\"outcome\":\"unchanged\"%'",
    "SELECT audit_get('remediation', {id}) LIKE '{\"kind\":\"remediation\"%'",
    "SELECT audit_versions('remediation', {id}) LIKE '{\"kind\":\"remediation\"%'",
    "SELECT audit_incident({id}) LIKE '{\"id\"%'",
    "SELECT audit_list('audits', 'remediation', '{}'::text::jsonb, NULL, 10, 0) LIKE '{\"audits\"%'",
    "SELECT audit_timeline('nobody', 100, 0) LIKE '{\"correlation_id\"%'",
    "SELECT audit_search('{vector}', 'm', '{}'::text::jsonb, 5, NULL, 100) LIKE '{\"results\":[{%'",
    "SELECT audit_similar('remediation', {id}, '{}'::text::jsonb, 5, NULL, 100) LIKE '%\"results\":%'",
    "SELECT coalesce(audit_search_among('[]'::text::jsonb, '{vector}', 'm', NULL::text::jsonb, 5, NULL), '') IS NOT NULL",
    "SELECT audit_ensure_partitions()::text = '0'",
    "SELECT audit_chores('other') LIKE 'embed%'",
    "SELECT coalesce(audit_embedding_claim('m', '15 seconds')::text, '[') LIKE '[%'",
    "SELECT audit_embed('[]'::text::jsonb, true)::text = '0'",
    "SELECT coalesce(audit_embedding_conclude(true, '1 second', 64)::text, '') = ''",
    "SELECT audit_move_tail(1)::text IN ('0', '1')",
    "SELECT coalesce(audit_outbox_claim(200, '0 seconds'), '[') LIKE '[%'",
    "SELECT coalesce(audit_outbox_return('[]'::text::jsonb, '1 second')::text, '') = ''",
    "SELECT coalesce(audit_outbox_done('[]'::text::jsonb)::text, '') = ''",
    "SELECT coalesce(audit_outbox_of('remediation', '[{id}]'::text::jsonb), '[') LIKE '[%'",
    "SELECT audit_outbox_lacks('[1]'::text::jsonb) = '[1]'",
    "SELECT audit_reserve_ids(2) LIKE '[%,%]'",
];

/// The same about the vector database.
pub(crate) const VECTOR_DB_STATEMENTS: [&str; 6] = [
    "SELECT max(version)::text >= '1' FROM schema_migration",
    "SELECT coalesce(audit_embeddings_intend('[{\"id\": 7, \"kind\": \"remediation\", \"model\": \"m\"}]'::text::jsonb)::text, '') = ''",
    "SELECT audit_intents_older('0 seconds') = '[7]'",
    "SELECT coalesce(audit_intents_drop('[7]'::text::jsonb)::text, '') = ''",
    "SELECT coalesce(audit_embeddings_apply('[]'::text::jsonb)::text, '') = ''",
    "SELECT audit_embeddings_nearest('{vector}', 'm', NULL::text::jsonb, 5, 100) LIKE '[{%'",
];
