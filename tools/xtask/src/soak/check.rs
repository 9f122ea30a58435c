//! What the databases say while the load rests: everything that was acknowledged is there, once, with its vector, and the
//! service counts as many as there are.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use database::connect;

use super::clients::Clients;
use super::compare::{Row, Vectors, compare};
use super::record::KINDS;
use crate::stage::Stage;
use crate::stage::http::Request;

/// How long maintenance may take to make up for a fault.
pub(super) const MAKING_UP: Duration = Duration::from_mins(2);

/// Between two looks at what is left for maintenance.
const PAUSE: Duration = Duration::from_millis(200);

/// Records that are read at once.
const PAGE: i64 = 20_000;

/// Compares what the clients know with what is stored.
#[derive(Default)]
pub(super) struct Checker {
    /// All records up to this id were compared before.
    compared: i64,
    /// How many records were compared, and how often.
    pub(super) records: usize,
    pub(super) times: u32,
}

impl Checker {
    /// Compares the records since the last time, and counts all. If the counts differ, or `everything` is asked for, all are
    /// compared. The load must rest.
    pub(super) async fn check(
        &mut self,
        stage: &Stage,
        clients: &Clients,
        everything: bool,
    ) -> Result<()> {
        let are_alike = count(stage, clients).await?;
        let from = if everything || !are_alike {
            0
        } else {
            self.compared
        };
        let (primary, vector) = (
            connect(&stage.primary_url).await?,
            connect(&stage.vector_url).await?,
        );
        self.compared = self.compare(&primary, &vector, clients, from).await?;
        self.times += 1;
        Ok(())
    }

    /// Compares page by page, beginning after the id `from`, and returns the last id.
    async fn compare(
        &mut self,
        primary: &Session,
        vector: &Session,
        clients: &Clients,
        from: i64,
    ) -> Result<i64> {
        let mut after = from;
        loop {
            let rows = rows(primary, vector, after).await?;
            let last = rows.last().map(|row| row.id);
            let is_last = rows.len() < usize::try_from(PAGE)?;
            let to = if is_last {
                i64::MAX
            } else {
                last.unwrap_or(after)
            };
            let findings = clients.with_ledger(|ledger| compare(ledger, after, to, &rows));
            for finding in findings {
                clients.violation(finding);
            }
            self.records += rows.len();
            after = last.unwrap_or(after);
            if is_last {
                return Ok(after);
            }
        }
    }
}

/// Whether the database, the service and the clients count alike.
async fn count(stage: &Stage, clients: &Clients) -> Result<bool> {
    let session = connect(&stage.primary_url).await?;
    let rows = session.query(TOTALS, &[]).await.context("the totals")?;
    let stored: BTreeMap<String, (i64, i64, i64)> = rows
        .iter()
        .map(|row| (row.get(0), (row.get(1), row.get(2), row.get(3))))
        .collect();
    let session = connect(&stage.vector_url).await?;
    let rows = session.query(DELIVERED, &[]).await.context("the vectors")?;
    let vectors: BTreeMap<String, i64> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    let mut are_alike = true;
    let totals = clients.with_ledger(|ledger| ledger.totals());
    for kind in KINDS {
        let (all, visible) = totals[kind];
        let listed = listed(stage, kind).await?;
        let (records, shown, keys) = stored.get(kind).copied().unwrap_or_default();
        let delivered = vectors.get(kind).copied().unwrap_or_default();
        let expected = (all, visible, all, visible, visible);
        let found = (records, shown, keys, listed, delivered);
        if expected != found {
            are_alike = false;
            clients.violation(format!(
                "{kind}: expected records, visible ones, keys, the total of a list and delivered vectors to be {expected:?}, found {found:?}"
            ));
        }
    }
    Ok(are_alike)
}

type Session = tokio_postgres::Client;

/// Of each kind: records, visible ones, natural keys.
const TOTALS: &str = "
    SELECT kind, count(*), count(*) FILTER (WHERE deleted_at IS NULL),
        (SELECT count(*) FROM audit_key AS k WHERE k.kind = a.kind)
    FROM audit AS a
    GROUP BY kind";

/// Of each kind: vectors in the vector database.
const DELIVERED: &str =
    "SELECT kind, count(*) FROM audit_embeddings WHERE embedding IS NOT NULL GROUP BY kind";

/// The total that a list has.
async fn listed(stage: &Stage, kind: &str) -> Result<i64> {
    let path = format!("/api/v1/query/{kind}?limit=1&total=exact");
    let list = Request::get(path).by(&stage.callers.reader);
    let answer = list.send(stage.address).await.context("a list")?;
    let page: serde_json::Value = serde_json::from_str(&answer.body)
        .with_context(|| format!("a list is answered with {}", answer.status))?;
    page["total"].as_i64().context("a list without a total")
}

