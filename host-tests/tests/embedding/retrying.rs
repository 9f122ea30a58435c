//! A provider that fails for a moment is asked again, as long as there is time.

use std::time::{Duration, Instant};

use crate::fixture::{Fixture, UNCACHED};
use crate::support::provider::{Behaviour, Provider};

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_recovers_in_time_costs_nothing() {
    for fault in [
        Behaviour::Status(500, None),
        Behaviour::Status(502, None),
        Behaviour::Status(503, None),
        Behaviour::Status(429, None),
        Behaviour::Close,
        Behaviour::ErrorBody,
        Behaviour::Zeros,
    ] {
        let fixture = Fixture::start().await;
        fixture.provider.once(fault.clone());
        fixture.provider.once(fault);
        let id = fixture.embed("for a moment").await;
        // Where the text may be the cause, another one is asked for in between.
        let asked = fixture.provider.texts();
        let of_it = asked.iter().filter(|text| *text == "for a moment").count();
        assert_eq!(of_it, 3, "{asked:?}");
        let expected = Provider::vector("for a moment");
        assert_eq!(fixture.vector(id).await, Some(expected));
        fixture.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_will_not_get_better_is_not_asked_again() {
    for fault in [
        Behaviour::Status(401, None),
        Behaviour::Status(404, None),
        Behaviour::WrongDimension,
    ] {
        let fixture = Fixture::start().await;
        fixture.pause_maintenance().await;
        fixture.provider.once(fault.clone());
        fixture.leave("for good").await;
        assert_eq!(fixture.provider.count(), 1, "{fault:?}");
        fixture.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn retry_after_is_waited_for() {
    let fixture = Fixture::start().await;
    fixture.provider.once(Behaviour::Status(429, Some("2")));
    let began = Instant::now();
    fixture.embed("in two seconds").await;
    // Time itself: it must not be asked before.
    assert!(began.elapsed() >= Duration::from_secs(2));
    assert_eq!(fixture.provider.count(), 2);
    fixture.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_after_beyond_the_time_is_not_waited_for() {
    // Had it waited, or tried until its own time was over, the client would have given up long before.
    let fixture = Fixture::with(&[("embedding_timeout", "50m")]).await;
    fixture.pause_maintenance().await;
    fixture.provider.once(Behaviour::Status(429, Some("3600")));
    fixture.leave("in an hour").await;
    assert_eq!(fixture.provider.count(), 1);
    fixture.stop().await;
}

/// As some limiters say it when they round down.
#[tokio::test(flavor = "multi_thread")]
async fn a_retry_after_of_nothing_is_no_invitation_to_hammer() {
    for status in [429, 503] {
        let fixture = Fixture::with(&[("embedding_timeout", "2s"), UNCACHED]).await;
        fixture.pause_maintenance().await;
        fixture
            .provider
            .behave(Behaviour::Status(status, Some("0")));
        fixture.leave("now").await;
        let count = fixture.provider.count();
        assert!(count <= 20, "asked {count} times within two seconds");
        fixture.stop().await;
    }
}
