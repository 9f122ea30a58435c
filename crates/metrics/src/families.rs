//! All families: their names, help texts and labels. Everything else is made from this table, or checked against it:
//! the counting, `/metrics`, the documents, dashboard and alerts.

use crate::labels::{
    Access, CATEGORIES, DualWriteFailure, FIELDS, LEAVING, OUTCOMES, Operation, REASONS, ROUTES,
    STATUSES, Server, Status, TABLES,
};

/// The upper bounds of a histogram's buckets, in microseconds and as Prometheus reads them, in seconds: 1 ms to 10 s, because the
/// targets lie between (contract, section 10).
pub(crate) const BUCKETS: [(u64, &str); 13] = [
    (1_000, "0.001"),
    (2_500, "0.0025"),
    (5_000, "0.005"),
    (10_000, "0.01"),
    (25_000, "0.025"),
    (50_000, "0.05"),
    (100_000, "0.1"),
    (250_000, "0.25"),
    (500_000, "0.5"),
    (1_000_000, "1"),
    (2_500_000, "2.5"),
    (5_000_000, "5"),
    (10_000_000, "10"),
];

/// What a family's numbers are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// It only grows, until the replica ends.
    Counter,
    /// Durations in seconds.
    Histogram,
    /// What the database says at the scrape.
    Gauge,
}

impl Type {
    /// As Prometheus calls it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Histogram => "histogram",
            Self::Gauge => "gauge",
        }
    }
}

/// A label and the closed set of its values.
#[derive(Debug, Clone, Copy)]
pub struct Label {
    /// Its name.
    pub name: &'static str,
    /// All values that it may have.
    pub values: &'static [&'static str],
}

/// Series of one name.
#[derive(Debug, Clone, Copy)]
pub struct Family {
    /// Its name.
    pub name: &'static str,
    /// What it is for, in one sentence.
    pub help: &'static str,
    /// What its numbers are.
    pub r#type: Type,
    /// Each combination of their values is a series.
    pub labels: &'static [Label],
}

pub(crate) const fn label(name: &'static str, values: &'static [&'static str]) -> Label {
    Label { name, values }
}

const TABLE: Label = label("table", TABLES);
const STATUS: Label = label("status", Status::VALUES);
const OPERATION: Label = label("operation", Operation::VALUES);

/// A family that is counted, by its place in [`COUNTED`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Counted {
    Writes,
    WriteDuration,
    Events,
    Quarantined,
    DualWrites,
    DualWriteFailures,
    Fallbacks,
    CacheHits,
    CacheMisses,
    EmbeddingDuration,
    ValidationFailures,
    Queries,
    QueryDuration,
    ServerReads,
    Access,
    RateLimited,
    RateLimitBypassed,
    DroppedMonths,
    Requests,
}

/// The families that instances count.
pub const COUNTED: [Family; 19] = [
    Family {
        name: "datastorage_write_total",
        help: "Records that were posted, changed or hidden, events that were posted, and those that the service failed to.",
        r#type: Type::Counter,
        labels: &[TABLE, STATUS],
    },
    Family {
        name: "datastorage_write_duration_seconds",
        help: "How long requests that write took, refused ones aside.",
        r#type: Type::Histogram,
        labels: &[TABLE],
    },
    Family {
        name: "datastorage_events_total",
        help: "Events that were written to the log, by what they say of themselves.",
        r#type: Type::Counter,
        labels: &[label("category", CATEGORIES), label("outcome", OUTCOMES)],
    },
    Family {
        name: "datastorage_events_quarantined_total",
        help: "What was posted to the log and is no event, and was put into quarantine.",
        r#type: Type::Counter,
        labels: &[label("reason", REASONS)],
    },
    Family {
        name: "datastorage_dualwrite_success_total",
        help: "Records that the vector database was told of.",
        r#type: Type::Counter,
        labels: &[],
    },
    Family {
        name: "datastorage_dualwrite_failure_total",
        help: "Times that the vector database could not be told; in fallback mode it is told again later.",
        r#type: Type::Counter,
        labels: &[label("reason", DualWriteFailure::VALUES)],
    },
    Family {
        name: "datastorage_fallback_mode_total",
        help: "Searches that the primary answered because the vector database could not.",
        r#type: Type::Counter,
        labels: &[],
    },
    Family {
        name: "datastorage_cache_hits_total",
        help: "Texts whose embedding was in the cache.",
        r#type: Type::Counter,
        labels: &[],
    },
    Family {
        name: "datastorage_cache_misses_total",
        help: "Texts whose embedding was not in the cache.",
        r#type: Type::Counter,
        labels: &[],
    },
    Family {
        name: "datastorage_embedding_generation_duration_seconds",
        help: "How long requests to the embedding provider took, failed ones too.",
        r#type: Type::Histogram,
        labels: &[],
    },
    Family {
        name: "datastorage_validation_failures_total",
        help: "Violations that clients were told of.",
        r#type: Type::Counter,
        labels: &[label("field", FIELDS), label("reason", REASONS)],
    },
    Family {
        name: "datastorage_query_total",
        help: "Reads, refused ones aside.",
        r#type: Type::Counter,
        labels: &[OPERATION, STATUS],
    },
    Family {
        name: "datastorage_query_duration_seconds",
        help: "How long reads took, refused ones aside.",
        r#type: Type::Histogram,
        labels: &[OPERATION],
    },
    Family {
        name: "datastorage_server_reads_total",
        help: "Statements of reads by the server that they went to, if there is a read replica.",
        r#type: Type::Counter,
        labels: &[label("server", Server::VALUES)],
    },
    Family {
        name: "datastorage_auth_total",
        help: "Callers that asked to be let in.",
        r#type: Type::Counter,
        labels: &[label("result", Access::VALUES)],
    },
    Family {
        name: "datastorage_rate_limited_total",
        help: "Requests that were refused because their caller was over its limit.",
        r#type: Type::Counter,
        labels: &[],
    },
    Family {
        name: "datastorage_rate_limit_bypassed_total",
        help: "Requests that passed without being counted for their caller, because the rate limit's store was away or refused.",
        r#type: Type::Counter,
        labels: &[],
    },
    Family {
        name: "datastorage_retention_months_dropped_total",
        help: "Months of records and of events that retention dropped.",
        r#type: Type::Counter,
        labels: &[label("kind", LEAVING)],
    },
    Family {
        name: "datastorage_http_requests_total",
        help: "Requests, by the beginning of their path, if there is such a path, and the status of their answer; 499 is a client that went away.",
        r#type: Type::Counter,
        labels: &[label("route", ROUTES), label("status", STATUSES)],
    },
];