/// The next page of stored records, by id.
async fn rows(primary: &Session, vector: &Session, after: i64) -> Result<Vec<Row>> {
    const STORED: &str = "
        SELECT a.kind, a.id, a.name, a.status, coalesce(a.metadata ->> 'corrected' = 'true', false), a.deleted_at IS NOT NULL,
            EXISTS (SELECT FROM audit_vector AS v WHERE v.kind = a.kind AND v.id = a.id)
                OR EXISTS (SELECT FROM audit_vector_tail AS v WHERE v.kind = a.kind AND v.id = a.id)
        FROM audit AS a
        WHERE a.id > $1
        ORDER BY a.id
        LIMIT $2";
    const OF_PAGE: &str = "
        SELECT audit_id, kind FROM audit_embeddings WHERE audit_id > $1 AND audit_id <= $2 AND embedding IS NOT NULL";
    let stored = primary.query(STORED, &[&after, &PAGE]).await;
    let stored = stored.context("stored records")?;
    let last: i64 = stored.last().map_or(after, |row| row.get(1));
    let delivered = vector.query(OF_PAGE, &[&after, &last]).await;
    let delivered: BTreeMap<i64, String> = delivered
        .context("delivered vectors")?
        .iter()
        .map(|row| (row.get(0), row.get(1)))
        .collect();
    Ok(stored
        .iter()
        .map(|row| {
            let (kind, id): (String, i64) = (row.get(0), row.get(1));
            Row {
                vectors: Vectors {
                    on_primary: row.get(6),
                    in_vector_database: delivered.get(&id) == Some(&kind),
                },
                kind,
                id,
                name: row.get(2),
                status: row.get(3),
                is_corrected: row.get(4),
                is_hidden: row.get(5),
            }
        })
        .collect())
}

/// Waits until maintenance has nothing left to do, which probes drive, and returns how long that took. More than
/// [`MAKING_UP`] is a violation.
pub(super) async fn made_up(stage: &Stage, clients: &Clients) -> Result<Duration> {
    const LEFT: &str = "
        SELECT (SELECT count(*) FROM audit WHERE embedding_model IS NULL), (SELECT count(*) FROM audit_outbox)";
    let session = connect(&stage.primary_url).await?;
    let began = Instant::now();
    loop {
        let row = session.query_one(LEFT, &[]).await.context("what is left")?;
        let left: (i64, i64) = (row.get(0), row.get(1));
        if left == (0, 0) {
            break;
        }
        if began.elapsed() > MAKING_UP {
            clients.violation(format!(
                "expected every record embedded and delivered within {} s, found {} without a vector and {} to be delivered",
                MAKING_UP.as_secs(),
                left.0,
                left.1
            ));
            break;
        }
        // What it answers is for the load to say.
        let _ = Request::get("/healthz").send(stage.address).await;
        tokio::time::sleep(PAUSE).await;
    }
    Ok(began.elapsed())
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr};

    use database::{MigrateOptions, TestDatabase, migrate_vector_db};

    use super::super::record;
    use super::super::violations::Violations;
    use super::*;
    use crate::stage::Callers;

    /// Record 1 with the id 10 and so on to record 3, in both databases.
    const STORE: &str = "
        INSERT INTO audit (kind, id, name, status, document, created_at, updated_at, version, name_is_stand_in, content_hash)
        SELECT 'remediation', audit_next_id(), 'soak-' || number, CASE number WHEN 2 THEN 'running' ELSE 'success' END,
            '{}', now(), now(), 1, false, ''
        FROM generate_series(1, 3) AS number;
        INSERT INTO audit_vector_tail (kind, id, model, embedding)
        SELECT kind, id, 'hash', array_fill(0.5, ARRAY[384])::vector FROM audit";

    /// The first record once more, with vectors nowhere.
    const DUPLICATE: &str = "
        INSERT INTO audit (kind, id, name, status, document, created_at, updated_at, version, name_is_stand_in, content_hash)
        SELECT kind, audit_next_id(), name, status, document, now(), now(), 1, false, ''
        FROM audit WHERE name = 'soak-1'";

    /// What the soak finds wrong with three acknowledged records, after somebody has spoilt them by hand.
    async fn found(spoil: &str) -> Vec<String> {
        let (primary, vector) = (
            TestDatabase::create().await,
            TestDatabase::create_empty().await,
        );
        let options = MigrateOptions::default();
        migrate_vector_db(vector.url(), &options, |_| {})
            .await
            .unwrap();
        let (primary, vector) = (primary.client().await, vector.client().await);
        primary.batch_execute(STORE).await.unwrap();
        let nowhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 9));
        let violations = Violations::new(Instant::now());
        let clients = Clients::new(nowhere, Callers::default(), 1, violations).unwrap();
        let acknowledged = "SELECT name, id FROM audit ORDER BY id";
        for row in primary.query(acknowledged, &[]).await.unwrap() {
            let (name, id): (String, i64) = (row.get(0), row.get(1));
            let number = record::number(&name).unwrap();
            clients.with_ledger(|ledger| ledger.add(number, id, true));
            let deliver =
                "INSERT INTO audit_embeddings (audit_id, embedding, created_at, kind, revision)
                VALUES ($1, array_fill(0.5, ARRAY[384])::vector, now(), 'remediation', 1)";
            vector.execute(deliver, &[&id]).await.unwrap();
        }
        primary.batch_execute(spoil).await.unwrap();
        let mut checker = Checker::default();
        let compared = checker.compare(&primary, &vector, &clients, 0);
        compared.await.unwrap();
        let violations = clients.violations.list();
        violations
            .into_iter()
            .map(|violation| violation.what)
            .collect()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_somebody_does_to_stored_records_is_found() {
        assert_eq!(found("").await, [""; 0]);
        for (spoil, expected) in [
            ("DELETE FROM audit WHERE name = 'soak-2'", "lost"),
            (DUPLICATE, "duplicate"),
            (
                "DELETE FROM audit_vector_tail WHERE id = (SELECT max(id) FROM audit)",
                "vector",
            ),
            (
                "UPDATE audit SET status = 'failure' WHERE name = 'soak-3'",
                "failure",
            ),
        ] {
            let findings = found(spoil).await;
            assert_eq!(findings.len(), 1, "{spoil}: {findings:?}");
            assert!(findings[0].contains(expected), "{spoil}: {findings:?}");
        }
    }
}
