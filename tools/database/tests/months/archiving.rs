//! Months that are being archived or restored, and what is noted about them.

use crate::{count, empty, fill, holds, refusal, run, step, steps};

const BEGIN: &str = "SELECT audit_archive_begin('remediation', '2025-03-01')";
const END: &str = "SELECT audit_archive_end('remediation', '2025-03-01', 30, 'aa')";

const KEEP: &str = r#"{"remediation": 1}"#;

/// Whether what the database notes says that the archive is the month.
const IS_ARCHIVED: &str = "audit_may_go('remediation', '2025-03-01', true)";

/// A record of the month that is just being written.
const WRITE: &str = "SELECT audit_write(jsonb_build_array(jsonb_build_object(
    'kind', 'remediation', 'id', audit_id_at('2025-03-20Z'), 'key', '\\x0a', 'content_hash', '\\x00', 'name', 'late',
    'name_is_stand_in', false, 'document', '{}'::jsonb)), true, false)";

fn restore_begin(sum: &str, other: bool) -> String {
    format!(
        "SELECT audit_restore_begin('remediation', '2025-03-01', '1 day', 30, '{sum}', '2025-04-02Z', {other})"
    )
}

#[tokio::test]
async fn a_month_is_archived_or_restored_by_one_at_a_time() {
    let (database, client) = empty().await;
    fill(&client, "remediation", "2025-03").await;
    run(&client, BEGIN).await;
    let another = database.client().await;
    for sql in [BEGIN, &restore_begin("aa", false)] {
        let why = refusal(&another, sql).await;
        assert!(why.contains("is just being archived or restored"), "{why}");
    }
    // Nothing that the second one did is noted.
    run(&another, WRITE).await;
    let why = refusal(&another, BEGIN).await;
    assert!(why.contains("remediation 2025-03"), "{why}");
    run(&client, END).await;
    assert!(
        !holds(&client, IS_ARCHIVED).await,
        "the archive lacks a record"
    );

    run(&another, BEGIN).await;
    drop(another);
    // Who is gone holds up nobody.
    patience::until("the other one is gone", async || {
        client.batch_execute(BEGIN).await.is_ok()
    })
    .await;
    run(&client, END).await;
    assert!(holds(&client, IS_ARCHIVED).await);
}

#[tokio::test]
async fn a_month_stays_while_it_is_archived_or_restored() {
    let (database, client) = empty().await;
    for kind in ["remediation", "workflow"] {
        fill(&client, kind, "2025-03").await;
    }
    let another = database.client().await;
    let by_hand = "SELECT audit_drop_step('2025-04-01Z')";
    for (begin, end) in [
        (BEGIN.to_owned(), END.to_owned()),
        (
            restore_begin("aa", false),
            "SELECT audit_restore_end('remediation', '2025-03-01')".to_owned(),
        ),
    ] {
        run(&another, &begin).await;
        let over =
            "UPDATE audit_retention SET kept_until = '-infinity'; DELETE FROM audit_retention_rest";
        run(&client, over).await;
        assert_eq!(step(&client, KEEP).await.expect("a step")["step"], "in_use");
        for _ in 0..20 {
            run(&client, by_hand).await;
        }
        assert_eq!(
            count(
                &client,
                "audit_months() WHERE kind = 'remediation' AND month = '2025-03-01'"
            )
            .await,
            1
        );
        assert_eq!(count(&client, "audit WHERE kind = 'remediation'").await, 30);
        run(&another, &end).await;
    }
    assert_eq!(count(&client, "audit WHERE kind = 'workflow'").await, 0);
    run(&client, "DELETE FROM audit_retention_rest").await;
    steps(&client, KEEP).await;
    assert_eq!(count(&client, "audit").await, 0);
}

#[tokio::test]
async fn a_record_that_comes_after_the_archive_is_not_in_it() {
    let (_database, client) = empty().await;
    fill(&client, "remediation", "2025-03").await;
    for statement in [BEGIN, END] {
        run(&client, statement).await;
    }
    assert!(holds(&client, IS_ARCHIVED).await);
    run(&client, WRITE).await;
    assert!(!holds(&client, IS_ARCHIVED).await, "there is one more");

    for statement in [BEGIN, END] {
        run(&client, statement).await;
    }
    steps(&client, KEEP).await;
    assert_eq!(count(&client, "audit").await, 0);
    fill(&client, "workflow", "2025-03").await;
    let again = WRITE.replace("0a", "0b");
    run(&client, &again).await;
    assert!(
        !holds(&client, IS_ARCHIVED).await,
        "the month was dropped, and this one came later"
    );
}

