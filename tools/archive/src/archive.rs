//! From the database into files.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use futures::{TryStreamExt, pin_mut};
use indicatif::ProgressBar;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, IsolationLevel, Transaction};

use crate::file::{Writing, verify};
use crate::manifest::{EVENTS, Files, Manifest};
use crate::month::Month;
use crate::progress::bar;
use crate::session::open;

/// Records of one statement. Rows come one by one, so none is held for the others.
const PAGE: i64 = 1000;

/// How long those who are changing records when it begins are waited for.
const PATIENCE: Duration = Duration::from_mins(5);

/// The kinds that have records of a month, or room for them, in the database at `url`; [`EVENTS`] if it has that for events.
pub async fn kinds_of(url: &str, month: &Month) -> Result<Vec<String>> {
    let (client, _) = open(url).await?;
    let sql = "SELECT kind FROM audit_archivable() WHERE month = $1::text::date ORDER BY kind = 'events', kind";
    let rows = client.query(sql, &[&month.first_day()]).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// The archive of a month of a kind in `folder`, if it is whole and is the one that the database at `url` notes for the month as
/// it is now.
pub async fn archived(
    url: &str,
    kind: &str,
    month: &Month,
    folder: &Path,
) -> Result<Option<Manifest>> {
    let files = Files::of(folder, kind, month);
    if !files.manifest.exists() {
        return Ok(None);
    }
    let (manifest, records) = Manifest::read(&files.manifest)?;
    let (client, _) = open(url).await?;
    let sql = "SELECT EXISTS (
        SELECT FROM audit_retention
        WHERE kind = $1 AND month = $2::text::date AND archived_at IS NOT NULL AND NOT changed AND sha256 = $3
    )";
    let parameters: [&(dyn ToSql + Sync); 3] = [&kind, &month.first_day(), &manifest.sha256];
    if !client.query_one(sql, &parameters).await?.get::<_, bool>(0) {
        return Ok(None);
    }
    verify(&records, &manifest)?;
    Ok(Some(manifest))
}

/// Writes a month of a kind into `folder`, and notes in the database at `url` that it is archived. If it fails, nothing is noted;
/// it never writes over an archive that is there. One at a time archives or restores a month of a kind, which stays meanwhile.
pub async fn archive(url: &str, kind: &str, month: &Month, folder: &Path) -> Result<Manifest> {
    let (mut client, schema) = open(url).await?;
    let files = Files::of(folder, kind, month);
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    if files.manifest.exists() {
        bail!(
            "{} is there already; an archive is never written over, so say another folder or move it away",
            files.manifest.display()
        );
    }
    if files.records.exists() {
        bail!(
            "{} is there without a manifest: somebody is just writing it, or an archive that broke off has left it; \
             say another folder, or remove it",
            files.records.display()
        );
    }
    let first_day = month.first_day();
    let begin = "SELECT audit_archive_begin($1, $2::text::date)";
    let started = client.execute(begin, &[&kind, &first_day]).await;
    started.context("this month cannot be archived")?;

    let end = "SELECT audit_archive_end($1, $2::text::date, $3, $4)";
    let written = write(&mut client, kind, month, schema, &files).await;
    let (records, sum) = match &written {
        Ok(manifest) => (Some(manifest.records), Some(&manifest.sha256)),
        Err(_) => (None, None),
    };
    let parameters: [&(dyn ToSql + Sync); 4] = [&kind, &first_day, &records, &sum];
    let noted = client.execute(end, &parameters).await;
    let manifest = written?;
    noted.with_context(|| {
        format!(
            "{} is written, but it is not known whether the database has noted that; archive it again into another folder",
            files.records.display()
        )
    })?;
    Ok(manifest)
}

