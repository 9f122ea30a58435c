//! Ways around a permission: through another kind, another route, another answer.

use http::Method;
use serde_json::{Value, json};

use super::start;
use crate::support::payloads::{FORMS, fresh, remediation, with, workflow};
use crate::support::wire::Wire;
use crate::targets::assert_forbidden;

/// A body may claim what it likes: its records are of the path's kind.
#[tokio::test(flavor = "multi_thread")]
async fn a_batch_reaches_no_other_kind() {
    let guarded = start().await;
    let database = guarded.service.database.client().await;
    let writer = guarded.caller("writer");
    let namespace = fresh("claimed");
    let claims = json!({"kind": "remediation", "type": "remediation", "table": "remediation_audit", "id": 1});
    let mut records = vec![
        with(&workflow(&namespace, &fresh("word")), &claims),
        with(&workflow(&namespace, &fresh("word")), &claims),
    ];
    let path = "/api/v1/store/workflow";
    let batch = format!("{path}/batch");
    writer.post(&batch, &json!(records)).await.expect(201);
    writer.post(path, &records[0]).await.expect(201);
    // What only another kind has is data.
    records.push(with(
        &remediation(&namespace, &fresh("rr")),
        &json!({"workflow_type": "claimed"}),
    ));
    writer.post(&batch, &json!(records)).await.expect(201);

    for other in ["remediation", "aianalysis", "execution"] {
        for dialect in ["store", "audit"] {
            for (path, body) in [
                (format!("/api/v1/{dialect}/{other}"), records[0].clone()),
                (format!("/api/v1/{dialect}/{other}/batch"), json!(records)),
                (
                    format!("/api/v1/{dialect}/{other}?kind=workflow"),
                    records[0].clone(),
                ),
            ] {
                let answer = writer.post(&path, &body).await;
                assert_forbidden(&answer, &format!("write:{other}"), false);
            }
        }
    }
    let sql = "SELECT DISTINCT kind FROM audit WHERE namespace = $1";
    let kinds = database.query(sql, &[&namespace]).await.expect("kinds");
    let kinds: Vec<String> = kinds.iter().map(|row| row.get(0)).collect();
    assert_eq!(kinds, ["workflow"]);
    guarded.stop().await;
}

/// An id is one of a kind: who may patch workflows patches no remediation by its id.
#[tokio::test(flavor = "multi_thread")]
async fn an_id_of_another_kind_is_unknown() {
    let guarded = start().await;
    let admin = guarded.caller("admin");
    let body = remediation(&fresh("kept"), &fresh("rr"));
    let id = admin.create("/api/v1/store/remediation", &body).await;
    let before = admin.record("remediation", id).await;
    let writer = guarded.caller("writer");
    let changes = json!({"error_message": "changed"});
    let path = format!("/api/v1/store/workflow/{id}");
    writer
        .patch(&path, &changes)
        .await
        .problem(404, "not-found");
    let answer = writer
        .patch(&format!("/api/v1/store/remediation/{id}"), &changes)
        .await;
    assert_forbidden(&answer, "write:remediation", false);
    admin.unchanged("remediation", id, &before).await;
    guarded.stop().await;
}

/// No route that shows records is open to who may only write, and no refusal shows any.
#[tokio::test(flavor = "multi_thread")]
async fn no_route_reads_for_who_may_not() {
    let guarded = start().await;
    let admin = guarded.caller("admin");
    let secret = fresh("secret");
    let correlation = fresh("corr");
    let hidden = with(
        &remediation(&secret, &correlation),
        &json!({"error_message": secret}),
    );
    let id = admin.create("/api/v1/store/remediation", &hidden).await;
    let question = json!({"query": secret, "min_similarity": 0});
    for name in ["writer", "nobody"] {
        let client = guarded.caller(name);
        for path in [
            format!("/api/v1/query/timeline/{correlation}"),
            "/api/v1/incidents".to_owned(),
            format!("/api/v1/incidents?namespace={secret}"),
            format!("/api/v1/incidents/{id}"),
            format!("/api/v1/incidents/{id}/similar"),
            format!("/api/v1/query/remediation/{id}"),
            format!("/api/v1/query/remediation/{id}/versions"),
            "/api/v1/query/workflow".to_owned(),
            // Nor is told whether something exists.
            "/api/v1/incidents/1".to_owned(),
            "/api/v1/incidents/x".to_owned(),
            "/api/v1/query/remediation?limit=0".to_owned(),
        ] {
            let answer = client.get(&path).await;
            assert_forbidden(&answer, "read", false);
            assert!(!answer.text().contains("restart"), "{}", answer.text());
            let head = client.send(Method::HEAD, &path, &[], "").await;
            assert_eq!(head.status, 403, "{path}");
        }
        let answer = client.post("/api/v1/query/semantic", &question).await;
        assert_forbidden(&answer, "read", false);
        let answer = client.post("/api/v1/query/semantic", &Value::Null).await;
        assert_forbidden(&answer, "read", false);
    }
    guarded.stop().await;
}

/// A body is not looked at before its sender is known, whatever is wrong with it.
#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_tells_nothing_of_the_body() {
    let guarded = start().await;
    let nobody = guarded.caller("nobody");
    for form in FORMS {
        for body in ["", "{", "[]", "null", r#"{"name": 1}"#] {
            for media_type in ["application/json", "text/plain"] {
                let headers = [("content-type", media_type)];
                let answer = guarded
                    .stranger
                    .send(Method::POST, form.path, &headers, body)
                    .await;
                answer.problem(401, "unauthorized");
                let answer = nobody.send(Method::POST, form.path, &headers, body).await;
                assert_forbidden(&answer, &format!("write:{}", form.kind), false);
            }
        }
    }
    // One that is too large is not read to the end.
    let large = " ".repeat(6 * 1024 * 1024);
    let headers = [("content-type", "application/json")];
    let path = "/api/v1/store/workflow/batch";
    // The client may see the end of the connection before it sees the answer.
    if let Ok(answer) = guarded
        .stranger
        .try_send(Method::POST, path, &headers, large)
        .await
    {
        answer.problem(401, "unauthorized");
    }
    guarded.stop().await;
}

/// A body that is announced and never comes holds nothing up.
#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_is_refused_without_its_body() {
    let guarded = start().await;
    for announced in ["content-length: 100", "transfer-encoding: chunked"] {
        let mut wire = Wire::open(guarded.service.host.addr()).await;
        wire.send(format!(
            "POST /api/v1/store/workflow HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n{announced}\r\n\r\n"
        ))
        .await;
        let answer = wire.answer().await.expect("an answer");
        assert_eq!(answer.status, 401, "{announced}: {answer:?}");
    }
    guarded.stop().await;
}
