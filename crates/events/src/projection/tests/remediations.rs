use super::*;

#[test]
fn a_whole_remediation_is_three_records() {
    let events = whole();
    assert_eq!(
        kinds(&events),
        [Kind::Remediation, Kind::AiAnalysis, Kind::Workflow]
    );

    let remediation = record(Kind::Remediation, &events);
    assert!(remediation.stand_in, "a client's name is better");
    let columns = json!({
        "name": CORRELATION, "namespace": "shop", "phase": "completed", "status": "success",
        "alert_name": "KubePodCrashLooping", "alert_fingerprint": "f-1", "severity": "critical",
        "environment": "production", "cluster_name": "east", "action_type": "IncreaseMemory",
        "target_resource": "shop/Deployment/web", "remediation_request_id": CORRELATION,
        "correlation_id": CORRELATION, "start_time": "2026-03-01T10:00:00Z", "end_time": "2026-03-01T10:06:15Z",
        "duration": 374_000, "confidence_score": 0.9,
    });
    assert_eq!(Value::Object(remediation.columns), columns);
    let document = remediation.document;
    assert_eq!(
        document["effectiveness"],
        json!({"score": 0.91, "resolved": true})
    );
    assert_eq!(document["labels"]["team"], "zahlungen-ünïcode");
    assert_eq!(document["priority"], "P0");
    assert_eq!(document["outcome"], "Remediated");
    assert_eq!(document["pre_remediation_spec_hash"], "sha256:11");
    assert_eq!(document["projected"], true);
    assert_eq!(document["event_count"], events.len());
    let ids: Vec<_> = events
        .iter()
        .map(|event| event["event_id"].clone())
        .collect();
    assert_eq!(document["events"], Value::Array(ids));
}

#[test]
fn an_analysis_has_cause_confidence_and_recommendation() {
    let analysis = record(Kind::AiAnalysis, &whole());
    let findings = json!({
        "root_cause": "Memory limit below working set", "severity": "critical",
        "contributing_factors": ["limit 256Mi"], "causal_chain": ["release", "cache", "OOMKilled"],
        "remediation_target": {"kind": "Deployment", "name": "web", "namespace": "shop"},
    });
    let columns = json!({
        "name": "ai-rr-7c1e", "namespace": "shop", "phase": "completed", "status": "success",
        "analysis_type": "root_cause", "confidence_score": 0.9, "severity": "critical", "findings": findings,
        "remediation_request_id": CORRELATION, "correlation_id": CORRELATION,
        "start_time": "2026-03-01T10:01:00Z", "end_time": "2026-03-01T10:01:20Z",
    });
    assert_eq!(Value::Object(analysis.columns.clone()), columns);
    let recommended = json!({
        "workflow_id": "more-memory", "action_type": "IncreaseMemory", "confidence": 0.87,
        "parameters": {"MEMORY_LIMIT": "512Mi"},
    });
    assert_eq!(analysis.document["recommended_workflow"], recommended);
    assert_eq!(analysis.document["recommended_action"], "IncreaseMemory");
    assert_eq!(
        analysis.document["analysis"],
        "The container is killed at its limit."
    );
    let ids = [
        "aiagent.rca.complete@60",
        "aiagent.response.complete@77",
        "aianalysis.analysis.completed@80",
    ];
    assert_eq!(analysis.document["events"], json!(ids));
    let text = analysis.embedding_text().expect("a text");
    assert!(text.contains("Memory limit below working set"), "{text}");
    assert!(text.contains("exit code 137"), "{text}");
}

#[test]
fn only_a_signal_is_a_pending_remediation() {
    let remediation = record(Kind::Remediation, &[signal(0)]);
    assert_eq!(remediation.columns["status"], "pending");
    assert_eq!(
        remediation.columns["target_resource"],
        "shop/Deployment/web"
    );
    assert_eq!(
        remediation.columns.get("cluster_name"),
        None,
        "nobody named a cluster"
    );
    assert_eq!(remediation.document.get("effectiveness"), None);
    assert_eq!(kinds(&[signal(0)]), [Kind::Remediation]);
}

#[test]
fn a_request_of_a_person_is_one_too() {
    let remediation = record(Kind::Remediation, &[requested(0)]);
    assert_eq!(remediation.columns["namespace"], "operations");
    assert_eq!(remediation.columns["alert_name"], "ManualTriage");
    assert_eq!(remediation.columns["target_resource"], "Deployment/web");
    assert_eq!(remediation.document["session_id"], "s-1");
}

#[test]
fn the_orchestrator_alone_says_nothing_until_the_end() {
    let started = [
        life_cycle(0, "created", json!({})),
        life_cycle(1, "started", json!({})),
    ];
    assert!(records(&started).is_empty());
    let failed = life_cycle(
        61,
        "failed",
        json!({
            "outcome": "Failed", "duration_ms": 61_000, "failure_phase": "WorkflowExecution", "failure_reason": "Timeout",
            "error_details": {"message": "not finished in 30m", "code": "E", "component": "x", "retry_possible": false},
        }),
    );
    let remediation = record(Kind::Remediation, &[&started[..], &[failed]].concat());
    let columns = json!({
        "name": CORRELATION, "namespace": "operations", "phase": "failed", "status": "failure",
        "remediation_request_id": CORRELATION, "correlation_id": CORRELATION, "duration": 61_000,
        "start_time": "2026-03-01T10:00:00Z", "end_time": "2026-03-01T10:01:01Z", "error_message": "not finished in 30m",
    });
    assert_eq!(Value::Object(remediation.columns), columns);
    assert_eq!(remediation.document["failure_reason"], "Timeout");
}

