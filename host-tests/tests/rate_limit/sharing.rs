//! What is admitted is the limit, with one host and with ten.

use std::time::Duration;

use crate::load::{Hosts, Outcome, RATE, send};

/// The account that may read.
const READER: &str = "context-api-sa";

/// Long enough for what one lease more or less is.
const TIME: Duration = Duration::from_secs(10);

/// A machine that is busy with something else for a moment sees late what was admitted early. So there are some tries, and a limit that
/// does not hold fails them all.
const TRIES: usize = 4;

/// Whether one of some tries is as it should be.
async fn comes_out(hosts: &Hosts, per_second: u32, expected: impl Fn(&Outcome) -> bool) {
    let authorization = hosts.authorization(READER);
    let mut outcomes = Vec::new();
    for _ in 0..TRIES {
        let outcome = send(hosts, &authorization, per_second, TIME).await;
        if expected(&outcome) {
            return;
        }
        outcomes.push(outcome);
    }
    panic!(
        "{} hosts, {per_second} requests per second: {outcomes:?}",
        hosts.all.len()
    );
}

async fn within_a_tenth(number: usize, life: usize, times: u32) {
    let hosts = Hosts::start(number, life).await;
    let limit = f64::from(RATE);
    comes_out(&hosts, RATE * times, |outcome| {
        (limit * 0.9..=limit * 1.1).contains(&outcome.admitted) && outcome.refused > limit / 2.0
    })
    .await;
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
    let few = f64::from(RATE) / 20.0;
    comes_out(&hosts, RATE * 4 / 5, |outcome| outcome.refused < few).await;
    hosts.stop().await;
}
