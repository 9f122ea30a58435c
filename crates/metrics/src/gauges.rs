//! The families that are asked for at each scrape rather than counted.

use crate::families::{Family, Label, Type, label};
use crate::labels::KINDS;

const KIND: Label = label("kind", KINDS);

/// The families that the databases are asked for at each scrape. Each is a member of what `audit_gauges()` returns, without its prefix;
/// those with a label are objects. The replica's lag is added where there is one.
pub const GAUGES: [Family; 8] = [
    Family {
        name: "datastorage_pending_embeddings",
        help: "Records that wait for their embedding; from 10000 on, at least so many.",
        r#type: Type::Gauge,
        labels: &[],
    },
    Family {
        name: "datastorage_outbox_depth",
        help: "Changes that the vector database has yet to be told of; from 10000 on, at least so many.",
        r#type: Type::Gauge,
        labels: &[],
    },
    Family {
        name: "datastorage_tail_vectors",
        help: "Vectors that searches scan, because they are not in the index yet; from 10000 on, at least so many.",
        r#type: Type::Gauge,
        labels: &[],
    },
    Family {
        name: "datastorage_projection_lag_events",
        help: "Events that have yet to become records.",
        r#type: Type::Gauge,
        labels: &[],
    },
    Family {
        name: "datastorage_records",
        help: "Records that are stored, hidden ones too, as PostgreSQL estimates.",
        r#type: Type::Gauge,
        labels: &[KIND],
    },
    Family {
        name: "datastorage_record_bytes",
        help: "The room that records take on the disk with their indexes, in bytes.",
        r#type: Type::Gauge,
        labels: &[KIND],
    },
    Family {
        name: "datastorage_partitions_ahead_months",
        help: "Months to come that every kind has a partition for.",
        r#type: Type::Gauge,
        labels: &[],
    },
    Family {
        name: "datastorage_replica_lag_seconds",
        help: "For how long what was committed may be missing on the read replica that was asked, in seconds; absent if none follows the primary.",
        r#type: Type::Gauge,
        labels: &[],
    },
];

/// Whether the service can take and give records.
pub const UP: Family = Family {
    name: "datastorage_up",
    help: "Whether the audit store can take and give records.",
    r#type: Type::Gauge,
    labels: &[],
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::families::COUNTED;

    #[test]
    fn no_family_has_a_hundred_series() {
        for family in COUNTED.iter().chain(&GAUGES) {
            assert!(family.combinations() < 100, "{}", family.name);
        }
    }

    #[test]
    fn names_and_helps_are_what_prometheus_asks_for() {
        for family in COUNTED.iter().chain(&GAUGES).chain([&UP]) {
            assert!(family.name.starts_with("datastorage_"));
            assert!(family.help.ends_with('.') && !family.help.contains(['\n', '\\']));
            let is_total = family.name.ends_with("_total");
            assert_eq!(is_total, family.r#type == Type::Counter, "{}", family.name);
        }
    }
}
