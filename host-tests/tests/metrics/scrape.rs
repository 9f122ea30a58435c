//! A scrape, read as Prometheus reads it.

use std::collections::BTreeMap;

use patience::until_found;

use crate::support::Client;

/// The numbers of all series, by their names with labels.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Scrape(BTreeMap<String, f64>);

impl Scrape {
    /// Of the service that `client` talks to.
    pub(crate) async fn of(client: &Client) -> Self {
        let answer = client.get("/metrics").await;
        assert_eq!(answer.status, 200);
        Self::read(&answer.text())
    }

    /// Reads the text format. Each family has its help and type first, once, and its series together.
    pub(crate) fn read(text: &str) -> Self {
        let mut series = BTreeMap::new();
        let mut families = Vec::new();
        for line in text.lines() {
            if let Some(help) = line.strip_prefix("# HELP ") {
                let (family, help) = help.split_once(' ').expect("a name and a text");
                assert!(!help.is_empty());
                assert!(!families.contains(&family), "{family} begins twice");
                families.push(family);
                continue;
            }
            let family = *families.last().expect("a family");
            if let Some(r#type) = line.strip_prefix("# TYPE ") {
                assert!(r#type.starts_with(family), "{line}");
                continue;
            }
            let (name, number) = line.rsplit_once(' ').expect("a name and a number");
            assert!(name.starts_with(family), "{line} under {family}");
            let number = number.parse().expect("a number");
            let before = series.insert(name.to_owned(), number);
            assert_eq!(before, None, "{name} is there twice");
        }
        Self(series)
    }

    /// The number of a series.
    pub(crate) fn get(&self, series: &str) -> Option<f64> {
        self.0.get(series).copied()
    }

    /// The names of all series.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The counters and histograms that are not 0, sums of times aside, which differ each time.
    pub(crate) fn counted(&self) -> BTreeMap<&str, f64> {
        let is_count = |name: &str| {
            let family = name.split('{').next().unwrap_or_default();
            family.ends_with("_total") || family.ends_with("_count")
        };
        let counted = self.0.iter().map(|(name, number)| (name.as_str(), *number));
        counted
            .filter(|(name, number)| is_count(name) && *number > 0.0)
            .collect()
    }

    /// Waits until the requests are counted that the service has answered, scrapes aside: `requests` of them.
    pub(crate) async fn after(client: &Client, requests: f64) -> Self {
        let mut last = None;
        let scrape = until_found("all requests are counted", async || {
            let scrape = Self::of(client).await;
            let is_there = scrape.requests() >= requests;
            last = Some(scrape.clone());
            is_there.then_some(scrape)
        })
        .await;
        // What belongs to the last request was counted with it.
        assert!((scrape.requests() - requests).abs() < 0.5, "{scrape:?}");
        scrape
    }

    /// Requests so far, but for those of the component `health`, which scrapes are a part of.
    fn requests(&self) -> f64 {
        let is_request = |name: &str| {
            name.starts_with("datastorage_http_requests_total{")
                && !name.contains("route=\"/health\"")
        };
        let requests = self.0.iter().filter(|(name, _)| is_request(name));
        requests.map(|(_, number)| number).sum()
    }
}
