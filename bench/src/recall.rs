//! How much of what exact search finds is found, and how fast: one month and twelve, vectors in full and in
//! half precision, without and with filters.

use std::time::Instant;

use anyhow::Result;
use tokio_postgres::Client;

use crate::incidents::{Incidents, MODEL};
use crate::latency::Latency;
use crate::report::Report;
use crate::store::{DIMENSIONS, Store, client, fill, rewrite, say, spread};

/// How many results a search is asked for.
const WANTED: i32 = 10;
/// The default of the variable `search_ef`, first, and others.
const EF: [i32; 3] = [100, 40, 200];
/// What the default must reach.
const TARGET: f64 = 0.98;

pub(crate) async fn run(quick: bool) -> Result<Report> {
    let (records, probes) = if quick { (2_000, 4) } else { (100_000, 100) };
    let store = Store::start()?;
    let mut report = Report::new(&[
        "months",
        "precision",
        "filter",
        "share",
        "ef",
        "recall@10",
        "p50 ms",
        "p95 ms",
    ]);
    let mut least = f64::INFINITY;
    for months in [1, 12] {
        say(&format!("{records} records in {months} months"));
        let client = client(&store.database(&format!("months_{months}")).await?).await?;
        if months > 1 {
            spread(&client, months).await?;
        }
        let mut incidents = Incidents::new(1, DIMENSIONS);
        fill(&client, &mut incidents, records).await?;
        let probes: Vec<String> = (0..probes).map(|_| incidents.probe()).collect();
        let mut cases = Vec::new();
        for (name, filter) in filters(&client).await? {
            cases.push(Case::prepare(&client, name, filter, &probes).await?);
        }
        for precision in ["vector", "halfvec"] {
            say(&format!("searching by {precision}"));
            if precision == "halfvec" {
                use_halves(&client).await?;
            }
            for case in &cases {
                // The others only without a filter: what they change is the index's part.
                let ef = if case.filter == "{}" {
                    &EF[..]
                } else {
                    &EF[..1]
                };
                for &ef in ef {
                    let (recall, latency) = case.measure(&client, &probes, ef).await?;
                    if ef == EF[0] && precision == "vector" {
                        least = least.min(recall);
                    }
                    report.row(vec![
                        months.to_string(),
                        precision.to_owned(),
                        case.name.clone(),
                        format!("{:.2} %", case.share * 100.0),
                        ef.to_string(),
                        format!("{recall:.4}"),
                        format!("{:.1}", latency.quantile(0.5)),
                        format!("{:.1}", latency.quantile(0.95)),
                    ]);
                }
            }
        }
    }
    let word = if least >= TARGET { "reached" } else { "missed" };
    report.remark(format!(
        "Least recall@10 by vector with ef {}: {least:.4}; the target of {TARGET} is {word}.",
        EF[0]
    ));
    Ok(report)
}

/// Filters that let about so many records through: 0.1 %, 1 %, 10 %, and by the columns that have no
/// index.
async fn filters(client: &Client) -> Result<Vec<(String, String)>> {
    let mut filters = vec![("none".to_owned(), "{}".to_owned())];
    let sql = "SELECT namespace FROM audit GROUP BY namespace
               ORDER BY abs(ln(count(*)::float8 / (SELECT count(*) FROM audit) / $1::float8)) LIMIT 1";
    for share in [0.001, 0.01, 0.1] {
        let namespace: String = client.query_one(sql, &[&share]).await?.get(0);
        filters.push((
            format!("namespace {namespace}"),
            format!(r#"{{"namespace":"{namespace}"}}"#),
        ));
    }
    let others = [
        ("severity medium", r#"{"severity":"medium"}"#),
        ("severity critical", r#"{"severity":"critical"}"#),
        ("kind workflow", r#"{"kinds":["workflow"]}"#),
        ("kind remediation", r#"{"kinds":["remediation"]}"#),
        ("environment production", r#"{"environment":"production"}"#),
    ];
    filters.extend(others.map(|(name, filter)| (name.to_owned(), filter.to_owned())));
    Ok(filters)
}

/// A filter, and for each probe how far away the last of the true results is.
struct Case {
    name: String,
    filter: String,
    share: f64,
    limits: Vec<(i64, f64)>,
}

impl Case {
    async fn prepare(
        client: &Client,
        name: String,
        filter: String,
        probes: &[String],
    ) -> Result<Self> {
        let sql = "SELECT count(*), coalesce(max(distance), 0)
                   FROM audit_nearest_exact($1::text::vector, $2, $3::text::jsonb, $4)";
        let mut limits = Vec::new();
        for probe in probes {
            let row = client
                .query_one(sql, &[probe, &MODEL, &filter, &WANTED])
                .await?;
            limits.push((row.get(0), row.get(1)));
        }
        let sql = "SELECT 'SELECT avg((true' || audit_conditions($1::text::jsonb) || ')::int)::float8 FROM audit AS a'";
        let count: String = client.query_one(sql, &[&filter]).await?.get(0);
        let share = client.query_one(&count, &[]).await?.get(0);
        Ok(Self {
            name,
            filter,
            share,
            limits,
        })
    }

    /// A result counts if it is no farther than the last true one: of equal ones any will do.
    #[expect(clippy::cast_precision_loss, reason = "thousands")]
    async fn measure(&self, client: &Client, probes: &[String], ef: i32) -> Result<(f64, Latency)> {
        let count = client
            .prepare(
                "SELECT count(*)
                 FROM unnest(audit_nearest($1::text::vector, $2, $3::text::jsonb, $4, $5)) AS h
                 JOIN audit AS a ON a.kind = h.kind AND a.id = h.id
                 WHERE a.embedding <=> $1::text::vector <= $6::float8 + 1e-6",
            )
            .await?;
        let search = client
            .prepare("SELECT audit_search($1, $2, $3::text::jsonb, $4, NULL, $5)")
            .await?;
        let (mut found, mut there) = (0, 0);
        let mut latency = Latency::default();
        for (probe, (exact, limit)) in probes.iter().zip(&self.limits) {
            let row = client
                .query_one(&count, &[probe, &MODEL, &self.filter, &WANTED, &ef, limit])
                .await?;
            found += row.get::<_, i64>(0);
            there += exact;
            let start = Instant::now();
            client
                .query_one(&search, &[probe, &MODEL, &self.filter, &WANTED, &ef])
                .await?;
            latency.add(start.elapsed());
        }
        Ok((found as f64 / there.max(1) as f64, latency))
    }
}

/// Indexes and searches in half precision; the table keeps full precision.
async fn use_halves(client: &Client) -> Result<()> {
    let half = format!("(v.embedding::halfvec({DIMENSIONS}))");
    let order = "ORDER BY v.embedding <=> probe";
    let by_half = format!("ORDER BY {half} <=> probe::halfvec({DIMENSIONS})");
    rewrite(client, "audit_nearest_indexed", order, &by_half).await?;
    let sql = format!(
        "DROP INDEX audit_vector_embedding;
         CREATE INDEX audit_vector_embedding ON audit_vector
             USING hnsw ((embedding::halfvec({DIMENSIONS})) halfvec_cosine_ops) WITH (m = 16, ef_construction = 64)"
    );
    Ok(client.batch_execute(&sql).await?)
}
