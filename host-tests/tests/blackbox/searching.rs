//! Questions in plain words: what they find, in which order, and what a record says about its embedding.
//!
//! The service has an embedding provider, of whatever model. All that is expected of the model is that
//! words resemble themselves more than others. A provider may be too slow for a write, so tests
//! wait for a record's embedding.

use std::time::Duration;

use patience::until_found;
use serde_json::{Value, json};

use crate::client;
use crate::filters::{filters, miss};
use crate::support::Client;
use crate::support::payloads::{FORMS, execution, form, fresh, remediation, with};

const SEARCH: &str = "/api/v1/query/semantic";
const STORE: &str = "/api/v1/store/remediation";

/// What three incidents are about.
pub(crate) const TOPICS: [&str; 3] = [
    "the certificate of the ingress has expired",
    "the disk of the database is full",
    "pods were killed because they ran out of memory",
];

/// An incident about `words`.
pub(crate) fn incident(namespace: &str, words: &str) -> Value {
    let body = remediation(namespace, &fresh("rr"));
    with(&body, &json!({"error_message": words}))
}

/// Posts a remediation, waits until it is embedded, and returns its id.
pub(crate) async fn create_embedded(client: &Client, body: &Value) -> i64 {
    let id = client.create(STORE, body).await;
    embedded(client, "remediation", id).await;
    id
}

/// The record, once it is embedded. Records that wait for it are embedded behind later requests.
pub(crate) async fn embedded(client: &Client, kind: &str, id: i64) -> Value {
    let awaited = "it is embedded, if the service has an embedding provider";
    until_found(awaited, async || {
        let record = client.record(kind, id).await;
        if record["embedding_model"].is_string() {
            return Some(record);
        }
        search(client, &json!({"query": "anything", "limit": 1})).await;
        None
    })
    .await
}

async fn search(client: &Client, question: &Value) -> Vec<Value> {
    results(&client.post(SEARCH, question).await.expect(200))
}

pub(crate) fn results(answer: &Value) -> Vec<Value> {
    answer["results"].as_array().expect("results").clone()
}

/// The ids of results, in their order.
pub(crate) fn ids(results: &[Value]) -> Vec<i64> {
    let id = |result: &Value| result["audit"]["id"].as_i64().expect("an id");
    results.iter().map(id).collect()
}

pub(crate) fn similarities(results: &[Value]) -> Vec<f64> {
    let similarity = |result: &Value| result["similarity"].as_f64().expect("a number");
    results.iter().map(similarity).collect()
}

/// A similarity that some of the results reach and others do not, and how many reach it.
pub(crate) fn middle(similarities: &[f64]) -> (f64, usize) {
    let (best, worst) = (similarities[0], similarities[similarities.len() - 1]);
    assert!(best > worst, "{similarities:?}");
    let middle = f64::midpoint(best, worst).clamp(0.0, 1.0);
    let above = similarities.iter().filter(|value| **value >= middle);
    (middle, above.count())
}

/// Ten incidents, each with one word more of the question, and that question.
pub(crate) fn ladder(namespace: &str) -> (Vec<Value>, String) {
    let words: Vec<_> = "node disk memory network certificate quota image volume secret probe"
        .split(' ')
        .collect();
    let incidents = (1..=words.len()).map(|count| {
        let body = incident(namespace, &words[..count].join(" "));
        with(
            &body,
            &json!({"alert_name": "Alert", "severity": "info", "target_resource": "x", "action_type": "y"}),
        )
    });
    (incidents.collect(), words.join(" "))
}

#[tokio::test]
async fn what_was_posted_is_found_by_its_words() {
    let client = client();
    let namespace = fresh("words");
    let mut posted = Vec::new();
    for words in TOPICS {
        posted.push(create_embedded(&client, &incident(&namespace, words)).await);
    }
    for (words, id) in TOPICS.iter().zip(&posted) {
        let question = json!({"query": words, "namespace": namespace});
        let results = search(&client, &question).await;
        assert_eq!(results.len(), TOPICS.len(), "{words}");
        assert_eq!(ids(&results)[0], *id, "{words}");
        let audit = &results[0]["audit"];
        assert_eq!(*audit, client.record("remediation", *id).await);
    }
    let mut everything =
        ids(&search(&client, &json!({"query": "x", "namespace": namespace})).await);
    everything.sort_unstable();
    assert_eq!(everything, posted);
    // Without a filter it competes with all that others have stored.
    let results = search(&client, &json!({"query": TOPICS[0], "limit": 1})).await;
    assert_eq!(results.len(), 1);
}

