//! `cargo xtask archive` and `restore` on real databases and real files.

mod fixture;
mod meanwhile;
mod store;

use std::fs;

use archive::{Month, archive, restore};
use patience::{until, within};
use serde_json::{Value, json};

use fixture::{Fixture, KIND, MONTH, RECORDS};
use store::OPTIONS;

#[tokio::test(flavor = "multi_thread")]
async fn a_month_comes_back_as_it_was() {
    let fixture = Fixture::start().await;
    let before = fixture.contents().await;
    let manifest = fixture.archive().await.expect("an archive");
    assert_eq!((manifest.records, manifest.versions), (RECORDS, 1));
    assert_eq!(
        fs::metadata(fixture.records()).expect("a file").len(),
        manifest.bytes
    );
    fixture.drop_month().await;
    assert!(fixture.contents().await.is_empty());

    let done = fixture.restore().await.expect("restored");
    assert_eq!((done.restored, done.left_out), (RECORDS, 0));
    assert_eq!(fixture.contents().await, before);
    let again = fixture.restore().await.expect("nothing to do");
    assert_eq!((again.restored, again.left_out), (0, 0));
    assert_eq!(fixture.contents().await, before);

    // To be embedded, but for the one that is hidden.
    let pending = "SELECT count(*) FROM audit WHERE embedding_model IS NULL AND embedding IS NULL";
    assert_eq!(fixture.count(pending).await, RECORDS - 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archived_month_may_go_and_a_restored_one_stays_for_a_while() {
    let fixture = Fixture::start().await;
    assert!(!fixture.may_go().await, "it is not archived");
    fixture.archive().await.expect("an archive");
    assert!(fixture.may_go().await);
    fixture.drop_month().await;
    fixture.restore().await.expect("restored");
    assert!(!fixture.may_go().await, "it was just restored");
    let later = "UPDATE audit_retention SET kept_until = now()";
    fixture.client.batch_execute(later).await.expect("later");
    assert!(fixture.may_go().await, "it is archived as it is");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_makes_an_archive_out_of_date() {
    let fixture = Fixture::start().await;
    fixture.archive().await.expect("an archive");
    let hide =
        "SELECT audit_delete(kind, max(id), 'somebody', false, NULL) FROM audit GROUP BY kind";
    fixture.client.query(hide, &[]).await.expect("hidden");
    assert!(!fixture.may_go().await);
    let elsewhere = fixture.folder.path().join("again");
    archive(fixture.database.url(), KIND, &fixture.month, &elsewhere)
        .await
        .expect("another archive");
    assert!(fixture.may_go().await);
}

/// Who is changing a record when the archive begins is waited for, so that the archive has the change.
#[tokio::test(flavor = "multi_thread")]
async fn a_change_under_way_is_in_the_archive() {
    let fixture = Fixture::start().await;
    let writer = fixture.database.client().await;
    let change = "BEGIN; UPDATE audit SET status = 'failed' WHERE name = 'n2'";
    writer.batch_execute(change).await.expect("a change");
    let archiving = Box::pin(fixture.archive());
    let committing = async {
        let begun = "SELECT count(*) FROM audit_retention";
        until("the archive has begun", async || {
            fixture.count(begun).await == 1
        })
        .await;
        assert!(!fixture.manifest().exists());
        writer.batch_execute("COMMIT").await.expect("committed");
    };
    let both = Box::pin(async { tokio::join!(archiving, committing) });
    let (archived, ()) = within("an archive", both).await;
    archived.expect("an archive");
    assert!(
        fixture
            .lines()
            .iter()
            .any(|line| line["record"]["status"] == "failed")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn records_that_are_there_are_left_as_they_are() {
    let fixture = Fixture::start().await;
    fixture.archive().await.expect("an archive");
    let change =
        "UPDATE audit SET status = 'failed' WHERE name = 'n2'; DELETE FROM audit WHERE name = 'n3'";
    fixture
        .client
        .batch_execute(change)
        .await
        .expect("a change");
    let done = fixture.restore().await.expect("restored");
    assert_eq!((done.restored, done.left_out), (1, 0));
    assert_eq!(
        fixture
            .count("SELECT count(*) FROM audit WHERE status = 'failed'")
            .await,
        1
    );
    assert_eq!(
        fixture
            .count("SELECT count(*) FROM audit WHERE name = 'n3'")
            .await,
        1
    );
}

/// Into a database that never had the records: keys come with them, and none is given to two records.
#[tokio::test(flavor = "multi_thread")]
async fn another_database_takes_the_month_and_its_keys() {
    let from = Fixture::start().await;
    from.archive().await.expect("an archive");
    let to = Fixture::empty().await;
    let taken = "SELECT audit_write(jsonb_build_array(jsonb_build_object(
        'kind', 'workflow', 'key', '\\x00000002', 'content_hash', '\\x00', 'name', 'taken', 'name_is_stand_in', false,
        'document', '{}'::jsonb)), true, false)";
    to.client.query(taken, &[]).await.expect("a record");
    let done = restore(to.database.url(), &from.manifest(), OPTIONS)
        .await
        .expect("restored");
    assert_eq!((done.restored, done.left_out), (RECORDS - 1, 1));
    assert_eq!(to.count("SELECT count(*) FROM audit_key").await, RECORDS);
    let twice = "SELECT count(*) FROM audit_key AS k WHERE NOT EXISTS (SELECT FROM audit AS a WHERE a.id = k.id)";
    assert_eq!(to.count(twice).await, 0);
}

/// What a restore that broke off has not read is read by the next one.
#[tokio::test(flavor = "multi_thread")]
async fn a_restore_that_breaks_off_is_gone_on_with() {
    let fixture = Fixture::start().await;
    let before = fixture.contents().await;
    fixture.archive().await.expect("an archive");
    fixture.drop_month().await;
    let stumble = "
        CREATE FUNCTION stumble() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF NEW.name = 'n1100' THEN RAISE EXCEPTION 'stumbled'; END IF;
            RETURN NEW;
        END $$;
        CREATE TRIGGER stumble BEFORE INSERT ON audit FOR EACH ROW EXECUTE FUNCTION stumble();";
    fixture
        .client
        .batch_execute(stumble)
        .await
        .expect("a trigger");
    let error = fixture.restore().await.expect_err("a stumble");
    assert!(format!("{error:#}").contains("stumbled"), "{error:#}");
    let some = fixture.count("SELECT count(*) FROM audit").await;
    assert!(0 < some && some < RECORDS, "{some}");
    let mend = "DROP TRIGGER stumble ON audit";
    fixture
        .client
        .batch_execute(mend)
        .await
        .expect("no trigger");
    let done = fixture.restore().await.expect("the rest");
    assert_eq!(done.restored, RECORDS - some);
    assert_eq!(fixture.contents().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_are_not_whole_change_nothing() {
    let fixture = Fixture::start().await;
    fixture.archive().await.expect("an archive");
    fixture.drop_month().await;
    let manifest = fs::read_to_string(fixture.manifest()).expect("a manifest");
    let whole = fs::read(fixture.records()).expect("records");
    let refused = async |why: &str| {
        let error = fixture.restore().await.expect_err(why);
        assert!(format!("{error:#}").contains(why), "{error:#}");
        assert_eq!(fixture.count("SELECT count(*) FROM audit").await, 0);
        assert!(!fixture.has_partition().await, "{why}");
    };

    fs::write(fixture.records(), &whole[..whole.len() - 1]).expect("a cut file");
    refused("it is not whole").await;
    let mut damaged = whole.clone();
    damaged[whole.len() / 2] ^= 1;
    fs::write(fixture.records(), &damaged).expect("a damaged file");
    refused("is damaged").await;
    fs::remove_file(fixture.records()).expect("no file");
    refused("cannot read").await;

    fs::write(fixture.records(), &whole).expect("the whole file");
    let edit = |member: &str, value: Value| {
        let mut edited: Value = serde_json::from_str(&manifest).expect("JSON");
        edited[member] = value;
        fs::write(fixture.manifest(), edited.to_string()).expect("a manifest");
    };
    edit("schema", json!(9999));
    refused("schema 9999").await;
    edit("sha256", json!("00"));
    refused("is damaged").await;
    edit("kind", json!("../workflow"));
    refused("is no kind of records").await;
    edit("month", json!("2020-01"));
    refused("is not called so").await;
    edit("month", json!("yesterday"));
    refused("is no manifest").await;
    fs::write(fixture.manifest(), "{").expect("half a manifest");
    refused("is no manifest").await;

    fs::write(fixture.manifest(), &manifest).expect("the manifest");
    assert_eq!(fixture.restore().await.expect("restored").restored, RECORDS);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_archived_is_said_and_not_noted() {
    let fixture = Fixture::start().await;
    let refused = async |kind: &str, month: &str, why: &str| {
        let month: Month = month.parse().expect("a month");
        let folder = fixture.folder.path().join("other");
        let outcome = archive(fixture.database.url(), kind, &month, &folder).await;
        let error = outcome.expect_err(why);
        assert!(format!("{error:#}").contains(why), "{error:#}");
        assert!(fs::read_dir(&folder).map_or(0, Iterator::count) == 0);
    };
    refused(KIND, "2001-01", "has no month workflow 2001-01").await;
    refused("nonsense", MONTH, "has no month nonsense").await;
    let now = "SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM')";
    let row = fixture.client.query_one(now, &[]).await.expect("a month");
    refused(KIND, row.get(0), "has not ended").await;

    fixture.archive().await.expect("an archive");
    let again = fixture.archive().await.expect_err("never written over");
    assert!(again.to_string().contains("is there already"), "{again}");
    assert!(fixture.may_go().await, "the first one still counts");

    let empty = database::TestDatabase::create_empty().await;
    let outcome = archive(empty.url(), KIND, &fixture.month, fixture.folder.path()).await;
    let error = format!("{:#}", outcome.expect_err("no schema"));
    assert!(error.contains("cargo xtask migrate"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_leaves_nothing_behind() {
    let fixture = Fixture::start().await;
    // No file may become longer than that; who writes more hears so, as on a full disk.
    let arguments = fixture.arguments(KIND);
    let output = store::run(
        "ulimit -f 8; trap '' XFSZ; exec",
        env!("CARGO_BIN_EXE_archive"),
        arguments,
    )
    .await;
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        !output.status.success() && said.contains("cannot write"),
        "{said}"
    );
    let files = fs::read_dir(fixture.folder.path()).expect("a folder");
    assert_eq!(files.count(), 0);
    assert!(!fixture.may_go().await);
    let noted =
        "SELECT count(*) FROM audit_retention WHERE archived_at IS NOT NULL OR sha256 IS NOT NULL";
    assert_eq!(fixture.count(noted).await, 0);
}

/// As a schedule does in the first month of a store.
#[tokio::test(flavor = "multi_thread")]
async fn a_month_of_which_there_is_nothing_is_archived_in_no_time() {
    let fixture = Fixture::start().await;
    let mut arguments = fixture.arguments("all");
    for argument in arguments.iter_mut().filter(|argument| *argument == MONTH) {
        "2001-01".clone_into(argument);
    }
    let output = store::run("exec", env!("CARGO_BIN_EXE_archive"), arguments).await;
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    assert!(said.contains("nothing of 2001-01"), "{said}");
    let files = fs::read_dir(fixture.folder.path()).expect("a folder");
    assert_eq!(files.count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_programs_say_what_they_did() {
    let fixture = Fixture::start().await;
    let archived = store::run(
        "exec",
        env!("CARGO_BIN_EXE_archive"),
        fixture.arguments("all"),
    )
    .await;
    let said = String::from_utf8_lossy(&archived.stdout);
    assert!(
        archived.status.success(),
        "{}",
        String::from_utf8_lossy(&archived.stderr)
    );
    // All kinds that have the month.
    for kind in ["aianalysis", "execution", "remediation"] {
        assert!(
            said.contains(&format!("archived {kind} {MONTH}: 0 records")),
            "{said}"
        );
    }
    assert!(
        said.contains(&format!("archived {KIND} {MONTH}: {RECORDS} records")),
        "{said}"
    );
    fixture.drop_month().await;

    let manifest = fixture.manifest().display().to_string();
    let arguments = [
        "--database-url",
        fixture.database.url(),
        "--keep-days",
        "7",
        &manifest,
    ];
    let arguments = arguments.map(str::to_owned).to_vec();
    let restored = store::run("exec", env!("CARGO_BIN_EXE_restore"), arguments).await;
    let said = String::from_utf8_lossy(&restored.stdout);
    assert!(
        restored.status.success(),
        "{}",
        String::from_utf8_lossy(&restored.stderr)
    );
    let expected = format!("restored {KIND} {MONTH}: {RECORDS} records, and 0 were there already");
    assert!(said.contains(&expected), "{said}");
    let kept = "SELECT count(*) FROM audit_retention WHERE kept_until BETWEEN now() + interval '6 days' AND now() + interval '8 days'";
    assert_eq!(fixture.count(kept).await, 1);
}
