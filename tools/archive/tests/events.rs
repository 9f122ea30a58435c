//! `cargo xtask archive` and `restore` of months of events, on real databases and real files.

mod log;
mod store;

use archive::{RestoreOptions, archive, restore};
use patience::{until, within};

use log::{Log, OTHER, PER_MONTH};
use store::OPTIONS;

#[tokio::test(flavor = "multi_thread")]
async fn a_month_of_events_comes_back_as_it_was() {
    let log = Log::start().await;
    let before = log.contents().await;
    assert!(before.iter().any(|line| line.contains("1.50e2")));
    let manifest = log.archive("2025-03").await.expect("an archive");
    assert_eq!((manifest.records, manifest.versions), (PER_MONTH, 0));
    log.retain(true).await;
    assert_eq!(log.events().await, PER_MONTH, "the other is not archived");

    let done = log.restore("2025-03").await.expect("restored");
    assert_eq!((done.restored, done.left_out), (PER_MONTH, 0));
    assert_eq!(log.contents().await, before);
    let again = log.restore("2025-03").await.expect("nothing to do");
    assert_eq!((again.restored, again.left_out), (0, 0));
    log.retain(true).await;
    assert_eq!(log.contents().await, before, "it stays for a while");
    log.later().await;
    log.retain(true).await;
    assert_eq!(log.events().await, PER_MONTH, "it is archived as it is");
}

/// A chain has no hole, at no time.
#[tokio::test(flavor = "multi_thread")]
async fn months_come_back_from_the_newest_to_the_oldest() {
    let log = Log::start().await;
    let before = log.contents().await;
    for month in ["2025-03", "2025-04"] {
        log.archive(month).await.expect("an archive");
    }
    log.retain(true).await;
    assert_eq!(log.events().await, 0);
    let early = log.restore("2025-03").await.expect("an answer");
    assert_eq!((early.restored, early.left_out), (0, PER_MONTH));
    assert_eq!(log.events().await, 0);
    for month in ["2025-04", "2025-03"] {
        let done = log.restore(month).await.expect("restored");
        assert_eq!((done.restored, done.left_out), (PER_MONTH, 0), "{month}");
        log.is_whole().await;
    }
    assert_eq!(log.contents().await, before);
}

/// What a restore that broke off has not read is read by the next one, and chains are whole between them.
#[tokio::test(flavor = "multi_thread")]
async fn a_restore_of_events_that_breaks_off_is_gone_on_with() {
    let log = Log::start().await;
    let before = log.contents().await;
    log.archive("2025-03").await.expect("an archive");
    log.retain(true).await;
    log.run(
        "CREATE FUNCTION stumble() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN
             IF NEW.chain_sequence = 30 THEN RAISE EXCEPTION 'stumbled'; END IF;
             RETURN NEW;
         END $$;
         CREATE TRIGGER stumble BEFORE INSERT ON audit_event FOR EACH ROW EXECUTE FUNCTION stumble()",
    )
    .await;
    let error = log.restore("2025-03").await.expect_err("a stumble");
    assert!(format!("{error:#}").contains("stumbled"), "{error:#}");
    let some = log.events().await;
    assert!(PER_MONTH < some && some < 2 * PER_MONTH, "{some}");
    log.is_whole().await;
    log.run("DROP TRIGGER stumble ON audit_event").await;
    let done = log.restore("2025-03").await.expect("the rest");
    assert_eq!(done.restored, 2 * PER_MONTH - some);
    assert_eq!(log.contents().await, before);
}

/// A chain knows the hash of what it has lost, so nothing else takes its place.
#[tokio::test(flavor = "multi_thread")]
async fn events_that_a_chain_has_not_lost_are_left_out() {
    let log = Log::start().await;
    log.archive("2025-03").await.expect("an archive");
    log.retain(true).await;
    log.run("UPDATE audit_event_chain SET anchor_hash = '\\x00' WHERE correlation_id = 'c3'")
        .await;
    let done = log.restore("2025-03").await.expect("an answer");
    assert_eq!(
        (done.restored, done.left_out),
        (PER_MONTH * 9 / 10, PER_MONTH / 10)
    );
}

