//! What the figures of a whole run may be.

use super::clients::Clients;
use super::samples::{FIGURES, Sample, trends};

/// The most of write-ahead log that may ever be kept, in MiB: `max_wal_size`, and what is written until it is heeded.
const LOG: f64 = 1536.0;

/// In calm times 99 of 100 answers are there within so many milliseconds. It is far more than is usual, because machines differ.
const SLOWEST: f64 = 2000.0;

/// Searches without a filter are approximate, and may miss one record in so many.
const MISSED: u64 = 10;

/// What must be flat is, and what must be found is.
pub(super) fn judge(clients: &Clients, samples: &[Sample]) {
    for figure in FIGURES {
        for (life, trend) in trends(samples, figure.of) {
            if !trend.is_flat(figure.bound) {
                clients.violation(format!(
                    "expected {} to be flat in life {} of the host, found {trend:?}",
                    figure.name,
                    life + 1
                ));
            }
        }
    }
    let log = samples.iter().map(|sample| sample.log).fold(0.0, f64::max);
    if log > LOG {
        clients.violation(format!(
            "expected at most {LOG} MiB of write-ahead log, found {log}"
        ));
    }
    for latency in clients.tally.latencies() {
        if latency.p99 > SLOWEST {
            clients.violation(format!(
                "{}: expected 99 of 100 answers within {SLOWEST} ms while nothing was wrong, found {} ms",
                latency.operation.name(),
                latency.p99
            ));
        }
    }
    let (asked, missed) = clients.tally.searches();
    if missed * MISSED > asked {
        clients.violation(format!(
            "expected at most one in {MISSED} records not to be found by a question without a filter, found {missed} of {asked}"
        ));
    }
}
