//! What leaves, what stays, and who waits.

use crate::{contents, count, empty, fill, holds, run, step, steps};

const REMEDIATIONS: &str = r#"{"remediation": 1}"#;

/// A table that somebody reads cannot be changed.
const READ: &str = "BEGIN; SELECT FROM audit WHERE kind = 'remediation' LIMIT 1";

#[tokio::test]
async fn an_older_month_that_stays_keeps_all_that_it_has() {
    let (_database, client) = empty().await;
    for month in ["2025-02", "2025-03"] {
        fill(&client, "remediation", month).await;
    }
    let restored = "INSERT INTO audit_retention (kind, month, kept_until) VALUES ('remediation', '2025-02-01', 'infinity')";
    run(&client, restored).await;
    let before = contents(&client, "2025-02").await;
    assert_eq!(before.len(), 30 * 7);
    let taken = steps(&client, REMEDIATIONS).await;
    assert!(
        taken.contains(&"dropped remediation 2025-03".to_owned()),
        "{taken:?}"
    );
    assert_eq!(contents(&client, "2025-02").await, before);
    // Keys stay.
    assert_eq!(contents(&client, "2025-03").await.len(), 30);
}

/// Whoever tries to take a month out of a table in use has everybody wait behind, so nobody tries again for a while.
#[tokio::test]
async fn a_kind_in_use_rests_and_holds_up_no_other() {
    let (database, client) = empty().await;
    for kind in ["remediation", "workflow"] {
        fill(&client, kind, "2025-03").await;
    }
    let reader = database.client().await;
    run(&reader, READ).await;
    let keep = r#"{"remediation": 1, "workflow": 1}"#;
    let taken = steps(&client, keep).await;
    assert_eq!(taken[0], "in_use remediation 2025-03", "{taken:?}");
    assert_eq!(taken.last().expect("a step"), "dropped workflow 2025-03");
    let due = format!("audit_maintenance_due(NULL, '{keep}', false) LIKE '%retain%'");
    assert!(!holds(&client, &due).await, "no replica is to try");

    // Each rest is longer than the one before.
    let over = "UPDATE audit_retention_rest SET rest_until = '-infinity'";
    for seconds in [10, 20, 40, 60, 60] {
        let pause =
            format!("(SELECT extract(epoch FROM pause) = {seconds} FROM audit_retention_rest)");
        assert!(holds(&client, &pause).await, "{seconds}");
        run(&client, over).await;
        assert!(holds(&client, &due).await);
        let tried = step(&client, keep).await.expect("a step");
        assert_eq!(tried["step"], "in_use");
    }
    run(&reader, "COMMIT").await;
    assert!(steps(&client, keep).await.is_empty(), "it rests");
    run(&client, over).await;
    let taken = steps(&client, keep).await;
    assert!(
        taken.contains(&"dropped remediation 2025-03".to_owned()),
        "{taken:?}"
    );
    assert_eq!(count(&client, "audit_retention_rest").await, 0);
}

/// So that nobody waits for a lock again and again while there is something else to do.
#[tokio::test]
async fn one_month_goes_at_a_time() {
    let (_database, client) = empty().await;
    for month in ["2025-02", "2025-03"] {
        fill(&client, "remediation", month).await;
    }
    let taken = steps(&client, REMEDIATIONS).await;
    let place = |step: &str| taken.iter().position(|taken| taken == step);
    let (dropped, detached) = (
        place("dropped remediation 2025-02"),
        place("detached remediation 2025-03"),
    );
    assert!(dropped.is_some() && dropped < detached, "{taken:?}");
}

/// A thousand records may be more than can be done in time.
#[tokio::test]
async fn a_step_that_takes_too_long_is_followed_by_smaller_ones() {
    let (_database, client) = empty().await;
    fill(&client, "remediation", "2025-03").await;
    let slow = "
        CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN PERFORM pg_sleep(0.1); RETURN OLD; END $$;
        CREATE TRIGGER slow BEFORE DELETE ON audit_correlation FOR EACH ROW EXECUTE FUNCTION slow();
        SET statement_timeout = '1s'";
    run(&client, slow).await;
    let taken = steps(&client, REMEDIATIONS).await;
    assert!(
        taken.contains(&"dropped remediation 2025-03".to_owned()),
        "{taken:?}"
    );
    assert!(taken.contains(&"waiting - -".to_owned()), "{taken:?}");
}

/// As the release before left them, which dropped the tables of all kinds and not those.
#[tokio::test]
async fn tables_of_months_without_any_kind_go_too() {
    let (_database, client) = empty().await;
    fill(&client, "remediation", "2025-03").await;
    let without_kinds = "
        DROP TABLE remediation_audit_2025_03, ai_analysis_audit_2025_03, workflow_audit_2025_03, execution_audit_2025_03";
    run(&client, without_kinds).await;
    assert!(
        holds(
            &client,
            "audit_maintenance_due(NULL, '{}', false) LIKE '%retain%'"
        )
        .await
    );
    steps(&client, "{}").await;
    assert_eq!(
        count(
            &client,
            "pg_class WHERE relname ~ '^audit_v.*2025_03$' AND relkind = 'r'"
        )
        .await,
        0
    );
    assert_eq!(count(&client, "audit_vector_tail").await, 0);
    assert_eq!(count(&client, "audit_detached").await, 0);
    assert!(
        !holds(
            &client,
            "audit_maintenance_due(NULL, '{}', false) LIKE '%retain%'"
        )
        .await
    );
    // Those of the months to come have no kind yet.
    let ahead = "audit_months() WHERE month > now()";
    assert!(count(&client, ahead).await > 0);
    assert_eq!(count(&client, "audit_missing_partitions()").await, 0);
}

/// The provider's refusal may come when the month is gone.
#[tokio::test]
async fn a_refusal_of_a_record_that_is_gone_is_forgotten() {
    let (_database, client) = empty().await;
    fill(&client, "remediation", "2025-03").await;
    run(&client, "DELETE FROM audit_embedding_refusal").await;
    let refused = "SELECT audit_embed((SELECT jsonb_build_array(
            jsonb_build_object('kind', 'remediation', 'id', min(id), 'version', 2),
            jsonb_build_object('kind', 'remediation', 'id', 1, 'version', 1)
        ) FROM audit), false)";
    run(&client, refused).await;
    assert_eq!(
        count(&client, "audit_embedding_refusal WHERE id = 1").await,
        0
    );
    assert_eq!(count(&client, "audit_embedding_refusal").await, 1);
}
