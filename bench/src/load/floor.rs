//! The floor: what PostgreSQL does with the statements alone, by pgbench.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use database::variables;
use tempfile::NamedTempFile;

use super::operation::Operation;
use super::samples::Draw;
use crate::store::Store;

/// Statements of one script: different ones, so that not one row is asked for again and again.
const STATEMENTS: usize = 100;

/// The insert of the bare component.
const INSERT: &str = include_str!("../../bare/src/insert.sql");

/// The statement that an operation cannot do without; nothing for those without a database. Of a batch it is
/// that of one record.
fn statement(operation: Operation, draw: &mut Draw) -> Option<String> {
    let page = "ORDER BY a.id DESC LIMIT 100";
    let list = |conditions: &str| {
        format!(
            "SELECT json_agg(audit_json(a) ORDER BY a.id DESC)::text FROM (
                 SELECT * FROM audit AS a WHERE a.kind = 'remediation' AND a.deleted_at IS NULL{conditions} {page}
             ) AS a, (
                 SELECT count(*) FROM (
                     SELECT FROM audit AS a
                     WHERE a.kind = 'remediation' AND a.deleted_at IS NULL{conditions} LIMIT 100001
                 ) AS a
             ) AS counted"
        )
    };
    Some(match operation {
        Operation::WriteSingle => INSERT.replace("$1", &quoted(draw.body())),
        Operation::GetById => format!(
            "SELECT audit_json(a)::text FROM audit AS a
             WHERE a.kind = 'remediation' AND a.id = {} AND a.deleted_at IS NULL",
            draw.id()
        ),
        Operation::List100 => list(""),
        Operation::ListFiltered1m => {
            let (namespace, severity) = draw.filters();
            list(&format!(
                " AND a.namespace = {} AND a.severity = {}",
                quoted(&namespace),
                quoted(&severity)
            ))
        }
        Operation::Timeline => format!(
            "SELECT json_agg(audit_json(a) ORDER BY a.start_time, a.id)::text
             FROM audit_correlation AS c JOIN audit AS a ON a.kind = c.kind AND a.id = c.id
             WHERE c.key = {} AND a.deleted_at IS NULL",
            quoted(&draw.correlation())
        ),
        Operation::WriteBatch100 | Operation::Health => return None,
    })
}

/// A literal that pgbench takes for no variable of its own: a colon before a letter would be one.
fn quoted(text: &str) -> String {
    let text = text
        .replace('\\', "\\\\")
        .replace('\'', "''")
        .replace(':', "\\003A");
    format!("U&'{text}'")
}

/// Statements of an operation per second over so many connections, parsed and planned every time, as a component
/// has to.
pub(crate) fn measure(
    store: &Store,
    url: &str,
    operation: Operation,
    connections: usize,
    duration: Duration,
    draw: &mut Draw,
) -> Result<Option<f64>> {
    let mut script = String::new();
    for _ in 0..STATEMENTS {
        let Some(statement) = statement(operation, draw) else {
            return Ok(None);
        };
        // Writing to a String cannot fail. One line each: pgbench shows less of an error otherwise.
        _ = writeln!(script, "{};", statement.replace('\n', " "));
    }
    let mut file = NamedTempFile::new()?;
    file.write_all(script.as_bytes())?;
    let output = Command::new(store.program("pgbench"))
        .args(["--no-vacuum", "--protocol", "extended", "--jobs", "1"])
        .args(["--client", &connections.to_string()])
        .args(["--time", &duration.as_secs().max(1).to_string()])
        .arg("--file")
        .arg(file.path())
        .envs(environment(url)?)
        .output()
        .context("cannot run pgbench")?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "pgbench failed: {errors}");
    rate(&String::from_utf8_lossy(&output.stdout)).map(Some)
}

/// How pgbench finds the database. Not on the command line, where others see the password.
fn environment(url: &str) -> Result<Vec<(&'static str, String)>> {
    let names = [
        "PGHOST",
        "PGPORT",
        "PGUSER",
        "PGPASSWORD",
        "PGDATABASE",
        "PGSSLMODE",
    ];
    let values = variables::of_database(url)?.into_iter();
    Ok(names
        .into_iter()
        .zip(values.map(|(_, value)| value))
        .collect())
}

/// Statements per second from pgbench's report, which counts scripts.
fn rate(report: &str) -> Result<f64> {
    let line = report.lines().find_map(|line| line.strip_prefix("tps = "));
    let scripts = line.and_then(|line| line.split(' ').next()?.parse::<f64>().ok());
    #[expect(clippy::cast_precision_loss, reason = "a hundred")]
    scripts
        .map(|scripts| scripts * STATEMENTS as f64)
        .with_context(|| format!("pgbench reported no rate: {report}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pgbench_counts_scripts() {
        let report = "number of failed transactions: 0 (0.000%)\ntps = 12.5 (without initial connection time)\n";
        assert!((rate(report).unwrap() - 1250.0).abs() < 1e-9);
        assert!(rate("").is_err());
    }

    #[test]
    fn a_colon_is_no_variable() {
        assert_eq!(quoted("it's {\"a\":1}"), r#"U&'it''s {"a"\003A1}'"#);
    }
}
