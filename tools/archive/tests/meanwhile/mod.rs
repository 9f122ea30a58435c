//! Archives and restores while something else is going on.

use std::fs;

use archive::{RestoreOptions, archive, restore};
use patience::{until, within};
use tokio_postgres::Client;

use crate::fixture::{Fixture, KIND, MONTH, RECORDS};
use crate::store::{self, OPTIONS};

/// A change after which an archive is out of date.
const HIDE: &str =
    "SELECT audit_delete(kind, max(id), 'somebody', false, NULL) FROM audit GROUP BY kind";

/// Changes a record in a transaction, for which an archive waits.
async fn writer(fixture: &Fixture) -> Client {
    let writer = fixture.database.client().await;
    let change = "BEGIN; UPDATE audit SET status = 'failed' WHERE name = 'n2'";
    writer.batch_execute(change).await.expect("a change");
    writer
}

async fn has_begun(fixture: &Fixture) {
    let begun = "SELECT count(*) FROM audit_retention";
    until("the archive has begun", async || {
        fixture.count(begun).await == 1
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_archive_of_a_month_is_refused_and_harms_nothing() {
    let fixture = Fixture::start().await;
    let writer = writer(&fixture).await;
    let archiving = Box::pin(fixture.archive());
    let meanwhile = async {
        has_begun(&fixture).await;
        let elsewhere = fixture.folder.path().join("elsewhere");
        for folder in [fixture.folder.path(), &elsewhere] {
            let second = archive(fixture.database.url(), KIND, &fixture.month, folder).await;
            let why = format!("{:#}", second.expect_err("one at a time"));
            assert!(why.contains("is just being archived or restored"), "{why}");
        }
        writer.batch_execute("COMMIT").await.expect("committed");
    };
    let both = Box::pin(async { tokio::join!(archiving, meanwhile) });
    let (archived, ()) = within("an archive", both).await;
    archived.expect("the first archive");
    assert!(fixture.may_go().await);
    fixture.drop_month().await;
    assert_eq!(fixture.restore().await.expect("whole").restored, RECORDS);
}

/// Two databases know nothing of each other.
#[tokio::test(flavor = "multi_thread")]
async fn archives_of_two_databases_in_one_folder_do_each_other_no_harm() {
    let (late, quick) = (Fixture::start().await, Fixture::start().await);
    let writer = writer(&late).await;
    let archiving = Box::pin(late.archive());
    let meanwhile = async {
        has_begun(&late).await;
        let folder = late.folder.path();
        let done = archive(quick.database.url(), KIND, &quick.month, folder).await;
        done.expect("the quick one");
        writer.batch_execute("COMMIT").await.expect("committed");
    };
    let both = Box::pin(async { tokio::join!(archiving, meanwhile) });
    let (archived, ()) = within("an archive", both).await;
    let why = format!("{:#}", archived.expect_err("there is one"));
    assert!(why.contains("cannot write"), "{why}");
    assert!(!late.may_go().await);
    assert!(quick.may_go().await);
    quick.drop_month().await;
    let restored = restore(quick.database.url(), &late.manifest(), OPTIONS).await;
    assert_eq!(restored.expect("whole").restored, RECORDS);
}

/// Whoever drops it by hand asks nobody.
#[tokio::test(flavor = "multi_thread")]
async fn a_month_that_goes_meanwhile_is_not_archived_as_empty() {
    let fixture = Fixture::start().await;
    let writer = writer(&fixture).await;
    let archiving = Box::pin(fixture.archive());
    let meanwhile = async {
        has_begun(&fixture).await;
        let gone = "
            ALTER TABLE workflow_audit DETACH PARTITION workflow_audit_2025_03;
            DROP TABLE workflow_audit_2025_03;
            COMMIT";
        writer.batch_execute(gone).await.expect("gone");
    };
    let both = Box::pin(async { tokio::join!(archiving, meanwhile) });
    let (archived, ()) = within("an archive", both).await;
    let why = format!("{:#}", archived.expect_err("nothing to archive"));
    assert!(why.contains("was dropped before"), "{why}");
    let files = fs::read_dir(fixture.folder.path()).expect("a folder");
    assert_eq!(files.count(), 0);
    let noted = "SELECT count(*) FROM audit_retention WHERE archived_at IS NOT NULL";
    assert_eq!(fixture.count(noted).await, 0);
}

/// How a database or a role is set up is no part of an archive.
#[tokio::test(flavor = "multi_thread")]
async fn settings_of_the_database_change_no_value() {
    let fixture = Fixture::start().await;
    let precise = "
        UPDATE audit SET confidence_score = 0.1::float8 + 0.2::float8, start_time = '2025-03-04T05:06:07.123456Z'";
    fixture.client.batch_execute(precise).await.expect("values");
    let before = fixture.contents().await;
    for setting in [
        "DateStyle = 'German, DMY'",
        "TimeZone = 'Asia/Kolkata'",
        "extra_float_digits = -5",
        "bytea_output = 'escape'",
    ] {
        let sql = "SELECT current_database()::text";
        let row = fixture.client.query_one(sql, &[]).await.expect("a name");
        let set = format!("ALTER DATABASE {} SET {setting}", row.get::<_, &str>(0));
        fixture.client.batch_execute(&set).await.expect("a setting");
    }
    let manifest = fixture.archive().await.expect("an archive");
    assert!(manifest.archived_at.ends_with("+00"), "{manifest:?}");
    fixture.drop_month().await;
    fixture.restore().await.expect("restored");
    assert_eq!(fixture.contents().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_archive_than_the_noted_one_is_restored_only_if_it_is_meant() {
    let fixture = Fixture::start().await;
    let old = fixture.archive().await.expect("an archive");
    fixture.client.query(HIDE, &[]).await.expect("hidden");
    let elsewhere = fixture.folder.path().join("again");
    let newer = archive(fixture.database.url(), KIND, &fixture.month, &elsewhere).await;
    let newer = newer.expect("another archive");
    fixture.drop_month().await;

    let why = format!("{:#}", fixture.restore().await.expect_err("the older one"));
    for said in [&newer.sha256, &old.sha256, "--other-archive"] {
        assert!(why.contains(said), "{why}");
    }
    assert!(fixture.contents().await.is_empty());
    let options = RestoreOptions {
        other_archive: true,
        new_chains: false,
        ..OPTIONS
    };
    let restored = restore(fixture.database.url(), &fixture.manifest(), options).await;
    assert_eq!(restored.expect("meant").restored, RECORDS);
    let noted = format!(
        "SELECT count(*) FROM audit_retention WHERE sha256 = '{}' AND changed",
        newer.sha256
    );
    assert_eq!(fixture.count(&noted).await, 1);
}

/// What a run that broke off has done is not done again.
#[tokio::test(flavor = "multi_thread")]
async fn archives_of_all_kinds_go_on_where_they_broke_off() {
    let fixture = Fixture::start().await;
    let program = env!("CARGO_BIN_EXE_archive");
    let first = fixture.archive().await.expect("one kind");
    let output = store::run("exec", program, fixture.arguments("all")).await;
    let failure = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{failure}");
    let said = String::from_utf8_lossy(&output.stdout);
    for line in [
        format!(
            "{KIND} {MONTH} is archived there already: sha256 {}",
            first.sha256
        ),
        format!("archived execution {MONTH}: 0 records"),
    ] {
        assert!(said.contains(&line), "{said}");
    }

    // One that is out of date is neither passed over nor written over.
    fixture.client.query(HIDE, &[]).await.expect("hidden");
    let output = store::run("exec", program, fixture.arguments("all")).await;
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("is there already"), "{said}");
}
