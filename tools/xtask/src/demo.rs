//! `cargo xtask demo`: three remediations as ten services write them, and what the audit store then knows of them.

mod answers;
mod offline;
mod service;
mod story;

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use kubernaut_services::Remediation;
use serde_json::Value;

use crate::progress::{Step, say};
use crate::stage::http::Request;
use crate::stage::until;
use crate::up::keys;
use service::Service;

/// How long records may take to be made of the events.
const PROJECTION_PATIENCE: Duration = Duration::from_mins(1);
/// How long vectors may take: where `up` brings an embedding server of its own, it is built first.
const EMBEDDING_PATIENCE: Duration = Duration::from_mins(20);

/// Records of a remediation: of itself, its analysis and its workflow.
const RECORDS: usize = 3;

#[derive(clap::Args)]
pub(crate) struct Demo {
    /// Use the service at this address; without one it is brought up as `cargo xtask up` does, and ended again
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// The token of a caller who may write events, where the service asks who calls
    #[arg(
        long,
        env = "AUDIT_TOKEN",
        hide_env_values = true,
        value_name = "TOKEN"
    )]
    token: Option<String>,
    /// The value of the service's variable `chain_key`, with which the export is verified
    #[arg(
        long,
        env = "AUDIT_CHAIN_KEY",
        hide_env_values = true,
        value_name = "ID:SECRET"
    )]
    chain_key: Option<String>,
    /// Leave out what needs embeddings: nothing is asked by meaning
    #[arg(long)]
    no_embeddings: bool,
}

impl Demo {
    pub(crate) async fn run(self) -> Result<ExitCode> {
        let mut service = match &self.url {
            Some(url) => Service::at(url, self.token.as_deref())?,
            None => Service::bring_up(self.no_embeddings).await?,
        };
        let shown = self.show(&service).await;
        service.stop()?;
        shown?;
        Ok(ExitCode::SUCCESS)
    }

    async fn show(&self, service: &Service) -> Result<()> {
        let remediations = story::remediations();
        for remediation in &remediations {
            play(service, remediation).await?;
        }
        wait_for_records(service, &remediations).await?;
        answers::incidents(service).await?;
        let last = remediations.last().context("there are remediations")?;
        answers::timeline(service, last).await?;
        answers::history(service, last).await?;
        if self.no_embeddings {
            say("asking by meaning is left out: it needs embeddings");
        } else {
            wait_for_vectors(service, last).await?;
            answers::question(service, &story::question()).await?;
        }
        answers::verification(service, last).await?;
        let chain_keys = match self.url {
            Some(_) => self.chain_key.clone(),
            None => keys::chain_keys(),
        };
        offline::export(service, last, chain_keys.as_deref()).await
    }
}

/// Posts the events of a remediation, as each service has some to tell.
async fn play(service: &Service, remediation: &Remediation) -> Result<()> {
    say(&format!(
        "{}: {} of {}/{}",
        remediation.id, remediation.alert, remediation.namespace, remediation.workload
    ));
    let mut steps = remediation.steps().into_iter().peekable();
    while let Some(first) = steps.next() {
        let writer = first.service;
        let mut events = vec![first.event];
        while let Some(next) = steps.next_if(|next| next.service == writer) {
            events.push(next.event);
        }
        eprint!("    {writer} {}", events.len());
        std::io::stderr().flush()?;
        let post = Request::post("/api/v1/audit/events/batch", &Value::Array(events));
        let answer = service.send(post).await?;
        if answer.status != 201 {
            bail!("{writer} was answered {}: {}", answer.status, answer.body);
        }
    }
    eprintln!();
    Ok(())
}

async fn wait_for_records(service: &Service, remediations: &[Remediation]) -> Result<()> {
    let _step = Step::begin("waiting until records are made of the events");
    until(
        "records are made of the events",
        PROJECTION_PATIENCE,
        async || {
            for remediation in remediations {
                let path = format!(
                    "/api/v1/query/remediation?remediation_request_id={}",
                    remediation.id
                );
                let page = service.get(&path).await?;
                let phase = page["audits"][0]["phase"].as_str();
                if !phase.is_some_and(|phase| ["completed", "failed"].contains(&phase)) {
                    // What makes them lives on probes.
                    service.probe().await?;
                    return Ok(false);
                }
            }
            Ok(true)
        },
    )
    .await
}

async fn wait_for_vectors(service: &Service, remediation: &Remediation) -> Result<()> {
    let _step = Step::begin("waiting for an embedding server, and for the vectors of the records");
    until("the records have vectors", EMBEDDING_PATIENCE, async || {
        service.probe().await?;
        let question = serde_json::json!({
            "query": remediation.cause, "limit": RECORDS, "remediation_request_id": remediation.id,
        });
        let post = Request::post(answers::SEMANTIC, &question);
        let answer = service.send(post).await?;
        match answer.status {
            200 => {
                let found: Value = serde_json::from_str(&answer.body)?;
                let results = found["results"].as_array();
                Ok(results.is_some_and(|results| results.len() == RECORDS))
            }
            // There is no embedding server yet.
            503 => Ok(false),
            status => bail!(
                "a question by meaning is answered {status}: {}",
                answer.body
            ),
        }
    })
    .await
}
