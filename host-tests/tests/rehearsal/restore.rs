//! A server is lost, and restored from a base backup and the write-ahead log.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use database::connect;
use patience::until;
use tempfile::TempDir;
use tokio::task::block_in_place;

use crate::documented::{documented, run, settings};
use crate::load::Load;
use crate::primary::{self, DATABASE, until_ready, variables};
use crate::support::service::start_host;

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_server_has_all_that_was_acknowledged() {
    let elsewhere = folder_for_all();
    let here = |block: &String| block.replace("/archive", &elsewhere.path().display().to_string());
    let [archiving, backing_up] = documented::<2>("Keep what a restore needs")
        .each_ref()
        .map(here);
    let [restoring] = documented::<1>("Restore").each_ref().map(here);
    let backup = elsewhere.path().join("backup");

    let archiving = settings(&archiving);
    let mut lost = primary::start(&archiving).await;
    let host = start_host(variables(&lost.url(DATABASE))).await;
    let load = Load::start(&[host.client()]).await;
    load.goes_on(100).await;
    block_in_place(|| run(&lost, &backing_up, &[("BACKUP", &backup)])).unwrap();
    load.goes_on(100).await;
    // What comes next is in the archive and nowhere else.
    let archived = archive_what_there_is(&lost.url(DATABASE)).await;
    load.goes_on(100).await;
    lost.kill().unwrap();
    load.is_refused().await;
    let written = load.stop().await;
    host.stop().await;

    let dead = lost.folder().join("data");
    let restored = lost.another(&archiving, |data| {
        run(
            &lost,
            &restoring,
            &[("BACKUP", &backup), ("DEAD", &dead), ("DATA", data)],
        )
    });
    let restored = block_in_place(|| restored.unwrap());
    let log = fs::read_to_string(restored.folder().join("server.log")).unwrap();
    let line = format!("restored log file \"{archived}\" from archive");
    assert!(log.contains(&line), "{log}");

    until("the log is replayed", async || {
        let db = connect(&restored.url(DATABASE)).await.unwrap();
        let done = "SELECT NOT pg_is_in_recovery()";
        db.query_one(done, &[]).await.unwrap().get(0)
    })
    .await;

    let host = start_host(variables(&restored.url(DATABASE))).await;
    let client = host.client();
    until_ready(&client).await;
    written.is_stored(&client).await;
    written.is_recognised(&client).await;
    let load = Load::start(std::slice::from_ref(&client)).await;
    load.goes_on(100).await;
    assert_eq!(load.refused(), 0);
    load.stop().await.is_stored(&client).await;
    host.stop().await;
}

/// A folder that the user of PostgreSQL may write to, whoever runs the tests.
fn folder_for_all() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o777)).unwrap();
    folder
}

/// Ends the present segment of the write-ahead log, waits until it is in the archive, and returns its name.
async fn archive_what_there_is(url: &str) -> String {
    let db = connect(url).await.unwrap();
    let segment = "SELECT pg_walfile_name(pg_switch_wal())";
    let segment: String = db.query_one(segment, &[]).await.unwrap().get(0);
    let is_archived = "SELECT coalesce(last_archived_wal >= $1, false) FROM pg_stat_archiver";
    until("the segment is in the archive", async || {
        db.query_one(is_archived, &[&segment]).await.unwrap().get(0)
    })
    .await;
    segment
}
