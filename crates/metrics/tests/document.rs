//! `docs/metrics.md` is printed from the table of families: `UPDATE_METRICS=1 cargo test -p metrics --test document`.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use metrics::{COUNTED, Family, GAUGES, UP};

const HEAD: &str = "\
# Metrics

This page is printed from `crates/metrics/src/families.rs`, by `UPDATE_METRICS=1 cargo test -p metrics --test document`.

`/metrics` has these families in Prometheus' text format 0.0.4. Each replica counts for itself, in memory that ends with its process: scrape
every pod, and add up. What the database says is the same on every replica: take the maximum. A series is there from the start, as 0. Requests are
counted within a second of their answer; a replica that is killed loses what it counted within the last quarter of a second.

`status=\"failure\"` is what the service failed at (5xx), or what a client gave up waiting for. What was rightly refused, or not found, is neither
`success` nor `failure`; `datastorage_http_requests_total` has its status. Histograms have the buckets 1, 2.5, 5, 10, 25, 50, 100, 250 and 500 ms,
and 1, 2.5, 5 and 10 s.

";

#[test]
fn the_document_says_what_the_table_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/metrics.md");
    let document = document();
    if std::env::var_os("UPDATE_METRICS").is_some() {
        fs::write(&path, &document).expect("docs/metrics.md is writable");
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(found, document, "print docs/metrics.md anew, as it says");
}

fn document() -> String {
    let mut text = HEAD.to_owned();
    for (title, families) in [
        ("What a replica counts", COUNTED.as_slice()),
        ("What the database says", GAUGES.as_slice()),
        ("Whether it works", &[UP]),
    ] {
        _ = writeln!(
            text,
            "## {title}\n\n| family | type | labels | |\n| --- | --- | --- | --- |"
        );
        for family in families {
            _ = writeln!(text, "{}", row(family));
        }
        text.push('\n');
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

fn row(family: &Family) -> String {
    let label = |label: &metrics::Label| {
        let values: Vec<_> = label
            .values
            .iter()
            .map(|value| format!("`{value}`"))
            .collect();
        format!("`{}`: {}", label.name, values.join(", "))
    };
    let labels: Vec<_> = family.labels.iter().map(label).collect();
    format!(
        "| `{}` | {} | {} | {} |",
        family.name,
        family.r#type.as_str(),
        labels.join("; "),
        family.help
    )
}
