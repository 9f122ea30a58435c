//! Events that no service should write, and some do.

use proptest::prelude::*;

use super::*;

#[test]
fn long_texts_are_cut() {
    let mut long = signal(0);
    let data = &mut long["event_data"];
    data["signal_name"] = "ä".repeat(300).into();
    data["fingerprint"] = "f".repeat(1000).into();
    data["resource_name"] = "n".repeat(1000).into();
    let failed = life_cycle(9, "failed", json!({"message": "ü".repeat(60_000)}));
    let remediation = record(Kind::Remediation, &[long, failed]);
    assert_eq!(remediation.columns["alert_name"], "ä".repeat(255));
    let length = |column: &str| remediation.columns[column].as_str().expect("a text").len();
    assert_eq!(length("alert_fingerprint"), 255);
    assert_eq!(length("target_resource"), 512);
    assert_eq!(length("error_message"), 64 * 1024);
}

#[test]
fn what_is_too_large_is_left_out() {
    let mut large = signal(0);
    large["event_data"]["signal_annotations"] = json!({"dump": "x".repeat(250_000)});
    large["event_data"]["signal_labels"] = json!({"dump": "y".repeat(100_000)});
    let remediation = record(Kind::Remediation, &[large]);
    assert_eq!(remediation.document.get("signal_annotations"), None);
    assert!(remediation.document.contains_key("labels"));
    assert_eq!(remediation.columns["alert_name"], "KubePodCrashLooping");
}

#[test]
fn markup_in_names_is_left_out() {
    let mut marked = signal(0);
    marked["event_data"]["signal_name"] = "<script>alert(1)</script>".into();
    marked["event_data"]["namespace"] = "<img src=x onerror=alert(1)>".into();
    let remediation = record(Kind::Remediation, &[marked]);
    assert_eq!(remediation.columns.get("alert_name"), None);
    assert_eq!(remediation.columns["namespace"], "unknown");
    assert_eq!(remediation.columns["alert_fingerprint"], "f-1");

    let of = json!({"action_type": "<script>x</script>", "target_resource": "<script>y</script>"});
    let odd = run(1, "workflow.started", "we <1>", of);
    let run = record(Kind::Workflow, &[odd]);
    assert_eq!(run.columns["name"], "we-rr-7c1e");
    assert_eq!(run.columns["workflow_type"], "remediation");
    assert_eq!(run.columns.get("action_type"), None);
}

/// Storing the records of each beginning of the chain keeps it, too.
#[test]
fn what_is_left_out_takes_nothing_away_that_was_said_before() {
    let good = run(
        1,
        "workflow.started",
        "we-1",
        json!({"action_type": "Restart"}),
    );
    let odd = json!({"action_type": "<script>x</script>", "target_resource": "<script>y</script>"});
    let odd = [
        run(2, "execution.started", "we-1", odd.clone()),
        run(3, "workflow.failed", "we-1", odd),
    ];
    let run = record(Kind::Workflow, &[&[good][..], &odd[..]].concat());
    assert_eq!(run.columns["workflow_type"], "Restart");
    assert_eq!(run.columns["action_type"], "Restart");
    assert_eq!(run.columns["target_resource"], "shop/Deployment/web");
    assert_eq!(run.columns["status"], "failure");
}

#[test]
fn a_correlation_that_cannot_name_a_record_has_none() {
    let posts = project("<script>alert(1)</script>", &whole());
    assert!(posts.into_iter().all(|post| post.read(now()).is_none()));
}

#[test]
fn a_long_correlation_still_has_names() {
    let id = "c".repeat(255);
    let posts = project(&id, &whole());
    let records: Vec<_> = posts
        .into_iter()
        .map(|post| post.read(now()).expect("a record"))
        .collect();
    assert_eq!(records.len(), 3);
    for record in &records {
        assert_eq!(record.columns["correlation_id"], id.as_str());
    }
    let name = records[1].columns["name"].as_str().expect("a name");
    assert!(name.starts_with("ai-") && name.len() == 67, "{name}");
}

#[test]
fn an_event_from_the_future_is_as_old_as_its_arrival() {
    let mut ahead = signal(0);
    ahead["event_timestamp"] = "2031-01-01T00:00:00Z".into();
    let remediation = record(Kind::Remediation, &[ahead]);
    assert_eq!(remediation.columns["start_time"], "2026-03-01T10:00:00Z");

    let times =
        json!({"started_at": "2031-01-01T00:00:00Z", "completed_at": "0001-01-01T00:00:00Z"});
    let run = record(
        Kind::Workflow,
        &[run(9, "workflow.completed", "we-1", times)],
    );
    assert_eq!(run.columns["start_time"], "2026-03-01T10:00:09Z");
    assert_eq!(run.columns["end_time"], "2026-03-01T10:00:09Z");
}

#[test]
fn an_end_before_the_start_is_not_known() {
    let ended = json!({"completed_at": "2026-03-01T09:00:00Z"});
    let run = record(
        Kind::Workflow,
        &[run(9, "workflow.completed", "we-1", ended)],
    );
    assert_eq!(run.columns["status"], "success");
    assert_eq!(run.columns.get("end_time"), None);
}

#[test]
fn a_severity_without_a_word_stays_as_it_was_sent() {
    let mut odd = signal(0);
    odd["event_data"]["severity"] = "Sev1".into();
    let alone = record(Kind::Remediation, std::slice::from_ref(&odd));
    assert_eq!(alone.columns.get("severity"), None);
    assert_eq!(alone.document["signal_severity"], "Sev1");
    let classified = record(Kind::Remediation, &[odd, classified(1)]);
    assert_eq!(classified.columns["severity"], "critical");
}

#[test]
fn a_record_names_its_last_events() {
    let events: Vec<_> = (0..1000).map(signal).collect();
    let document = record(Kind::Remediation, &events).document;
    assert_eq!(document["event_count"], 1000);
    let ids = document["events"].as_array().expect("ids");
    assert_eq!(ids.len(), post::MAX_EVENTS);
    assert_eq!(ids.last(), Some(&json!("gateway.signal.received@999")));
}

/// Values that a member may have where another is meant.
fn values() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        Just(json!(true)),
        Just(json!({})),
        Just(json!([])),
        Just(json!({"a": {"b": [1, "c"]}})),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,300}".prop_map(Value::from),
        Just(json!("<svg onload=alert(1)>")),
        Just(json!("0001-01-01T00:00:00Z")),
        Just(json!("9999-12-31T23:59:59Z")),
        Just(json!("P9")),
    ]
}

proptest! {
    #[test]
    fn no_payload_makes_an_invalid_post(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), values()), 0..20),
    ) {
        let mut events = whole();
        for (event, member, value) in changes {
            let count = events.len();
            let event = &mut events[event.index(count)];
            let data = event["event_data"].as_object_mut().expect("an object");
            let names: Vec<_> = data.keys().filter(|name| *name != "event_type").cloned().collect();
            data.insert(names[member.index(names.len())].clone(), value);
        }
        for post in project(CORRELATION, &events) {
            prop_assert!(post.clone().read(now()).is_some(), "{:?}", post);
        }
    }
}
