use super::*;

fn runs(events: &[Map<String, Value>]) -> Vec<Record> {
    records(events)
        .into_iter()
        .filter(|record| record.kind == Kind::Workflow)
        .collect()
}

fn names(events: &[Map<String, Value>]) -> Vec<String> {
    let name = |record: &Record| record.columns["name"].as_str().expect("a name").to_owned();
    runs(events).iter().map(name).collect()
}

#[test]
fn a_run_is_asked_for_and_then_runs() {
    let run = record(Kind::Workflow, &whole());
    let columns = json!({
        "name": "we-rr-7c1e", "namespace": "shop", "phase": "completed", "status": "success",
        "workflow_type": "IncreaseMemory", "action_type": "IncreaseMemory", "target_resource": "shop/Deployment/web",
        "cluster_name": "east", "remediation_request_id": CORRELATION, "correlation_id": CORRELATION,
        "start_time": "2026-03-01T10:02:50Z", "end_time": "2026-03-01T10:04:08Z",
    });
    assert_eq!(Value::Object(run.columns), columns);
    assert_eq!(run.document["workflow_id"], "more-memory");
    assert_eq!(run.document["execution_name"], "we-rr-7c1e");
    assert_eq!(run.document["event_count"], 4);
}

#[test]
fn states_follow_the_events() {
    for (step, status) in [
        ("selection.completed", "pending"),
        ("workflow.started", "running"),
        ("execution.started", "running"),
        ("workflow.completed", "success"),
        ("workflow.failed", "failure"),
    ] {
        let event = run(9, step, "we-1", json!({}));
        assert_eq!(
            record(Kind::Workflow, &[event]).columns["status"],
            status,
            "{step}"
        );
    }
    assert_eq!(
        record(Kind::Workflow, &[workflow_created(1)]).columns["status"],
        "pending"
    );
}

#[test]
fn a_failed_run_says_why() {
    let failed = run(
        9,
        "workflow.failed",
        "we-1",
        json!({
            "failure_reason": "OOMKilled", "failure_message": "exited 137", "failed_task_name": "apply",
            "started_at": "2026-03-01T09:59:00Z", "duration_ms": 69_000,
        }),
    );
    let run = record(Kind::Workflow, &[failed]);
    assert_eq!(run.columns["error_message"], "exited 137");
    assert_eq!(run.columns["start_time"], "2026-03-01T09:59:00Z");
    assert_eq!(run.columns["duration"], 69_000);
    assert_eq!(run.document["failed_task_name"], "apply");
}

#[test]
fn an_event_that_came_twice_makes_no_second_run() {
    let twice = [workflow_created(1), workflow_created(1)];
    assert_eq!(names(&twice), ["we-rr-7c1e"]);
    let late = [
        run(5, "execution.started", "we-x", json!({})),
        workflow_created(1),
    ];
    assert_eq!(names(&late), ["we-x"]);
    let long_gone = [
        workflow_created(1),
        run(5, "execution.started", "we-x", json!({})),
        workflow_created(1),
    ];
    assert_eq!(names(&long_gone), ["we-rr-7c1e"]);
}

#[test]
fn a_retry_is_a_run_of_its_own() {
    let events = [
        workflow_created(1),
        run(
            5,
            "workflow.failed",
            "we-1",
            json!({"failure_message": "no"}),
        ),
        run(9, "execution.started", "we-2", json!({})),
        run(12, "workflow.completed", "we-2", json!({})),
    ];
    assert_eq!(names(&events), ["we-rr-7c1e", "we-2"]);
    let statuses: Vec<_> = runs(&events)
        .iter()
        .map(|run| run.columns["status"].clone())
        .collect();
    assert_eq!(statuses, ["failure", "success"]);
}

#[test]
fn another_workflow_is_another_run() {
    let mut other = workflow_created(1);
    other["event_data"]["workflow_id"] = "rollback".into();
    let events = [
        workflow_created(1),
        other,
        run(
            5,
            "workflow.started",
            "we-9",
            json!({"workflow_id": "rollback"}),
        ),
    ];
    assert_eq!(names(&events), ["we-rr-7c1e", "we-rr-7c1e-2"]);
    let runs = runs(&events);
    assert_eq!(runs[0].columns["status"], "pending");
    assert_eq!(runs[1].document["execution_name"], "we-9");
}

#[test]
fn a_run_that_was_blocked_goes_on() {
    let cleared = event(
        20,
        "workflowexecution.block.cleared",
        json!({}),
        json!({
            "workflow_name": "more-memory", "clear_reason": "disk freed", "cleared_at": "2026-03-01T10:00:20Z",
            "previous_state": "Blocked", "new_state": "Running",
        }),
    );
    let run = record(Kind::Workflow, &[workflow_created(1), cleared.clone()]);
    assert_eq!(run.columns["status"], "running");
    assert_eq!(run.document["clear_reason"], "disk freed");
    let alone = record(Kind::Workflow, &[cleared]);
    assert_eq!(alone.columns["workflow_type"], "remediation");
    assert_eq!(alone.columns["namespace"], "unknown");
}

#[test]
fn there_are_not_more_runs_than_anybody_reads() {
    let events: Vec<_> = (0..200)
        .map(|n| run(n, "workflow.started", &format!("we-{n}"), json!({})))
        .collect();
    assert_eq!(runs(&events).len(), 50);
}