/// Writes both files, from one snapshot.
async fn write(
    client: &mut Client,
    kind: &str,
    month: &Month,
    schema: i32,
    files: &Files,
) -> Result<Manifest> {
    wait_for_writers(client, kind, month).await?;
    let snapshot = client
        .build_transaction()
        .isolation_level(IsolationLevel::RepeatableRead)
        .start()
        .await?;
    let month_of = Rows::find(&snapshot, kind, month).await?;
    let archived_at = snapshot.query_one("SELECT now()::text", &[]).await?.get(0);
    let bar = bar(format!("archiving {kind} {month}"), month_of.records);
    let mut file = Writing::begin(files.records.clone())?;
    let (records, versions) = if kind == EVENTS {
        (month_of.write_events(&snapshot, &mut file, &bar).await?, 0)
    } else {
        month_of.write(&snapshot, &mut file, &bar).await?
    };
    let (bytes, sha256) = file.finish()?;
    snapshot.rollback().await?;
    bar.finish_and_clear();
    let manifest = Manifest {
        kind: kind.to_owned(),
        month: month.clone(),
        records,
        versions,
        bytes,
        sha256,
        schema,
        archived_at,
    };
    // The records are of this run: there were none.
    manifest.write(&files.manifest).inspect_err(|_| {
        let _ = fs::remove_file(&files.records);
    })?;
    Ok(manifest)
}

