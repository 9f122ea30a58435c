//! docs/runbook.md, "How to see it": each failure is made, and the commands of its section are typed.

use serde_json::json;

use crate::console::{Command, commands};
use crate::night::Night;
use crate::support::payloads::fresh;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs curl; .ci/run installs it"]
async fn every_failure_looks_as_the_runbook_says() {
    let mut night = Night::begin().await;
    for command in commands("runbook.md") {
        see(&mut night, &command).await;
    }
    night.host.stop().await;
}

/// Brings about what the section is about, and sees what its command prints.
async fn see(night: &mut Night, command: &Command) {
    match command.section.as_str() {
        "DataStorageAbsent" => absent(night, command).await,
        "DataStoragePostgreSQLFailure" | "DataStorageHighWriteErrorRate" => {
            without_postgresql(night, command).await;
        }
        "DataStorageRateLimitBypassed" => {
            // Also from the time without PostgreSQL.
            night.sees(command).await;
        }
        "DataStorageInternalErrors" => internal_error(night, command).await,
        "DataStorageMetricsIncomplete" => without_gauges(night, command).await,
        "DataStorageSlowWrites" => locked(night, command).await,
        "DataStorageEmbeddingBacklog" => {
            night.hang_provider();
            night.post(201).await;
            night.sees(command).await;
        }
        "DataStorageLowCacheHitRate" => {
            night.damage_cache();
            night.sees(command).await;
        }
        "DataStorageVectorDBDegraded" => {
            night.lose_vector_database();
            night.sees(command).await;
        }
        "DataStorageTailTooLong" | "DataStorageOutboxBacklog" => {
            // There are records in both, if not too many: nothing is embedded or delivered any more.
            night.post(201).await;
            night.sees(command).await;
        }
        "DataStorageProjectionLag" => without_projection(night, command).await,
        "DataStorageEventsQuarantined" => {
            night.post_event(&json!({}), 400).await;
            night.sees(command).await;
        }
        "DataStoragePartitionsMissing" => without_partitions(night, command).await,
        "DataStorageAuthenticationUnavailable" => {
            night.call_unknown().await;
            night.sees(command).await;
        }
        "DataStorageAccessRefused" => {
            night.call_without_a_token().await;
            night.sees(command).await;
        }
        "DataStorageRateLimited" => {
            night.flood().await;
            night.sees(command).await;
        }
        "DataStorageValidationFailures" => {
            night.post_nonsense().await;
            night.sees(command).await;
        }
        other => panic!("nothing here makes what {other} is about"),
    }
}

async fn absent(night: &mut Night, command: &Command) {
    let nobody = "http://127.0.0.1:1".to_owned();
    let store = night.operator.set("STORE", nobody);
    night.sees(command).await;
    night.operator.set("STORE", store);
}

async fn without_postgresql(night: &mut Night, command: &Command) {
    night.lose_primary();
    night.post(503).await;
    night.sees(command).await;
    night.restart_primary().await;
}

async fn internal_error(night: &Night, command: &Command) {
    night
        .execute(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$;
             CREATE TRIGGER refuse BEFORE INSERT ON audit EXECUTE FUNCTION refuse()",
        )
        .await;
    night.post(500).await;
    night.execute("DROP TRIGGER refuse ON audit").await;
    night.sees(command).await;
}

async fn without_gauges(night: &Night, command: &Command) {
    let rename = |from: &str, to: &str| format!("ALTER FUNCTION {from}(text) RENAME TO {to}");
    night.execute(&rename("audit_gauges", "gone")).await;
    night.sees(command).await;
    night.execute(&rename("gone", "audit_gauges")).await;
}

async fn without_projection(night: &Night, command: &Command) {
    let rename = |from: &str, to: &str| format!("ALTER FUNCTION {from} RENAME TO {to}");
    let function = "audit_event_project_next";
    night.execute(&rename(function, "gone")).await;
    let event = json!({
        "version": "1.0", "event_type": "gateway.signal.received", "event_timestamp": "2026-11-28T03:51:00Z",
        "event_category": "gateway", "event_action": "received", "event_outcome": "success", "correlation_id": fresh("rr"),
        "event_data": {
            "event_type": "gateway.signal.received", "signal_type": "alert", "signal_name": "PodCrashLooping",
            "namespace": "payments", "fingerprint": "3f2a9c",
        },
    });
    night.post_event(&event, 201).await;
    night.sees(command).await;
    night.execute(&rename("gone", function)).await;
}

async fn locked(night: &Night, command: &Command) {
    let session = night.session().await;
    let lock = "BEGIN; LOCK TABLE audit IN ACCESS EXCLUSIVE MODE";
    session.batch_execute(lock).await.expect("a lock");
    let unlocked = async {
        night.sees(command).await;
        session.batch_execute("ROLLBACK").await.expect("an end");
    };
    tokio::join!(night.post(201), unlocked);
}

async fn without_partitions(night: &Night, command: &Command) {
    let drop = "DO $$ BEGIN
        EXECUTE format('DROP TABLE IF EXISTS remediation_audit_%s', to_char(now() AT TIME ZONE 'UTC' + interval '1 month', 'YYYY_MM'));
    END $$";
    night.sees_after(drop, command).await;
}