#[tokio::test]
async fn the_most_similar_come_first_and_limits_cut_the_rest() {
    let client = client();
    let namespace = fresh("ladder");
    let (incidents, query) = ladder(&namespace);
    for body in &incidents {
        create_embedded(&client, body).await;
    }
    // One more than an answer has unless it is asked for more.
    create_embedded(&client, &incident(&namespace, TOPICS[0])).await;
    let find = async |more: &Value| {
        let question = with(&json!({"query": query, "namespace": namespace}), more);
        search(&client, &question).await
    };

    let all = find(&json!({"limit": 100})).await;
    assert_eq!(all.len(), incidents.len() + 1);
    let ranked = similarities(&all);
    assert!(ranked.is_sorted_by(|a, b| a >= b), "{ranked:?}");
    assert!(
        ranked
            .iter()
            .all(|value| (-1.000_001..=1.000_001).contains(value)),
        "{ranked:?}"
    );
    assert_eq!(ids(&find(&json!({})).await), ids(&all)[..10]);
    for limit in [1, 2, 7, 11, 12] {
        let cut = find(&json!({"limit": limit})).await;
        assert_eq!(ids(&cut), ids(&all)[..limit.min(all.len())], "{limit}");
    }

    let (middle, above) = middle(&ranked);
    for (least, count) in [
        (json!(0), None),
        (json!(middle), Some(above)),
        (json!(1.0), None),
    ] {
        let similar = find(&json!({"limit": 100, "min_similarity": least})).await;
        let enough = similarities(&similar);
        let least = least.as_f64().expect("a number");
        assert!(
            enough.iter().all(|value| *value >= least - 1e-6),
            "{enough:?}"
        );
        assert_eq!(ids(&similar), ids(&all)[..similar.len()]);
        assert!(
            count.is_none_or(|count| count == similar.len()),
            "{ranked:?}"
        );
    }
}

#[tokio::test]
async fn each_filter_selects_by_its_column() {
    let client = client();
    for (filter, column, one, other) in filters() {
        // A name of their own keeps other tests' records out where the filter alone would not.
        let scope = fresh("scope");
        let (scoped, scoped_column) = if filter == "namespace" {
            ("cluster", "cluster_name")
        } else {
            ("namespace", "namespace")
        };
        let make = async |value: &Value| {
            let body = incident(&fresh("ns"), TOPICS[0]);
            let body = with(&body, &json!({scoped_column: scope}));
            create_embedded(&client, &with(&body, &json!({column: value}))).await
        };
        let find = async |value: &Value| {
            let question = json!({"query": TOPICS[1], scoped: scope, filter: value});
            ids(&search(&client, &question).await)
        };
        let wanted = make(&one).await;
        let unwanted = make(&other).await;
        assert_eq!(find(&one).await, [wanted], "{filter}={one}");
        assert_eq!(find(&other).await, [unwanted], "{filter}={other}");
        assert_eq!(find(&json!(miss(filter))).await, [0_i64; 0], "{filter}");
    }
}

#[tokio::test]
async fn since_and_until_are_about_the_time_of_arrival() {
    let client = client();
    let namespace = fresh("time");
    let early = create_embedded(&client, &incident(&namespace, TOPICS[0])).await;
    // Time itself: ids count milliseconds, and these two must differ.
    tokio::time::sleep(Duration::from_millis(5)).await;
    let late = create_embedded(&client, &incident(&namespace, TOPICS[0])).await;
    let time = &client.record("remediation", late).await["created_at"];
    // Of equals, the newer one comes first.
    for (filter, expected) in [
        (json!({"since": time}), vec![late]),
        (json!({"until": time}), vec![late, early]),
        (json!({"since": time, "until": time}), vec![late]),
        (json!({"since": "1h"}), vec![late, early]),
        (json!({"since": "1h", "until": "0s"}), vec![late, early]),
        (json!({"until": "1h"}), vec![]),
        (json!({"since": "9999-12-31T00:00:00Z"}), vec![]),
    ] {
        let question = with(
            &json!({"query": TOPICS[0], "namespace": namespace}),
            &filter,
        );
        assert_eq!(ids(&search(&client, &question).await), expected, "{filter}");
    }
}

#[tokio::test]
async fn filters_and_kinds_together_select_what_has_it_all() {
    let client = client();
    let namespace = fresh("kinds");
    let mut stored = Vec::new();
    for form in FORMS.iter().filter(|form| form.name.starts_with("audit")) {
        let id = client
            .create(form.path, &form.body(&namespace, &fresh("word")))
            .await;
        embedded(&client, form.kind, id).await;
        stored.push((form.kind, id));
    }
    for kinds in [
        &["remediation"][..],
        &["aianalysis"],
        &["workflow", "execution"],
        &["execution", "execution"],
        &["execution", "workflow", "aianalysis", "remediation"],
    ] {
        let question = json!({"query": TOPICS[0], "namespace": namespace, "kinds": kinds});
        let mut found = ids(&search(&client, &question).await);
        found.sort_unstable();
        let expected = stored.iter().filter(|(kind, _)| kinds.contains(kind));
        assert_eq!(
            found,
            expected.map(|(_, id)| *id).collect::<Vec<_>>(),
            "{kinds:?}"
        );
    }
    for (phase, expected) in [("Completed", vec![stored[0].1]), ("pending", vec![])] {
        let question = json!({
            "query": TOPICS[0], "namespace": namespace, "kinds": ["remediation", "execution"],
            "phase": phase, "since": "1h"
        });
        assert_eq!(ids(&search(&client, &question).await), expected, "{phase}");
    }
}

