//! What is admitted is the limit, with one host and with ten.

use std::time::Duration;

use crate::load::{Hosts, Outcome, RATE, send};

/// The account that may read.
const READER: &str = "context-api-sa";

/// Long enough for what one lease more or less is.
const TIME: Duration = Duration::from_secs(10);

async fn within_a_tenth(number: usize, life: usize, times: u32) {
    let hosts = Hosts::start(number, life).await;
    let authorization = hosts.authorization(READER);
    let outcome = send(&hosts, &authorization, RATE * times, TIME).await;
    let Outcome { admitted, refused } = outcome;
    let limit = f64::from(RATE);
    assert!(
        (limit * 0.9..=limit * 1.1).contains(&admitted),
        "{number} hosts, {times} times the limit: {outcome:?}"
    );
    assert!(refused > limit / 2.0, "{outcome:?}");
    hosts.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_host_at_twice_the_limit() {
    within_a_tenth(1, 128, 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_host_at_fifty_times_the_limit() {
    within_a_tenth(1, 128, 50).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_hosts_at_twice_the_limit() {
    within_a_tenth(10, 128, 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_hosts_at_fifty_times_the_limit_with_instances_that_come_and_go() {
    within_a_tenth(10, 16, 50).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_stays_below_the_limit_is_not_refused() {
    let hosts = Hosts::start(3, 16).await;
    let authorization = hosts.authorization(READER);
    let outcome = send(&hosts, &authorization, RATE * 4 / 5, TIME).await;
    assert!(outcome.refused < f64::from(RATE) / 20.0, "{outcome:?}");
    hosts.stop().await;
}
