//! From files back into the database.

use std::path::Path;

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use tokio_postgres::Client;
use tokio_postgres::types::ToSql;

use crate::file::{lines, verify};
use crate::manifest::{EVENTS, Manifest};
use crate::progress::bar;
use crate::session::open;

/// Lines of one transaction, and how long they may be together; a longer one goes alone.
const LINES: usize = 500;
const BYTES: usize = 4 << 20;

/// How a month is restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RestoreOptions {
    /// For how many days retention leaves it alone.
    pub keep_days: i32,
    /// Whether it may be another archive than the one that the database notes for the month.
    pub other_archive: bool,
    /// Whether events of correlations that the database does not know are restored, too. Of several months the newest must come first,
    /// because a chain begins with the newest event that it is given.
    pub new_chains: bool,
}

/// What became of the records of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// What was read.
    pub manifest: Manifest,
    /// Records, or events, that were not there.
    pub restored: i64,
    /// Records that are left out, because another record has their natural key or their id by now. Events that are left out, because
    /// they are not the last ones that their chain has lost, or the database does not know the chain.
    pub left_out: i64,
}

/// What `audit_restore` returns.
#[derive(Deserialize)]
struct Batch {
    restored: i64,
    left_out: i64,
}

/// Reads the archive of this manifest back into the database at `url`. What is there already stays as it is. If it fails in the
/// middle, what was read stays, and another run goes on. One at a time archives or restores a month of a kind, which stays meanwhile.
pub async fn restore(url: &str, manifest: &Path, options: RestoreOptions) -> Result<Restored> {
    let (manifest, path) = Manifest::read(manifest)?;
    verify(&path, &manifest)?;
    let (client, schema) = open(url).await?;
    if manifest.schema > schema {
        bail!(
            "the archive comes from a database with the schema {}, and this one has {schema}; \
             bring it there with `cargo xtask migrate` of a newer release first",
            manifest.schema
        );
    }
    let (kind, month) = (&manifest.kind, &manifest.month);
    let first_day = month.first_day();
    let begin = "SELECT audit_restore_begin(
        $1, $2::text::date, make_interval(days => $3), $4, $5, $6::text::timestamptz, $7
    )";
    let (records, sum, at) = (manifest.records, &manifest.sha256, &manifest.archived_at);
    let (keep_days, other) = (options.keep_days, options.other_archive);
    let parameters: [&(dyn ToSql + Sync); 7] =
        [kind, &first_day, &keep_days, &records, sum, at, &other];
    let started = client.execute(begin, &parameters).await;
    started.context("this month cannot be restored")?;

    let restored = read(&client, &manifest, &path, options).await;
    let end = "SELECT audit_restore_end($1, $2::text::date)";
    // If that fails, the connection is lost, and nothing is held any more.
    let _ = client.execute(end, &[kind, &first_day]).await;
    restored
}

/// Stores what is in the archive at `path`.
async fn read(
    client: &Client,
    manifest: &Manifest,
    path: &Path,
    options: RestoreOptions,
) -> Result<Restored> {
    let records = manifest.records;
    let bar = bar(
        format!("restoring {} {}", manifest.kind, manifest.month),
        records,
    );
    let mut restored = Restored {
        manifest: manifest.clone(),
        restored: 0,
        left_out: 0,
    };
    let mut batch = Vec::new();
    let mut bytes = 0;
    let mut read = 0;
    for line in lines(path)? {
        let line = line?;
        if is_record(&line) {
            read += 1;
            bar.inc(1);
        }
        bytes += line.len();
        batch.push(line);
        if batch.len() == LINES || bytes >= BYTES {
            restored.take(client, &mut batch, options).await?;
            bytes = 0;
        }
    }
    restored.take(client, &mut batch, options).await?;
    bar.finish_and_clear();
    if read != records {
        bail!("the manifest says that there are {records}, and the archive has {read}");
    }
    Ok(restored)
}

/// Whether a line is a record or an event, not an earlier state of one.
fn is_record(line: &str) -> bool {
    #[derive(Deserialize)]
    struct Line {
        #[serde(alias = "event")]
        record: Option<serde::de::IgnoredAny>,
    }
    serde_json::from_str(line).is_ok_and(|line: Line| line.record.is_some())
}

impl Restored {
    /// Stores some lines, in one transaction.
    async fn take(
        &mut self,
        client: &Client,
        batch: &mut Vec<String>,
        options: RestoreOptions,
    ) -> Result<()> {
        if batch.is_empty() {
            return Ok(());
        }
        let lines = format!("[{}]", batch.join(","));
        batch.clear();
        let (kind, first_day) = (&self.manifest.kind, self.manifest.month.first_day());
        let row = if kind == EVENTS {
            let sql = "SELECT audit_event_restore($1::text::date, $2::text::jsonb, $3)::text";
            let parameters: [&(dyn ToSql + Sync); 3] = [&first_day, &lines, &options.new_chains];
            client.query_one(sql, &parameters).await?
        } else {
            let sql = "SELECT audit_restore($1, $2::text::date, $3::text::jsonb)::text";
            client.query_one(sql, &[kind, &first_day, &lines]).await?
        };
        let stored: Batch = serde_json::from_str(row.get(0))?;
        self.restored += stored.restored;
        self.left_out += stored.left_out;
        Ok(())
    }
}