#[tokio::test]
async fn any_text_is_a_question_and_a_filter() {
    let client = client();
    let namespace = fresh("text");
    let id = create_embedded(&client, &incident(&namespace, TOPICS[0])).await;
    let longest = "é".repeat(2000);
    for text in [
        "'; DROP TABLE audit; --",
        "🙂 日本語 שלום \u{202e}x",
        "\u{1}\u{7f}\u{80}",
        "?",
        "[1,2,3]",
        "{\"query\": 1}",
        longest.as_str(),
    ] {
        let question = json!({"query": text, "namespace": namespace});
        assert_eq!(ids(&search(&client, &question).await), [id], "{text}");
        let question = json!({"query": TOPICS[0], "namespace": namespace, "cluster": text});
        assert_eq!(search(&client, &question).await, [Value::Null; 0], "{text}");
    }
    // No record has it, so it finds nothing, as in lists.
    let nul = json!({"query": TOPICS[0], "namespace": format!("{namespace}\0")});
    assert_eq!(search(&client, &nul).await, [Value::Null; 0]);
}

#[tokio::test]
async fn a_hidden_record_is_not_found() {
    let client = client();
    let namespace = fresh("hidden");
    let hidden = create_embedded(&client, &incident(&namespace, TOPICS[0])).await;
    let kept = create_embedded(&client, &incident(&namespace, TOPICS[0])).await;
    let question = json!({"query": TOPICS[0], "namespace": namespace});
    assert_eq!(ids(&search(&client, &question).await), [kept, hidden]);

    let deleted = client.delete(&format!("{STORE}/{hidden}")).await;
    assert_eq!(deleted.status, 204);
    assert_eq!(ids(&search(&client, &question).await), [kept]);
}

#[tokio::test]
async fn a_changed_record_is_found_by_its_new_words() {
    let client = client();
    let namespace = fresh("changed");
    let id = create_embedded(&client, &incident(&namespace, TOPICS[0])).await;
    let question = json!({"query": TOPICS[1], "namespace": namespace});
    let before = similarities(&search(&client, &question).await);

    let path = format!("{STORE}/{id}");
    let change = json!({"error_message": TOPICS[1]});
    client.patch(&path, &change).await.expect(200);
    embedded(&client, "remediation", id).await;
    let results = search(&client, &question).await;
    assert_eq!(ids(&results), [id]);
    assert_eq!(results[0]["audit"]["error_message"], TOPICS[1]);
    assert!(similarities(&results) > before, "{before:?}");
}

#[tokio::test]
async fn a_record_says_with_which_model_it_is_embedded() {
    let client = client();
    for name in [
        "store remediation",
        "audit remediation",
        "compact remediation",
        "compact workflow",
    ] {
        let form = form(name);
        let body = form.body(&fresh("model"), &fresh("word"));
        let id = client.create(form.path, &body).await;
        let record = embedded(&client, form.kind, id).await;
        assert_ne!(record["embedding_model"], "", "{name}");
        // Whoever posts it again is told, too.
        let again = client.post(form.path, &body).await.expect(201);
        assert_eq!(
            (&again["status"], &again["id"]),
            (&json!("duplicate"), &json!(id))
        );
        assert_eq!(
            (&again["embedding_id"], &again["embeddingId"]),
            (&json!(id), &json!(id))
        );
    }
}

#[tokio::test]
async fn a_record_without_words_has_no_embedding() {
    let client = client();
    let body = json!({"action": " ", "resource": " ", "error_message": null});
    let body = with(&execution(&fresh("silent"), &fresh("word")), &body);
    let created = client
        .post("/api/v1/store/execution", &body)
        .await
        .expect(201);
    assert_eq!(
        (&created["embedding_id"], &created["embeddingId"]),
        (&Value::Null, &Value::Null)
    );
    let id = created["id"].as_i64().expect("an id");
    let record = client.record("execution", id).await;
    assert_eq!(record["embedding_model"], Value::Null);
    let question = json!({"query": "anything", "namespace": body["namespace"]});
    assert_eq!(search(&client, &question).await, [Value::Null; 0]);
}

#[tokio::test]
async fn an_answer_looks_like_this() {
    let client = client();
    let namespace = fresh("snapshot");
    create_embedded(&client, &incident(&namespace, TOPICS[0])).await;
    let question = json!({"query": TOPICS[0], "namespace": namespace});
    let answer = client.post(SEARCH, &question).await.expect(200);
    assert_search_snapshot!("semantic", answer);
}
