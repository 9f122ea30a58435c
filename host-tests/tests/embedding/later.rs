//! What had to be stored without its vector gets it behind later requests.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::join;
use host::ReuseLimits;
use serde_json::json;

use crate::stage::{PAUSE, SHORT, Stage, UNCACHED, incident, knock, variables_of};
use crate::support::payloads::fresh;
use crate::support::process::HostProcess;
use crate::support::provider::{Behaviour, Provider};
use crate::support::service::{Host, of_database};

const PENDING: &str = "SELECT count(*) FROM audit WHERE embedding_model IS NULL";

/// `count` records that came while the provider was away, and the words of each.
async fn leave(stage: &mut Stage, count: usize) -> Vec<(i64, String)> {
    stage.provider.stop();
    let mut left = Vec::new();
    for n in 0..count {
        let words = format!("left behind {n}");
        left.push((stage.leave(&words).await, words));
    }
    stage.provider.restart().await;
    left
}

async fn assert_embedded(stage: &Stage, records: &[(i64, String)]) {
    for (id, words) in records {
        let expected = Provider::vector(words);
        assert_eq!(stage.vector(*id).await, Some(expected), "{words}");
    }
}

/// The variables of another host on the stage's database and provider.
fn variables(stage: &Stage, more: &[(&str, &str)]) -> BTreeMap<String, String> {
    let mut all = of_database(stage.service.database.url());
    let url = stage.provider.url();
    for (name, value) in variables_of(&url).iter().chain(more) {
        all.insert((*name).to_owned(), (*value).to_owned());
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_alone_fill_in_what_is_missing() {
    let mut stage = Stage::with(&[SHORT]).await;
    let left = leave(&mut stage, 3).await;
    let deadline = std::time::Instant::now() + crate::stage::PATIENCE;
    while stage.count(PENDING).await > 0 {
        assert!(std::time::Instant::now() < deadline, "still pending");
        stage.post("another one").await;
        tokio::time::sleep(PAUSE).await;
    }
    assert_embedded(&stage, &left).await;
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn searches_alone_fill_in_what_is_missing() {
    let mut stage = Stage::with(&[SHORT]).await;
    let left = leave(&mut stage, 3).await;
    stage.settle().await; // by requests that only read
    assert_embedded(&stage, &left).await;
    assert_eq!(stage.found("left behind 1").await.first(), Some(&left[1].0));
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_are_asked_for_together() {
    let mut stage = Stage::with(&[SHORT, UNCACHED]).await;
    stage.provider.stop();
    let batch: Vec<_> = (0..150).map(|n| incident(&format!("left {n}"))).collect();
    let path = "/api/v1/audit/remediation/batch";
    stage.client.post(path, &json!(batch)).await.expect(201);
    stage.provider.restart().await;
    stage.settle().await;
    let requests = stage.provider.requests();
    assert!(
        requests.len() <= 15,
        "{} questions for 150 texts",
        requests.len()
    );
    stage.stop().await;
}

/// A provider that takes long for a large question would never answer one in time.
#[tokio::test(flavor = "multi_thread")]
async fn a_provider_too_slow_for_many_at_once_gets_fewer() {
    let mut stage = Stage::with(&[("embedding_timeout", "1s"), UNCACHED]).await;
    stage.provider.stop();
    let batch: Vec<_> = (0..64).map(|n| incident(&format!("left {n}"))).collect();
    let path = "/api/v1/audit/remediation/batch";
    stage.client.post(path, &json!(batch)).await.expect(201);
    stage
        .provider
        .behave(Behaviour::DelayEach(Duration::from_millis(50)));
    stage.provider.restart().await;
    stage.settle().await;
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hosts_share_the_work_and_do_none_of_it_twice() {
    let mut stage = Stage::with(&[SHORT, UNCACHED]).await;
    let left = leave(&mut stage, 40).await;
    let before = stage.provider.count();
    let patient = [UNCACHED];
    let other = Host::start(variables(&stage, &patient), ReuseLimits::default()).await;
    let third = Host::start(variables(&stage, &patient), ReuseLimits::default()).await;
    let (one, two) = (other.client(), third.client());
    while stage.count(PENDING).await > 0 {
        join(knock(&one), knock(&two)).await;
    }
    let mut texts = stage.provider.requests().split_off(before).concat();
    assert_eq!(texts.len(), left.len(), "each is asked for once");
    texts.sort();
    texts.dedup();
    assert_eq!(texts.len(), left.len());
    assert_embedded(&stage, &left).await;
    other.stop().await;
    third.stop().await;
    stage.stop().await;
}

/// The lease of the one that died runs out, and another goes on.
#[tokio::test(flavor = "multi_thread")]
async fn a_host_killed_in_the_middle_loses_nothing() {
    let mut stage = Stage::with(&[SHORT, UNCACHED]).await;
    let left = leave(&mut stage, 10).await;
    // As long as the stage's own host is not asked, only the one to be killed works.
    let asked = stage.provider.count();
    stage.provider.behave(Behaviour::Hang);
    let mut doomed = HostProcess::start(&variables(&stage, &[UNCACHED])).await;
    let deadline = std::time::Instant::now() + crate::stage::PATIENCE;
    while stage.provider.count() == asked {
        assert!(std::time::Instant::now() < deadline, "nobody embeds");
        knock(&doomed.client).await;
        tokio::time::sleep(PAUSE).await;
    }
    doomed.kill();
    let leased = "SELECT count(*) FROM audit_embedding_lease WHERE busy_until > clock_timestamp()";
    assert_eq!(stage.count(leased).await, 1, "it was in the middle");
    assert_eq!(stage.count(PENDING).await, 10);

    stage.provider.behave(Behaviour::Answer);
    stage.settle().await;
    assert_embedded(&stage, &left).await;
    stage.stop().await;
}

/// Records change and vanish while they are embedded.
#[tokio::test(flavor = "multi_thread")]
async fn what_changes_meanwhile_ends_with_the_vector_of_its_last_text() {
    let mut stage = Stage::with(&[SHORT, UNCACHED]).await;
    let mut left = leave(&mut stage, 30).await;
    stage
        .provider
        .behave(Behaviour::Delay(Duration::from_millis(200)));
    for (number, (id, words)) in left.iter_mut().enumerate() {
        let path = format!("/api/v1/store/remediation/{id}");
        match number % 3 {
            0 => {
                let error = fresh("error");
                stage
                    .client
                    .patch(&path, &json!({"error_message": error}))
                    .await
                    .expect(200);
                *words = format!("{words}. {error}");
            }
            1 => {
                stage.client.delete(&path).await.expect(204);
            }
            _ => stage.knock().await,
        }
    }
    stage.settle().await;
    left = left
        .into_iter()
        .enumerate()
        .filter(|(number, _)| number % 3 != 1)
        .map(|(_, record)| record)
        .collect();
    assert_embedded(&stage, &left).await;
    stage.stop().await;
}
