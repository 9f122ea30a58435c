//! Counting on a simulated host.

use std::collections::BTreeMap;
use std::time::Duration;

use audit::{Code, Kind};
use runtime::simulated::{CounterStore, Servers, run};
use serde_json::json;

use super::*;

const MILLISECOND: Duration = Duration::from_millis(1);

/// What is in the store once everything has ended.
fn counted(main: impl Future<Output = ()> + 'static) -> BTreeMap<String, i64> {
    let counters = CounterStore::default();
    let servers = Servers {
        counters: Some(counters.clone()),
        ..Servers::default()
    };
    run(servers, main);
    counters.all()
}

#[test]
fn an_instance_that_has_nothing_to_do_puts_its_counts_out() {
    let counters = counted(async {
        write(Kind::Remediation, Status::Success, 3, 2 * MILLISECOND);
        query(Operation::Get, Status::Failure, 20_000 * MILLISECOND);
        violation("[2].name", Code::Required);
        request("/api/v1/audit/{kind}", 201);
    });
    let expected = [
        (
            "datastorage_http_requests_total{route=\"/api/v1/audit\",status=\"201\"}",
            1,
        ),
        (
            "datastorage_query_duration_seconds_bucket{operation=\"get\",le=\"+Inf\"}",
            1,
        ),
        (
            "datastorage_query_duration_seconds_sum{operation=\"get\"}",
            20_000_000,
        ),
        (
            "datastorage_query_total{operation=\"get\",status=\"failure\"}",
            1,
        ),
        (
            "datastorage_validation_failures_total{field=\"name\",reason=\"required\"}",
            1,
        ),
        (
            "datastorage_write_duration_seconds_bucket{table=\"remediation_audit\",le=\"0.0025\"}",
            1,
        ),
        (
            "datastorage_write_duration_seconds_sum{table=\"remediation_audit\"}",
            2_000,
        ),
        (
            "datastorage_write_total{table=\"remediation_audit\",status=\"success\"}",
            3,
        ),
    ];
    let expected = expected.map(|(name, count)| (name.to_owned(), count));
    assert_eq!(counters, BTreeMap::from(expected));
}

/// Counts of a busy instance: out during a statement, if they have waited for a quarter of a second, and otherwise soon after.
#[test]
fn a_busy_instance_is_interrupted_during_statements_only() {
    let store = CounterStore::default();
    let servers = Servers {
        counters: Some(store.clone()),
        ..Servers::default()
    };
    run(servers, async move {
        let seen = || store.all().values().sum::<i64>();
        let busy = Active::begin();
        rate_limited();
        meanwhile(runtime::sleep(MILLISECOND)).await;
        assert_eq!(seen(), 0, "right after the first count");
        runtime::sleep(200 * MILLISECOND).await;
        assert_eq!(seen(), 0, "the request has not ended");
        runtime::sleep(60 * MILLISECOND).await;
        rate_limited();
        meanwhile(runtime::sleep(MILLISECOND)).await;
        assert_eq!(seen(), 2, "during a statement");
        rate_limited();
        meanwhile(runtime::sleep(MILLISECOND)).await;
        assert_eq!(seen(), 2, "right after the last time");
        runtime::sleep(240 * MILLISECOND).await;
        assert_eq!(seen(), 2, "no statement came yet");
        runtime::sleep(100 * MILLISECOND).await;
        assert_eq!(
            seen(),
            3,
            "none came for somewhat more than a quarter of a second"
        );
        drop(busy);
    });
}

#[test]
fn what_is_done_at_once_is_not_waited_for() {
    let done = counted(async {
        rate_limited();
        assert_eq!(meanwhile(async { 7 }).await, 7);
    });
    assert_eq!(done.values().sum::<i64>(), 1);
}

#[test]
fn a_store_that_fails_costs_nothing_but_counts() {
    let store = CounterStore::default();
    store.fail(true);
    let servers = Servers {
        counters: Some(store.clone()),
        ..Servers::default()
    };
    run(servers, async move {
        rate_limited();
        runtime::sleep(Duration::from_secs(1)).await;
        store.fail(false);
        rate_limited();
        runtime::sleep(Duration::from_secs(1)).await;
        assert_eq!(store.all().len(), 0, "it is left alone for a while");
        runtime::sleep(Duration::from_secs(10)).await;
        rate_limited();
        runtime::sleep(Duration::from_secs(1)).await;
        let counts: Vec<i64> = store.all().into_values().collect();
        assert_eq!(counts, [3], "what waited is not lost");
    });
}

#[test]
fn prometheus_reads_every_series_from_the_start() {
    let text = scrape(async {});
    for line in [
        "# TYPE datastorage_up gauge",
        "datastorage_up 1",
        "datastorage_write_total{table=\"workflow_audit\",status=\"failure\"} 0",
        "datastorage_dualwrite_success_total 0",
        "datastorage_query_duration_seconds_bucket{operation=\"timeline\",le=\"+Inf\"} 0",
        "datastorage_embedding_generation_duration_seconds_bucket{le=\"0.001\"} 0",
        "datastorage_embedding_generation_duration_seconds_sum 0.000000",
        "datastorage_embedding_generation_duration_seconds_count 0",
        "datastorage_outbox_depth 7",
        "datastorage_records{kind=\"aianalysis\"} 12",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
    assert!(!text.contains("datastorage_tail_vectors"), "not said");
}

#[test]
fn buckets_add_up() {
    let text = scrape(async {
        for milliseconds in [1, 2, 3, 70, 20_000] {
            embedding(milliseconds * MILLISECOND);
        }
    });
    let name = "datastorage_embedding_generation_duration_seconds";
    for (number, expected) in [
        ("bucket{le=\"0.001\"}", "1"),
        ("bucket{le=\"0.0025\"}", "2"),
        ("bucket{le=\"0.005\"}", "3"),
        ("bucket{le=\"0.05\"}", "3"),
        ("bucket{le=\"0.1\"}", "4"),
        ("bucket{le=\"10\"}", "4"),
        ("bucket{le=\"+Inf\"}", "5"),
        ("sum", "20.076000"),
        ("count", "5"),
    ] {
        let line = format!("{name}_{number} {expected}");
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
}

fn scrape(before: impl Future<Output = ()> + 'static) -> String {
    let servers = Servers {
        counters: Some(CounterStore::default()),
        ..Servers::default()
    };
    run(servers, async move {
        before.await;
        let gauges = json!({"outbox_depth": 7, "records": {"aianalysis": 12, "other": 3}});
        exposition(true, Some(&gauges))
    })
}