#[tokio::test]
async fn only_the_archive_that_is_noted_is_restored_unless_another_is_meant() {
    let (_database, client) = empty().await;
    fill(&client, "remediation", "2025-03").await;
    let end = "SELECT audit_restore_end('remediation', '2025-03-01')";
    for statement in [BEGIN, END] {
        run(&client, statement).await;
    }
    steps(&client, KEEP).await;
    let why = refusal(&client, &restore_begin("bb", false)).await;
    assert!(why.contains("sum aa") && why.contains("bb"), "{why}");
    assert_eq!(
        count(
            &client,
            "audit_months() WHERE kind = 'remediation' AND month = '2025-03-01'"
        )
        .await,
        0
    );
    run(&client, &restore_begin("bb", true)).await;
    run(&client, end).await;
    assert_eq!(
        count(&client, "audit_retention WHERE sha256 = 'aa' AND changed").await,
        1
    );

    run(&client, &restore_begin("aa", false)).await;
    run(&client, end).await;
    assert_eq!(
        count(
            &client,
            "audit_retention WHERE sha256 = 'aa' AND NOT changed"
        )
        .await,
        1
    );
}

/// What another database gave the same id.
#[tokio::test]
async fn an_id_that_is_taken_keeps_its_record_and_its_key() {
    let (_database, client) = empty().await;
    fill(&client, "remediation", "2025-03").await;
    let restore = "SELECT audit_restore('remediation', '2025-03-01', jsonb_build_array(
            jsonb_build_object('record', to_jsonb(a) || '{\"name\": \"another\"}', 'key', '\\x0c'),
            jsonb_build_object('version', jsonb_build_object(
                'kind', a.kind, 'id', a.id, 'version', 0, 'content_hash', '\\x00', 'state', '{}'::jsonb
            ), 'key', '\\x0c')
        )) = '{\"restored\": 0, \"left_out\": 1}'
        FROM audit AS a ORDER BY id LIMIT 1";
    let row = client.query_one(restore, &[]).await.expect("restored");
    assert!(row.get::<_, bool>(0), "it is left out");
    assert_eq!(count(&client, "audit_key WHERE key = '\\x0c'").await, 0);
    assert_eq!(count(&client, "audit_version WHERE version = 0").await, 0);
    assert_eq!(count(&client, "audit WHERE name = 'another'").await, 0);
}

/// Retention clears them with the owner's rights.
#[tokio::test]
async fn whoever_restores_a_month_it_belongs_to_the_owner() {
    let (database, client) = empty().await;
    let name = "SELECT current_database() || '_service'";
    let role: String = client.query_one(name, &[]).await.expect("a name").get(0);
    let roles = format!(
        "CREATE ROLE {role};
         GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role};
         GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {role}"
    );
    run(&client, &roles).await;
    let service = database.client().await;
    run(&service, &format!("SET SESSION AUTHORIZATION {role}")).await;
    run(&service, &restore_begin("aa", false)).await;
    let others = "pg_class WHERE relname ~ '_2025_03$' AND relowner <> (SELECT relowner FROM pg_class WHERE relname = 'audit')";
    assert_eq!(count(&client, others).await, 0);
    assert_eq!(
        count(&client, "audit_months() WHERE month = '2025-03-01'").await,
        1
    );
    drop(service);
    run(&client, &format!("DROP OWNED BY {role}; DROP ROLE {role}")).await;
}

/// Whoever has only archived months dropped hears which are not, and not too often.
#[tokio::test]
async fn months_that_wait_for_their_archive_are_named_once_a_day() {
    let (_database, client) = empty().await;
    fill(&client, "remediation", "2025-03").await;
    let said = "SELECT audit_say_held('{\"remediation\": 1, \"workflow\": 0}')";
    let say = async || {
        let row = client.query_one(said, &[]).await.expect("an answer");
        row.get::<_, Option<String>>(0)
    };
    let is_due = |archived_only: bool| {
        format!("audit_maintenance_due(NULL, '{KEEP}', {archived_only}) LIKE '%held%'")
    };
    assert!(holds(&client, &is_due(true)).await);
    assert!(!holds(&client, &is_due(false)).await);
    assert_eq!(say().await.as_deref(), Some("[\"remediation 2025-03\"]"));
    assert!(!holds(&client, &is_due(true)).await);
    assert_eq!(say().await, None);
    let later = "UPDATE audit_retention SET held_at = held_at - interval '25 hours'";
    run(&client, later).await;
    assert!(say().await.is_some());
    run(&client, later).await;
    for statement in [BEGIN, END] {
        run(&client, statement).await;
    }
    assert_eq!(say().await, None, "it is archived");
}
