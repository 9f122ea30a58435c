//! What the service counts, and what Prometheus reads.

#[path = "../support/mod.rs"]
mod support;

mod counting;
mod failing;
mod gauges;
mod scrape;
mod series;
