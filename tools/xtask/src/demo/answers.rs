//! What the audit store answers, in lines for people.

use anyhow::Result;
use kubernaut_services::Remediation;
use serde_json::{Value, json};

use super::service::Service;

pub(super) const SEMANTIC: &str = "/api/v1/query/semantic";

/// Says what is asked, as one would ask it.
pub(super) fn heading(what: &str, how: &str) {
    println!("\n{what}\n$ {how}");
}

fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value[member].as_str().unwrap_or("-")
}

fn rows(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

pub(super) async fn incidents(service: &Service) -> Result<()> {
    let path = "/api/v1/incidents?limit=3";
    heading(
        "The last incidents",
        &format!("curl '{}{path}'", service.url()),
    );
    for incident in rows(&service.get(path).await?["data"]) {
        println!(
            "  {}  {:20} {:36} {:18} {}",
            text(incident, "action_timestamp"),
            text(incident, "alert_name"),
            text(incident, "target_resource"),
            text(incident, "action_type"),
            text(incident, "execution_status"),
        );
    }
    Ok(())
}

pub(super) async fn timeline(service: &Service, of: &Remediation) -> Result<()> {
    let path = format!("/api/v1/query/timeline/{}", of.id);
    heading(
        "What happened in the last one",
        &format!("curl '{}{path}'", service.url()),
    );
    for record in rows(&service.get(&path).await?["audits"]) {
        println!(
            "  {}  {:12} {:36} {}",
            text(record, "start_time"),
            text(record, "kind"),
            text(record, "name"),
            text(record, "status"),
        );
    }
    Ok(())
}

pub(super) async fn history(service: &Service, of: &Remediation) -> Result<()> {
    let path = format!(
        "/api/v1/remediation-history/context?targetKind=Deployment&targetName={}&targetNamespace={}&currentSpecHash={}",
        of.workload, of.namespace, of.spec[0]
    );
    heading(
        &format!(
            "What was done to {}/{}, asked after somebody has undone the last change",
            of.namespace, of.workload
        ),
        &format!("curl '{}{path}'", service.url()),
    );
    println!("{:#}", service.get(&path).await?);
    Ok(())
}

pub(super) async fn question(service: &Service, question: &str) -> Result<()> {
    let body = json!({"query": question, "limit": 3});
    heading(
        question,
        &format!(
            "curl {}{SEMANTIC} -H 'content-type: application/json' -d '{body}'",
            service.url()
        ),
    );
    for result in rows(&service.ask(SEMANTIC, &body).await?["results"]) {
        let record = &result["audit"];
        let similarity = result["similarity"].as_f64().unwrap_or_default();
        println!(
            "  {similarity:.2}  {:12} {}/{}: {}",
            text(record, "kind"),
            text(record, "namespace"),
            text(record, "name"),
            record["findings"]["root_cause"]
                .as_str()
                .unwrap_or_else(|| text(record, "alert_name")),
        );
    }
    Ok(())
}

pub(super) async fn verification(service: &Service, of: &Remediation) -> Result<()> {
    let path = "/api/v1/audit/verify-chain";
    let body = json!({"correlation_id": of.id});
    heading(
        "Whether anybody has changed what was written",
        &format!(
            "curl {}{path} -H 'content-type: application/json' -d '{body}'",
            service.url()
        ),
    );
    println!("{:#}", service.ask(path, &body).await?);
    Ok(())
}