/// Nobody but whoever restores knows which month is the newest, and with which event a chain ends.
#[tokio::test(flavor = "multi_thread")]
async fn another_database_takes_events_and_their_chains_if_that_is_meant() {
    let from = Log::start().await;
    let before = from.contents().await;
    for month in ["2025-03", "2025-04"] {
        from.archive(month).await.expect("an archive");
    }
    let to = Log::empty().await;
    let early = restore(to.database.url(), &from.manifest("2025-03"), OPTIONS).await;
    assert_eq!(early.expect("an answer").left_out, PER_MONTH);
    assert!(to.contents().await.is_empty());
    let options = RestoreOptions {
        new_chains: true,
        ..OPTIONS
    };
    for month in ["2025-04", "2025-03"] {
        let done = restore(to.database.url(), &from.manifest(month), options).await;
        assert_eq!(done.expect("restored").restored, PER_MONTH);
        to.is_whole().await;
    }
    assert_eq!(to.contents().await, before);
    // Records of these come from the archives of records, unless somebody has them made anew.
    let pending = "SELECT count(*) FROM audit_event_chain WHERE projected < chain_sequence";
    assert_eq!(to.count(pending).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_held_stays_and_the_rest_comes_back_beside_it() {
    let log = Log::start().await;
    let before = log.contents().await;
    log.hold("c3").await;
    log.archive("2025-03").await.expect("an archive");
    log.retain(true).await;
    assert_eq!(log.events().await, PER_MONTH + PER_MONTH / 10);
    // Another archive would have less than the one that is noted.
    let elsewhere = log.folder.path().join("again");
    let month = "2025-03".parse().expect("a month");
    let again = archive(log.database.url(), "events", &month, &elsewhere).await;
    let error = format!("{:#}", again.expect_err("refused"));
    assert!(
        error.contains("has 1200 events, and the month has 120 now"),
        "{error}"
    );
    let done = log.restore("2025-03").await.expect("restored");
    assert_eq!(
        (done.restored, done.left_out),
        (PER_MONTH * 9 / 10, 0),
        "what is held is there"
    );
    assert_eq!(log.contents().await, before);
    log.run("DELETE FROM audit_legal_hold").await;
    log.run("UPDATE audit_event_month SET settled = false")
        .await;
    log.later().await;
    log.retain(true).await;
    assert_eq!(log.events().await, PER_MONTH, "the archive has all of it");
}

/// A clock that was set back has let an event into a month that is archived.
#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_comes_after_the_archive_keeps_the_month() {
    let log = Log::start().await;
    log.archive("2025-03").await.expect("an archive");
    log.run("SELECT audit_event_keep(audit_id_at('2025-03-20Z'), audit_id_at('2025-03-20Z'), 1)")
        .await;
    log.retain(true).await;
    assert_eq!(log.events().await, 2 * PER_MONTH);
    archive(
        log.database.url(),
        "events",
        &"2025-03".parse().expect("a month"),
        &log.folder.path().join("again"),
    )
    .await
    .expect("another archive");
    log.retain(true).await;
    assert_eq!(log.events().await, PER_MONTH);
}

/// Who is writing events into the month when the archive begins is waited for.
#[tokio::test(flavor = "multi_thread")]
async fn an_event_under_way_is_in_the_archive() {
    let log = Log::start().await;
    let writer = log.database.client().await;
    writer.batch_execute(OTHER).await.expect("an event");
    let archiving = Box::pin(log.archive("2025-03"));
    let committing = async {
        let begun = "SELECT count(*) FROM audit_retention WHERE kind = 'events'";
        until("the archive has begun", async || {
            log.count(begun).await == 1
        })
        .await;
        assert!(!log.manifest("2025-03").exists());
        writer.batch_execute("COMMIT").await.expect("committed");
    };
    let both = Box::pin(async { tokio::join!(archiving, committing) });
    let (archived, ()) = within("an archive", both).await;
    assert_eq!(archived.expect("an archive").records, PER_MONTH + 1);
}

/// Retention leaves a month alone that is being archived, and all of the log while some of it is being restored.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_leaves_the_log_meanwhile() {
    let log = Log::start().await;
    let another = log.database.client().await;
    let sum = "aa";
    let restore_begin = format!(
        "SELECT audit_restore_begin('events', '2025-01-01', '30 days', 0, '{sum}', now(), false)"
    );
    for (begin, end, step) in [
        (
            "SELECT audit_archive_begin('events', '2025-03-01')",
            "SELECT audit_archive_end('events', '2025-03-01', NULL, NULL)",
            Some("in_use"),
        ),
        (
            restore_begin.as_str(),
            "SELECT audit_restore_end('events', '2025-01-01')",
            None,
        ),
    ] {
        another.batch_execute(begin).await.expect("begun");
        assert_eq!(log.last_step().await.as_deref(), step, "{begin}");
        assert_eq!(log.events().await, 2 * PER_MONTH, "{begin}");
        let refused = log.client.batch_execute(&restore_begin).await;
        assert_eq!(refused.is_err(), step.is_none(), "{begin}");
        log.run("SELECT audit_restore_end('events', '2025-01-01')")
            .await;
        another.batch_execute(end).await.expect("ended");
    }
    log.retain(false).await;
    assert_eq!(log.events().await, 0);
}

/// The chains do not yet know what they have lost.
#[tokio::test(flavor = "multi_thread")]
async fn a_month_that_is_just_being_dropped_is_neither_archived_nor_restored() {
    let log = Log::start().await;
    log.archive("2025-03").await.expect("an archive");
    log.retain_to("detached").await;
    let elsewhere = log.folder.path().join("again");
    let month = "2025-03".parse().expect("a month");
    for refused in [
        archive(log.database.url(), "events", &month, &elsewhere)
            .await
            .map(|_| ()),
        log.restore("2025-03").await.map(|_| ()),
    ] {
        let error = format!("{:#}", refused.expect_err("refused"));
        assert!(
            error.contains("is just being dropped") || error.contains("has no month"),
            "{error}"
        );
    }
    log.retain(true).await;
    log.restore("2025-03").await.expect("restored");
    log.is_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_programs_say_what_they_did_with_events() {
    let log = Log::start().await;
    let said = log
        .said(
            env!("CARGO_BIN_EXE_archive"),
            log.arguments_for("all", "2025-03"),
        )
        .await;
    let expected = format!("archived events 2025-03: {PER_MONTH} events, ");
    assert!(said.contains(&expected), "{said}");
    let again = log
        .said(
            env!("CARGO_BIN_EXE_archive"),
            log.arguments_for("all", "2025-03"),
        )
        .await;
    assert!(
        again.contains("events 2025-03 is archived there already"),
        "{again}"
    );
    log.retain(false).await;
    let manifest = log.manifest("2025-03").display().to_string();
    let arguments = ["--database-url", log.database.url(), &manifest];
    let arguments = arguments.map(str::to_owned).to_vec();
    let said = log.said(env!("CARGO_BIN_EXE_restore"), arguments).await;
    assert!(
        said.contains("restored events 2025-03: 0 events, and 0 were there already")
            && said.contains("restore the months after this one first"),
        "{said}"
    );
}
