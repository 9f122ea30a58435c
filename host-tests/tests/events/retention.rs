//! Events that have been kept as long as they say go by months, and chains can still be verified.

use archive::{EVENTS, RestoreOptions, archive, restore};
use patience::until;
use serde_json::{Value, json};
use tokio_postgres::Client as Database;

use crate::holds::{place, release};
use crate::offline::assert_right;
use crate::support::Client;
use crate::support::payloads::{fresh, with};
use crate::support::service::{Host, Service, of_database, start_host};
use crate::writing::{all_of, event, events, is_valid, post, verification};

const SIGNED: [(&str, &str); 2] = [
    ("chain_key", "k1:a secret of more than sixteen"),
    ("export_key", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="),
];

/// A service that keeps everything, and in whose database time can be turned back.
struct Past {
    service: Service,
    db: Database,
}

impl Past {
    async fn start() -> Self {
        let service = Service::with(&SIGNED).await;
        let db = service.database.client().await;
        Self { service, db }
    }

    fn client(&self) -> &Client {
        &self.service.client
    }

    /// From now on events come in the middle of the month so many months before this one; with 0 as they really do.
    async fn be(&self, months_ago: u32) {
        let time = if months_ago == 0 {
            "clock_timestamp()".to_owned()
        } else {
            let ensure = format!(
                "SELECT audit_ensure_partitions(0, date_trunc('month', now(), 'UTC') - interval '{months_ago} months')"
            );
            self.db.batch_execute(&ensure).await.unwrap();
            format!(
                "date_trunc('month', now(), 'UTC') - interval '{months_ago} months' + interval '14 days'
                 + (clock_timestamp() - date_trunc('day', now(), 'UTC')) / 10"
            )
        };
        let next = format!(
            "CREATE OR REPLACE FUNCTION audit_next_id() RETURNS bigint LANGUAGE sql VOLATILE
             RETURN audit_id_at({time}) | nextval('audit_id_sequence')"
        );
        self.db.batch_execute(&next).await.unwrap();
    }

    /// Writes events that are to be kept for so many days.
    async fn write(&self, correlation: &str, count: usize, days: i64) -> Vec<String> {
        let mut batch = events(correlation, count);
        for event in &mut batch {
            event["retention_days"] = days.into();
            // Or the same again would be a retry.
            event["event_data"]["mark"] = fresh("mark").into();
        }
        post(self.client(), &batch).await
    }

    /// Lets another host, which keeps events for a month after theirs if they do not say that it is to be longer, drop all that is due,
    /// with nothing but probes arriving.
    async fn settle(&self) {
        self.settled().await.stop().await;
    }

    /// The same, and the host that did it.
    async fn settled(&self) -> Host {
        self.settled_with(false).await
    }

    /// The same, where only what is archived may go if `archived_only` says so.
    async fn settled_with(&self, archived_only: bool) -> Host {
        let mut variables = of_database(self.service.database.url());
        variables.insert("retention_events_months".to_owned(), "1".to_owned());
        variables.insert(
            "retention_archived_only".to_owned(),
            archived_only.to_string(),
        );
        let host = start_host(variables).await;
        let client = host.client();
        let due = "SELECT EXISTS (SELECT FROM audit_event_leaving)
            OR EXISTS (SELECT FROM audit_event_months_due('{\"events\": 1}', $1))";
        until("retention has nothing left to do", async || {
            client.get("/healthz").await.expect(200);
            let row = self.db.query_one(due, &[&archived_only]).await.unwrap();
            !row.get::<_, bool>(0)
        })
        .await;
        host
    }

    /// The name of the month so many months before this one.
    async fn month(&self, months_ago: u32) -> String {
        let sql = format!(
            "SELECT to_char(date_trunc('month', now(), 'UTC') - interval '{months_ago} months', 'YYYY-MM')"
        );
        self.db.query_one(&sql, &[]).await.unwrap().get(0)
    }

    /// How many events of a correlation there are.
    async fn count(&self, correlation: &str) -> i64 {
        let sql = "SELECT count(*) FROM audit_event WHERE correlation_id = $1";
        self.db
            .query_one(sql, &[&correlation])
            .await
            .unwrap()
            .get(0)
    }

    async fn verify_offline(&self, correlation: &str) -> Value {
        let path = format!("/api/v1/audit/export?correlation_id={correlation}");
        let answer = self.client().get(&path).await;
        let export = answer.expect(200);
        assert_right(&answer.text(), &["--chain-key", SIGNED[0].1]);
        assert_eq!(
            export["hash_chain_verification"]["broken_chain_events"], 0,
            "{export:#}"
        );
        export
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_goes_on_from_what_was_dropped() {
    let past = Past::start().await;
    let correlation = fresh("rr");
    past.be(4).await;
    past.write(&correlation, 6, 1).await;
    past.be(0).await;
    let kept = past.write(&correlation, 3, 1).await;
    is_valid(past.client(), &correlation, 9).await;
    let host = past.settled().await;
    let said = |log: &str| log.matches("dropped events").count();
    until("it is logged", async || said(&host.log()) > 0).await;
    assert_eq!(said(&host.log()), 1, "{}", host.log());
    host.stop().await;

    assert_eq!(past.count(&correlation).await, 3);
    is_valid(past.client(), &correlation, 3).await;
    let export = past.verify_offline(&correlation).await;
    let numbers: Vec<_> = export["events"]
        .as_array()
        .expect("events")
        .iter()
        .map(|event| event["chain_sequence"].clone())
        .collect();
    assert_eq!(numbers, [7, 8, 9].map(Value::from));
    let rows = all_of(past.client(), &correlation).await;
    assert_eq!(rows.len(), kept.len());
    past.write(&correlation, 2, 1).await;
    is_valid(past.client(), &correlation, 5).await;
    past.service.stop().await;
}

/// Also what is behind the anchor must be there.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_behind_the_anchor_is_noticed() {
    let past = Past::start().await;
    let correlation = fresh("rr");
    past.be(4).await;
    past.write(&correlation, 3, 1).await;
    past.be(0).await;
    past.write(&correlation, 3, 1).await;
    past.settle().await;
    past.db
        .batch_execute(
            "SET session_replication_role = replica;
             DELETE FROM audit_event WHERE chain_sequence = 4",
        )
        .await
        .unwrap();
    let said = verification(past.client(), &correlation).await;
    assert_eq!(said["is_valid"], false, "{said:#}");
    past.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_of_which_nothing_is_left_goes_on_too() {
    let past = Past::start().await;
    let correlation = fresh("rr");
    past.be(4).await;
    past.write(&correlation, 4, 1).await;
    past.be(0).await;
    past.settle().await;
    assert_eq!(past.count(&correlation).await, 0);
    past.write(&correlation, 2, 1).await;
    is_valid(past.client(), &correlation, 2).await;
    let export = past.verify_offline(&correlation).await;
    assert_eq!(export["events"][0]["chain_sequence"], 5);
    past.service.stop().await;
}

/// A month goes as a whole: one event that is to be kept keeps it.
#[tokio::test(flavor = "multi_thread")]
async fn a_month_stays_as_long_as_one_of_its_events() {
    let past = Past::start().await;
    let [short, long] = [fresh("rr"), fresh("rr")];
    past.be(4).await;
    past.write(&short, 3, 1).await;
    past.write(&long, 1, 2555).await;
    past.be(3).await;
    past.write(&short, 2, 1).await;
    past.be(0).await;
    past.settle().await;
    // What is older is still there, so the chain cannot lose what came after it.
    assert_eq!((past.count(&short).await, past.count(&long).await), (5, 1));
    is_valid(past.client(), &short, 5).await;
    past.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_held_stays_until_it_is_released() {
    let past = Past::start().await;
    let [held, other] = [fresh("rr"), fresh("rr")];
    past.be(4).await;
    past.write(&held, 3, 1).await;
    past.write(&other, 3, 1).await;
    past.be(3).await;
    past.write(&held, 2, 1).await;
    past.be(0).await;
    place(past.client(), &held, "case 1").await.expect(200);
    past.settle().await;
    assert_eq!((past.count(&held).await, past.count(&other).await), (6, 0));
    is_valid(past.client(), &held, 6).await;
    past.verify_offline(&held).await;
    // It is as immutable as before.
    let refused = past.db.batch_execute("DELETE FROM audit_event").await;
    assert!(refused.is_err(), "what was kept can be deleted");

    release(past.client(), &held).await.expect(200);
    past.settle().await;
    // The two that tell of the hold are of today.
    assert_eq!(past.count(&held).await, 2);
    is_valid(past.client(), &held, 2).await;
    past.service.stop().await;
}

/// A service whose clock, or whose network, was away for long.
#[tokio::test(flavor = "multi_thread")]
async fn the_time_of_arrival_decides_in_which_month_an_event_is() {
    let past = Past::start().await;
    let correlation = fresh("rr");
    let old = json!({"event_timestamp": "2025-01-02T03:04:05Z", "retention_days": 1});
    post(past.client(), &[with(&event(&correlation, 0), &old)]).await;
    past.settle().await;
    assert_eq!(past.count(&correlation).await, 1);
    past.service.stop().await;
}

/// Without a number of months nothing goes, whatever events say.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_keeps_everything_loses_nothing() {
    let past = Past::start().await;
    let correlation = fresh("rr");
    past.be(6).await;
    past.write(&correlation, 3, 1).await;
    past.be(0).await;
    let metrics = "datastorage_partitions_ahead_months";
    for _ in 0..20 {
        past.client().get("/healthz").await.expect(200);
        past.client().counted(metrics, 0.0..).await;
    }
    assert_eq!(past.count(&correlation).await, 3);
    is_valid(past.client(), &correlation, 3).await;
    past.service.stop().await;
}

/// With one more setting only what is in an archive goes, and it comes back from there and is proven like all else.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_archived_comes_back_and_is_proven() {
    let past = Past::start().await;
    let correlation = fresh("rr");
    for (months_ago, count) in [(5, 3), (4, 6), (0, 2)] {
        past.be(months_ago).await;
        past.write(&correlation, count, 1).await;
    }
    let before = past.verify_offline(&correlation).await;
    let host = past.settled_with(true).await;
    let held = "SELECT count(*) FROM audit_retention WHERE kind = 'events' AND held_at IS NOT NULL";
    until("retention has seen that nothing is archived", async || {
        host.client().get("/healthz").await.expect(200);
        let row = past.db.query_one(held, &[]).await.unwrap();
        row.get::<_, i64>(0) == 2
    })
    .await;
    host.stop().await;
    assert_eq!(past.count(&correlation).await, 11);

    let folder = tempfile::tempdir().unwrap();
    let database = past.service.database.url();
    let mut manifests = Vec::new();
    for months_ago in [4, 5] {
        let month = past.month(months_ago).await;
        let name = month.parse().unwrap();
        archive(database, EVENTS, &name, folder.path())
            .await
            .unwrap();
        manifests.push(folder.path().join(format!("events-{month}.manifest.json")));
    }
    past.settled_with(true).await.stop().await;
    assert_eq!(past.count(&correlation).await, 2);
    is_valid(past.client(), &correlation, 2).await;

    let options = RestoreOptions {
        keep_days: 30,
        other_archive: false,
        new_chains: false,
    };
    for (manifest, length) in manifests.iter().zip([8, 11]) {
        restore(database, manifest, options).await.unwrap();
        is_valid(past.client(), &correlation, length).await;
    }
    let after = past.verify_offline(&correlation).await;
    assert_eq!(after["events"], before["events"]);
    // Of the two that stay for a while, the time of the older one is over.
    let over = "UPDATE audit_retention SET kept_until = now() WHERE kind = 'events' AND month = (SELECT min(month) FROM audit_retention)";
    past.db.batch_execute(over).await.unwrap();
    past.settled_with(true).await.stop().await;
    assert_eq!(past.count(&correlation).await, 8);
    past.write(&correlation, 1, 1).await;
    is_valid(past.client(), &correlation, 9).await;
    past.service.stop().await;
}
