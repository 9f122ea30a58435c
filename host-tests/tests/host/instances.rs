//! Instances: reuse, requests side by side, traps, work after the response.

use std::time::Duration;

use futures::future::join_all;
use host::Span;
use tokio::time::sleep;

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
    let mut setup = Setup::new();
    setup.options.reuse.requests = Span::One(3);
    let probe = setup.start().await;
    assert_eq!(counts(&probe, 7).await, ["1", "2", "3", "1", "2", "3", "1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn by_default_an_instance_takes_128_requests() {
    let mut setup = Setup::new();
    setup.options.reuse.idle_timeout = Span::One(Duration::from_mins(1));
    let probe = setup.start().await;
    let counts = counts(&probe, 129).await;
    assert_eq!(counts[127..], ["128", "1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_instance_is_dropped() {
    let mut setup = Setup::new();
    setup.options.reuse.idle_timeout = Span::One(Duration::from_millis(20));
    let probe = setup.start().await;
    assert_eq!(probe.get(COUNT).await.ok(), "1");
    sleep(Duration::from_millis(500)).await;
    assert_eq!(probe.get(COUNT).await.ok(), "1");
}

/// The most requests that ever met in one instance, of eight sent at once.
async fn together(concurrent: usize) -> u32 {
    let mut setup = Setup::new();
    setup.options.reuse.concurrent_requests = Span::One(concurrent);
    let probe = setup.start().await;
    // An instance that is already there takes requests sooner than a new one.
    probe.get(COUNT).await.ok();
    let requests = (0..8).map(|_| probe.get("/probe/instance/together?ms=300"));
    let answers = join_all(requests).await.into_iter();
    answers
        .map(|answer| answer.ok().parse().unwrap())
        .max()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_takes_as_many_requests_at_once_as_the_limit_says() {
    assert_eq!(together(1).await, 1);
    assert_eq!(together(2).await, 2);
    assert!((3..=8).contains(&together(16).await));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trap_hurts_no_other_instance() {
    let mut setup = Setup::new();
    setup.options.reuse.concurrent_requests = Span::One(1);
    let probe = setup.start().await;
    let calm = probe.get("/probe/instance/sleep?ms=400");
    let trapping = async {
        sleep(Duration::from_millis(100)).await;
        probe.get("/probe/instance/trap").await
    };
    let (calm, trapped) = tokio::join!(calm, trapping);
    assert_eq!(calm.ok(), "slept");
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
    let probe = Setup::new().start().await;
    assert_eq!(counts(&probe, 2).await, ["1", "2"]);
    assert_eq!(probe.get("/probe/instance/trap").await.status, 500);
    assert_eq!(counts(&probe, 1).await, ["1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn work_goes_on_after_the_response() {
    let mut setup = Setup::new();
    // The work outlasts it: what counts as idle is an instance without work.
    setup.options.reuse.idle_timeout = Span::One(Duration::from_millis(20));
    let probe = setup.start().await;
    let answer = probe.post("/probe/instance/after?ms=500", "done").await;
    assert_eq!(answer.ok(), "answered");
    assert_eq!(probe.output.text(), "");
    while probe.output.text() != "after: done\n" {
        sleep(Duration::from_millis(20)).await;
    }
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
    let mut setup = Setup::new();
    setup.options.reuse.idle_timeout = Span::One(Duration::from_mins(1));
    let probe = setup.start_natively().await;
    probe.get(COUNT).await.ok();
    tokio::time::timeout(Duration::from_secs(4), probe.stop())
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_takes_too_long_is_a_500() {
    let mut setup = Setup::new();
    setup.options.reuse.request_timeout = Some(Span::One(Duration::from_millis(100)));
    let probe = setup.start().await;
    let answer = probe.get("/probe/instance/sleep?ms=3000").await;
    assert_eq!((answer.status, answer.body.as_str()), (500, ""));
    assert_eq!(probe.get("/probe/instance/sleep?ms=0").await.ok(), "slept");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_request_wakes_another_in_the_same_instance() {
    let probe = Setup::new().start().await;
    probe.get(COUNT).await.ok();
    let waker = async {
        // The other request may not have begun to wait yet.
        while probe
            .post("/probe/instance/wake", "good morning")
            .await
            .status
            != 200
        {
            sleep(Duration::from_millis(10)).await;
        }
    };
    let (woken, ()) = tokio::join!(probe.get("/probe/instance/wait"), waker);
    assert_eq!(woken.ok(), "good morning");
}

/// Its instance and one thread of the server are lost for good, as no deadline ends it. The requests of
/// others go to other instances on other threads.
#[tokio::test(flavor = "multi_thread")]
async fn a_guest_that_never_pauses_does_not_stop_others() {
    // The machine may have one core: then a server would have one thread.
    let probe = Setup::new()
        .environment("TOKIO_WORKER_THREADS", "4")
        .start_process();
    assert_eq!(probe.get(COUNT).await.ok(), "1");
    let spinning = probe.get("/probe/instance/spin");
    let others = async {
        while probe.output.text() != "about to spin\n" {
            sleep(Duration::from_millis(10)).await;
        }
        counts(&probe, 3).await
    };
    tokio::select! {
        answer = spinning => panic!("it paused: {answer:?}"),
        counts = others => assert_eq!(counts, ["1", "2", "3"]),
    }
}