impl Family {
    /// How many combinations its labels have.
    pub(crate) const fn combinations(&self) -> usize {
        let mut combinations = 1_usize;
        let mut labels = self.labels;
        while let [first, rest @ ..] = labels {
            combinations = combinations.wrapping_mul(first.values.len());
            labels = rest;
        }
        combinations
    }

    /// How many numbers each combination has: of a histogram one for each bucket, one for what is beyond them, and the sum.
    pub(crate) const fn numbers(&self) -> usize {
        match self.r#type {
            Type::Histogram => BUCKETS.len().wrapping_add(2),
            Type::Counter | Type::Gauge => 1,
        }
    }

    /// The labels of a combination as Prometheus writes them, without braces: `table="x",status="y"`. The last label's
    /// values come one after the other.
    pub(crate) fn labels_of(&self, mut combination: usize) -> String {
        let mut pairs = Vec::with_capacity(self.labels.len());
        for label in self.labels.iter().rev() {
            let count = label.values.len().max(1);
            let value = label.values.get(combination.wrapping_rem(count));
            pairs.push(format!(
                "{}=\"{}\"",
                label.name,
                value.copied().unwrap_or_default()
            ));
            combination = combination.wrapping_div(count);
        }
        pairs.reverse();
        pairs.join(",")
    }
}

/// Where the numbers of each family begin among all, and how many there are.
const OFFSETS: [usize; COUNTED.len() + 1] = {
    let mut offsets = [0_usize; COUNTED.len() + 1];
    let mut place = 0;
    while place < COUNTED.len() {
        #[expect(clippy::indexing_slicing, reason = "worked out by the compiler")]
        {
            let family = &COUNTED[place];
            let numbers = family.combinations().wrapping_mul(family.numbers());
            offsets[place.wrapping_add(1)] = offsets[place].wrapping_add(numbers);
        }
        place = place.wrapping_add(1);
    }
    offsets
};

/// How many numbers there are.
pub(crate) const NUMBERS: usize = {
    let [.., last] = OFFSETS;
    last
};

/// Where the numbers of a combination of labels' values begin.
pub(crate) fn place(counted: Counted, values: &[usize]) -> usize {
    let at = counted as usize;
    let Some(family) = COUNTED.get(at) else {
        return NUMBERS;
    };
    let mut combination = 0_usize;
    for (label, value) in family.labels.iter().zip(values) {
        combination = combination
            .wrapping_mul(label.values.len())
            .wrapping_add(*value);
    }
    let offset = OFFSETS.get(at).copied().unwrap_or(NUMBERS);
    offset.wrapping_add(combination.wrapping_mul(family.numbers()))
}

/// The name of a number in the store: that of Prometheus, but a bucket has only what lies between its bound and the one below, and a
/// sum has microseconds.
pub(crate) fn name(place: usize) -> String {
    let at = OFFSETS.partition_point(|offset| *offset <= place);
    let at = at.saturating_sub(1);
    let (Some(family), Some(offset)) = (COUNTED.get(at), OFFSETS.get(at)) else {
        return String::new();
    };
    let (inside, numbers) = (place.wrapping_sub(*offset), family.numbers());
    let labels = family.labels_of(inside.wrapping_div(numbers));
    let name = family.name;
    if family.r#type != Type::Histogram {
        return format!("{name}{{{labels}}}");
    }
    let number = inside.wrapping_rem(numbers);
    let bound = BUCKETS.get(number).map(|(_, bound)| *bound);
    match bound.or((number == BUCKETS.len()).then_some("+Inf")) {
        Some(bound) => format!("{name}_bucket{{{labels},le=\"{bound}\"}}"),
        None => format!("{name}_sum{{{labels}}}"),
    }
}

/// The names of all numbers, in their order.
pub(crate) fn names() -> Vec<String> {
    (0..NUMBERS).map(name).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_number_has_a_name_of_its_own() {
        let names = names();
        assert_eq!(names.len(), NUMBERS);
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), NUMBERS);
        assert_eq!(
            names[place(Counted::Writes, &[3, 1])],
            "datastorage_write_total{table=\"execution_audit\",status=\"failure\"}"
        );
        assert_eq!(
            names[place(Counted::QueryDuration, &[1])],
            "datastorage_query_duration_seconds_bucket{operation=\"get\",le=\"0.001\"}"
        );
        assert_eq!(
            names[place(Counted::DroppedMonths, &[3])],
            "datastorage_retention_months_dropped_total{kind=\"execution\"}"
        );
    }
}