#[test]
fn the_namespace_is_the_targets_also_if_the_orchestrator_was_first() {
    let events = [
        life_cycle(0, "created", json!({})),
        life_cycle(1, "started", json!({})),
        signal(0),
    ];
    let remediation = record(Kind::Remediation, &events);
    assert_eq!(remediation.columns["namespace"], "shop");
    assert_eq!(remediation.columns["status"], "running");
}

#[test]
fn what_is_finished_stays_so() {
    let late = life_cycle(4, "transitioned", json!({"to_phase": "Executing"}));
    let done = life_cycle(9, "completed", json!({"outcome": "Success"}));
    let remediation = record(Kind::Remediation, &[signal(0), done, late]);
    assert_eq!(remediation.columns["status"], "success");
    assert_eq!(remediation.columns["end_time"], "2026-03-01T10:00:09Z");
    assert_eq!(remediation.document["overall_phase"], "Completed");
}

#[test]
fn the_last_end_counts() {
    let failed = life_cycle(5, "failed", json!({"failure_reason": "Timeout"}));
    let done = life_cycle(9, "completed", json!({"outcome": "Success"}));
    let remediation = record(
        Kind::Remediation,
        &[signal(0), failed.clone(), done.clone()],
    );
    assert_eq!(remediation.columns["status"], "success");
    assert_eq!(remediation.columns["error_message"], Value::Null);
    let remediation = record(Kind::Remediation, &[signal(0), done, failed]);
    assert_eq!(remediation.columns["status"], "failure");
    assert_eq!(remediation.columns["error_message"], "Timeout");
    let bad = life_cycle(9, "completed", json!({"outcome": "Failed"}));
    assert_eq!(
        record(Kind::Remediation, &[bad]).columns["status"],
        "failure"
    );
}

#[test]
fn phases_of_the_orchestrator_have_states() {
    for (to, status) in [
        ("Pending", "pending"),
        ("Processing", "running"),
        ("AwaitingApproval", "running"),
        ("Completed", "success"),
        ("Failed", "failure"),
        ("TimedOut", "failure"),
        ("Skipped", "failure"),
        ("SomethingNew", "running"),
    ] {
        let step = life_cycle(4, "transitioned", json!({"to_phase": to}));
        let remediation = record(Kind::Remediation, &[signal(0), step]);
        assert_eq!(remediation.columns["status"], status, "{to}");
        assert_eq!(remediation.document["overall_phase"], to);
    }
}

#[test]
fn how_well_it_worked_is_known_bit_by_bit() {
    let scheduled = effect(300, "assessment.scheduled", json!({}));
    let health = effect(
        301,
        "health.assessed",
        json!({"assessed": true, "score": 0.5}),
    );
    let of = |events: &[_]| record(Kind::Remediation, events).document["effectiveness"].clone();
    let nothing = json!({"score": null, "resolved": null});
    assert_eq!(of(&[signal(0), scheduled.clone()]), nothing);
    assert_eq!(
        of(&[scheduled, health]),
        json!({"score": 0.5, "resolved": null})
    );
}

#[test]
fn an_analysis_without_an_agent_is_one_too() {
    let failed = analysed(
        80,
        "aianalysis.analysis.failed",
        json!({
            "reason": "WorkflowResolutionFailed", "sub_reason": "NoMatchingWorkflows",
        }),
    );
    assert_eq!(kinds(std::slice::from_ref(&failed)), [Kind::AiAnalysis]);
    let analysis = record(Kind::AiAnalysis, &[failed]);
    assert_eq!(analysis.columns["status"], "failure");
    assert_eq!(analysis.columns["namespace"], "shop");
    assert_eq!(analysis.columns["error_message"], "NoMatchingWorkflows");
    assert_eq!(analysis.document["reason"], "WorkflowResolutionFailed");
}

#[test]
fn the_controllers_word_about_the_analysis_is_the_last() {
    let found = answered(60, "aiagent.rca.complete");
    let analysis = record(Kind::AiAnalysis, std::slice::from_ref(&found));
    assert_eq!(analysis.columns["status"], "running");
    let done = answered(77, "aiagent.response.complete");
    let analysis = record(Kind::AiAnalysis, &[found, done.clone()]);
    assert_eq!(analysis.columns["status"], "success");
    let failed = analysed(80, "aianalysis.analysis.failed", json!({}));
    let analysis = record(Kind::AiAnalysis, &[failed, done]);
    assert_eq!(analysis.columns["status"], "failure");
}

#[test]
fn other_events_make_no_record() {
    let others = [
        event(
            0,
            "gateway.signal.deduplicated",
            json!({}),
            json!({"signal_name": "A"}),
        ),
        event(0, "aiagent.llm.request", json!({}), json!({"model": "m"})),
        event(
            0,
            "notification.message.sent",
            json!({}),
            json!({"subject": "s"}),
        ),
        event(
            0,
            "orchestrator.approval.requested",
            json!({}),
            json!({"rr_name": "r"}),
        ),
        classified(1),
    ];
    assert!(records(&others).is_empty());
    assert!(records(&[]).is_empty());
    assert!(records(&[Map::new()]).is_empty());
}
