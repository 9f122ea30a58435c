//! Instances: reuse, requests side by side, traps, work after the response.

use std::time::Duration;

use futures::future::join_all;
use host::Span;
use patience::{Deadline, until};
use tokio::time::sleep;

use crate::outbound::Held;
use crate::probe::{Probe, Setup};

const COUNT: &str = "/probe/instance/count";

async fn counts(probe: &Probe, times: usize) -> Vec<String> {
    let mut counts = Vec::new();
    for _ in 0..times {
        counts.push(probe.get(COUNT).await.ok());
    }
    counts
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_is_reused_as_often_as_the_limit_says() {
    let mut setup = Setup::with_lasting_instances();
    setup.options.reuse.requests = Span::One(3);
    let probe = setup.start().await;
    assert_eq!(counts(&probe, 7).await, ["1", "2", "3", "1", "2", "3", "1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn by_default_an_instance_takes_128_requests() {
    let probe = Setup::with_lasting_instances().start().await;
    let counts = counts(&probe, 129).await;
    assert_eq!(counts[127..], ["128", "1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_instance_is_dropped() {
    let mut setup = Setup::new();
    setup.options.reuse.idle_timeout = Span::One(Duration::from_millis(1));
    let probe = setup.start().await;
    assert_eq!(probe.get(COUNT).await.ok(), "1");
    // Each look keeps an instance that is still there from being idle.
    until("another instance answers", async || {
        probe.get(COUNT).await.ok() == "1"
    })
    .await;
}

/// The most requests that ever met in one instance, of eight sent at once, and again until so many as expected have met.
async fn together(concurrent: usize, expected: u32) -> u32 {
    let mut setup = Setup::new();
    setup.options.reuse.concurrent_requests = Span::One(concurrent);
    let probe = setup.start().await;
    // An instance that is already there takes requests sooner than a new one.
    probe.get(COUNT).await.ok();
    let deadline = Deadline::start();
    loop {
        deadline.check("requests meet in one instance");
        let requests = (0..8).map(|_| probe.get("/probe/instance/together?ms=300"));
        let met = join_all(requests).await.into_iter();
        let met = met.map(|answer| answer.ok().parse().unwrap());
        let most = met.max().unwrap();
        if most >= expected {
            return most;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_takes_as_many_requests_at_once_as_the_limit_says() {
    assert_eq!(together(1, 1).await, 1);
    assert_eq!(together(2, 2).await, 2);
    assert!((3..=8).contains(&together(16, 3).await));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trap_hurts_no_other_instance() {
    let upstream = Held::start().await;
    let mut setup = Setup::new().variable("upstream_port", &upstream.port());
    setup.options.reuse.concurrent_requests = Span::One(1);
    let probe = setup.start().await;
    let path = upstream.path("outbound");
    let trapping = async {
        let asked = upstream.until_asked().await;
        let trapped = probe.get("/probe/instance/trap").await;
        asked.answer().await;
        trapped
    };
    let (calm, trapped) = tokio::join!(probe.get(&path), trapping);
    assert_eq!(calm.ok(), "200 OK\nheld");
    assert_eq!((trapped.status, trapped.body.as_str()), (500, ""));
    assert!(
        probe.output.text().contains("about to trap\n"),
        "{}",
        probe.output.text()
    );
    assert_eq!(probe.get("/refused/instance/count").await.ok(), "1");
    probe.get(COUNT).await.ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trap_ends_its_instance() {
    let probe = Setup::with_lasting_instances().start().await;
    assert_eq!(counts(&probe, 2).await, ["1", "2"]);
    assert_eq!(probe.get("/probe/instance/trap").await.status, 500);
    assert_eq!(counts(&probe, 1).await, ["1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn work_goes_on_after_the_response() {
    let upstream = Held::start().await;
    let mut setup = Setup::new().variable("upstream_port", &upstream.port());
    // The work outlasts it: what counts as idle is an instance without work.
    setup.options.reuse.idle_timeout = Span::One(Duration::from_millis(20));
    let probe = setup.start().await;
    let answer = probe.get(&upstream.path("outbound-after")).await;
    assert_eq!(answer.ok(), "answered");
    let asked = upstream.until_asked().await;
    // Time itself: an idle instance would be dropped meanwhile.
    sleep(Duration::from_millis(200)).await;
    assert_eq!(probe.output.text(), "");
    asked.answer().await;
    until("the work is done", async || {
        probe.output.text() == "after: 200 OK\nheld\n"
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_native_host_stops_after_requests_and_the_work_behind_them() {
    let probe = Setup::new().start_natively().await;
    let output = probe.output.clone();
    probe
        .post("/probe/instance/after?ms=300", "done")
        .await
        .ok();
    probe.stop().await;
    assert_eq!(output.text(), "after: done\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_native_host_stops_without_waiting_for_idle_instances() {
    let probe = Setup::with_lasting_instances().start_natively().await;
    probe.get(COUNT).await.ok();
    assert!(probe.stop().await, "an idle instance was cut off");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_takes_too_long_is_a_500() {
    let mut setup = Setup::new();
    setup.options.reuse.request_timeout = Some(Span::One(Duration::from_millis(100)));
    let probe = setup.start().await;
    let answer = probe.get("/probe/instance/sleep?ms=30000").await;
    assert_eq!((answer.status, answer.body.as_str()), (500, ""));
    // On a slow machine even this one may take too long.
    until("another request is in time", async || {
        probe.get("/probe/instance/sleep?ms=0").await.status == 200
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_request_wakes_another_in_the_same_instance() {
    let probe = Setup::new().start().await;
    probe.get(COUNT).await.ok();
    let waker = async {
        // The other request may not have begun to wait yet.
        until("there is somebody to wake", async || {
            let path = "/probe/instance/wake";
            probe.post(path, "good morning").await.status == 200
        })
        .await;
    };
    let (woken, ()) = tokio::join!(probe.get("/probe/instance/wait"), waker);
    assert_eq!(woken.ok(), "good morning");
}

/// Compiled code checks the epoch, which advances every 10 ms, but no deadline is ever reached: as in
/// Spin, nothing ends a guest that never pauses.
#[tokio::test(flavor = "multi_thread")]
async fn a_busy_guest_is_not_interrupted() {
    let probe = Setup::new().start().await;
    assert_eq!(probe.get("/probe/instance/spin?ms=500").await.ok(), "spun");
}
