//! Embeds records that have no vector of the present model.

use std::rc::Rc;

use audit::Pending;

use crate::database::{Failure, Parameter, Session, primary};
use crate::{Config, embedding, mirror};

/// The most records at a time: one question to the provider.
const LARGEST: i32 = 64;

/// Batches behind one request. More would keep an instance from being given up when it is idle.
const BATCHES: u32 = 8;

/// How long others keep away while this instance is embedding: longer than a batch can take.
const LEASE: &str = "30 seconds";

/// How long everybody keeps away after the provider failed.
const PAUSE: &str = "2 seconds";

/// Embeds some of the records that wait, if nobody else does.
pub(super) async fn some(config: &Rc<Config>) -> Result<(), Failure> {
    let Some(model) = embedding::model(config) else {
        return Ok(());
    };
    let session = Session::open(primary(config)?).await?;
    for _ in 0..BATCHES {
        let claimed = session
            .text(
                &format!("SELECT audit_embedding_claim($1, '{LEASE}')::text"),
                &[Parameter::Str(model.to_owned())],
            )
            .await?;
        let Some(claimed) = claimed else {
            return Ok(());
        };
        let pending: Vec<Pending> = serde_json::from_str(&claimed)
            .map_err(|error| Failure::Other(format!("the pending records: {error}")))?;
        let complete = embed(config, model, &session, &pending).await?;
        session
            .text(
                &format!("SELECT audit_embedding_conclude($1, '{PAUSE}', {LARGEST})::text"),
                &[Parameter::Boolean(complete)],
            )
            .await?;
        mirror::deliver_soon(config);
        if !complete {
            return Ok(());
        }
    }
    Ok(())
}

/// Whether the provider answered for all of them.
async fn embed(
    config: &Rc<Config>,
    model: &str,
    session: &Session,
    pending: &[Pending],
) -> Result<bool, Failure> {
    let texts: Vec<Option<String>> = pending.iter().map(|record| record.parts.text()).collect();
    let said: Vec<String> = texts.iter().flatten().cloned().collect();
    let embedded = embedding::embed(config, &said).await;

    let mut vectors = embedded.vectors.iter();
    let mut done = Vec::new();
    let mut complete = true;
    for (record, text) in pending.iter().zip(&texts) {
        match text.as_ref().and_then(|_| vectors.next()) {
            None => done.push(record.wordless()),
            Some(Ok(vector)) => done.push(record.embedded(model, vector)),
            Some(Err(embedding::Failure::Refused)) => done.push(record.refused()),
            Some(Err(_)) => complete = false,
        }
    }
    embedded.remember(config);
    let done = serde_json::to_string(&done)
        .map_err(|error| Failure::Other(format!("a vector does not serialise: {error}")))?;
    let mirrored = config.vector_db.is_some();
    session
        .text(
            "SELECT audit_embed($1::text::jsonb, $2)::text",
            &[Parameter::Str(done), Parameter::Boolean(mirrored)],
        )
        .await?;
    Ok(complete)
}