/// Waits for the transactions that may be changing a record and began before the database knew of the archive. What later ones
/// change is noted.
async fn wait_for_writers(client: &Client, kind: &str, month: &Month) -> Result<()> {
    let sql = "SELECT audit_month_writers($1, $2::text::date)";
    let first_day = month.first_day();
    let parameters: [&(dyn ToSql + Sync); 2] = [&kind, &first_day];
    let before: Vec<String> = client.query_one(sql, &parameters).await?.get(0);
    let deadline = Instant::now() + PATIENCE;
    loop {
        let now: Vec<String> = client.query_one(sql, &parameters).await?.get(0);
        if !now.iter().any(|writer| before.contains(writer)) {
            return Ok(());
        }
        if Instant::now() > deadline {
            bail!(
                "somebody has been changing records of {kind} {month} in one transaction for {} minutes; \
                 look for it in pg_stat_activity, then try again",
                PATIENCE.as_secs() / 60
            );
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// What is to be archived: the ids of a month of a kind.
struct Rows {
    kind: String,
    first_id: i64,
    end_id: i64,
    records: i64,
}

impl Rows {
    async fn find(snapshot: &Transaction<'_>, kind: &str, month: &Month) -> Result<Self> {
        let sql = "
            SELECT b.first_id, b.end_id, CASE $1
                WHEN 'events' THEN (
                    SELECT count(*) FROM audit_event AS e WHERE e.sequence >= b.first_id AND e.sequence < b.end_id
                )
                ELSE (
                    SELECT count(*) FROM audit AS a WHERE a.kind = $1 AND a.id >= b.first_id AND a.id < b.end_id
                )
            END
            FROM (
                SELECT audit_id_at(m.month AT TIME ZONE 'UTC') AS first_id,
                    audit_id_at((m.month + interval '1 month') AT TIME ZONE 'UTC') AS end_id
                FROM (SELECT $2::text::timestamp) AS m (month)
            ) AS b";
        let row = snapshot
            .query_one(sql, &[&kind, &month.first_day()])
            .await?;
        let found = Self {
            kind: kind.to_owned(),
            first_id: row.get(0),
            end_id: row.get(1),
            records: row.get(2),
        };
        // Who has read has a lock, so it stays from now on.
        let there = "SELECT audit_has_month($1, $2::text::date)";
        let row = snapshot
            .query_one(there, &[&kind, &month.first_day()])
            .await?;
        if !row.get::<_, bool>(0) {
            bail!("{kind} {month} was dropped before it could be archived");
        }
        if kind == EVENTS {
            return Ok(found);
        }
        // Keys are found by key only, so their table is read once. The kind is one of four words.
        let keys = format!(
            "CREATE TEMPORARY TABLE archived_key ON COMMIT DROP AS
                SELECT id, key FROM audit_key WHERE kind = '{}' AND id >= {} AND id < {};
             CREATE INDEX ON archived_key (id);
             ANALYZE archived_key",
            found.kind, found.first_id, found.end_id
        );
        snapshot.batch_execute(&keys).await?;
        Ok(found)
    }

    /// Page by page, the records and then their earlier states. Returns how many of each.
    async fn write(
        &self,
        snapshot: &Transaction<'_>,
        file: &mut Writing,
        bar: &ProgressBar,
    ) -> Result<(i64, i64)> {
        // Without the vector, which is long and would be read for nothing.
        let records = "
            SELECT a.id, jsonb_build_object(
                'record', to_jsonb(jsonb_populate_record(a, '{\"embedding\": null}')) - 'embedding', 'key', k.key
            )::text
            FROM audit AS a
            LEFT JOIN archived_key AS k ON k.id = a.id
            WHERE a.kind = $1 AND a.id > $2 AND a.id < $3
            ORDER BY a.id
            LIMIT $4";
        let records = snapshot.prepare(records).await?;
        let versions = "
            SELECT v.id, jsonb_build_object('version', to_jsonb(v), 'key', k.key)::text
            FROM audit_version AS v
            LEFT JOIN archived_key AS k ON k.id = v.id
            WHERE v.kind = $1 AND v.id > $2 AND v.id <= $3
            ORDER BY v.id, v.version";
        let versions = snapshot.prepare(versions).await?;
        let (mut written, mut earlier) = (0, 0);
        let mut after = self.first_id - 1;
        loop {
            let page: [&(dyn ToSql + Sync); 4] = [&self.kind, &after, &self.end_id, &PAGE];
            let rows = snapshot.query_raw(&records, page).await?;
            let (count, last) = lines(rows, file, Some(bar)).await?;
            let Some(last) = last else { break };
            written += count;
            let page: [&(dyn ToSql + Sync); 3] = [&self.kind, &after, &last];
            let rows = snapshot.query_raw(&versions, page).await?;
            earlier += lines(rows, file, None).await?.0;
            after = last;
        }
        Ok((written, earlier))
    }
}

impl Rows {
    /// Page by page, the events, the newest first: so they can be put back one after the other, where their chains were cut
    /// (`97_event_archive.sql`). Returns how many.
    async fn write_events(
        &self,
        snapshot: &Transaction<'_>,
        file: &mut Writing,
        bar: &ProgressBar,
    ) -> Result<i64> {
        let events = "
            SELECT e.sequence, jsonb_build_object('event', audit_event_packed(e))::text
            FROM audit_event AS e
            WHERE e.sequence >= $1 AND e.sequence < $2
            ORDER BY e.sequence DESC
            LIMIT $3";
        let events = snapshot.prepare(events).await?;
        let (mut written, mut before) = (0, self.end_id);
        loop {
            let page: [&(dyn ToSql + Sync); 3] = [&self.first_id, &before, &PAGE];
            let rows = snapshot.query_raw(&events, page).await?;
            let (count, last) = lines(rows, file, Some(bar)).await?;
            let Some(last) = last else { return Ok(written) };
            written += count;
            before = last;
        }
    }
}

/// Writes rows of an id and a line as they come. Returns how many there were, and the last id.
async fn lines(
    rows: tokio_postgres::RowStream,
    file: &mut Writing,
    bar: Option<&ProgressBar>,
) -> Result<(i64, Option<i64>)> {
    pin_mut!(rows);
    let (mut count, mut last) = (0, None);
    while let Some(row) = rows.try_next().await? {
        last = Some(row.get(0));
        file.line(row.get(1))?;
        count += 1;
        if let Some(bar) = bar {
            bar.inc(1);
        }
    }
    Ok((count, last))
}
