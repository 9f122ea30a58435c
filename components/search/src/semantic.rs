//! `POST /api/v1/query/semantic`: a question in plain words.

use audit::{Code, Vector, Violation};
use edge::{Error, Reply, Result};
use instance::{Level, Outage};
use postgres::{Parameter, Read};

use crate::config::{Call, Config};
use crate::question::Question;

/// Bytes in the body of a question.
const LIMIT: usize = 64 * 1024;

/// The records that are nearest to a question, all kinds together.
pub(crate) async fn search(call: Call) -> Result<Reply> {
    call.no_parameters()?;
    let config = call.config.clone();
    let trace = call.trace();
    let (text, question) = Question::read(call.json(LIMIT).await?)?;

    let mut embedded = vectors::embed(config.provider.as_ref(), &[text], trace).await;
    let vector = embedded
        .vectors
        .pop()
        .unwrap_or(Err(vectors::Failure::Disabled));
    let vector = vector.map_err(not_embedded)?;
    let body = results(&config, &vector, &question).await?;
    embedded.remember();
    Ok(Reply::json_text(body))
}

fn not_embedded(failure: vectors::Failure) -> Error {
    match failure {
        vectors::Failure::Refused => Error::Invalid(vec![Violation {
            field: "query".to_owned(),
            code: Code::InvalidValue,
            message: "is refused by the embedding provider; ask in other or fewer words".to_owned(),
        }]),
        away => Outage::from(away).into(),
    }
}

/// From the vector database, if there is one and it can answer; else from the primary, which has
/// everything and knows the filters.
async fn results(config: &Config, vector: &Vector, question: &Question) -> Result<String> {
    if question.filter.is_empty()
        && let Some(body) = among_nearest(config, vector, question).await?
    {
        return Ok(body);
    }
    let search = "audit_search($1, $2, $3::text::jsonb, $4, $5, $6)";
    let parameters = [
        Parameter::Str(vector.to_sql()),
        Parameter::Str(config.model().to_owned()),
        question.filter_to_sql(),
        question.limit_to_sql(),
        question.least_to_sql(),
        Parameter::Int32(config.search_ef),
    ];
    let body = config.reads.text(Read::slow(search, &parameters)).await;
    let body = body.map_err(Outage::from)?;
    Ok(body.unwrap_or_default())
}

/// From what the vector database finds. Nothing if the primary is to be searched.
///
/// What the vector database has yet to be told is asked for first: a record that is delivered while it is being asked is
/// then known from one or the other.
async fn among_nearest(
    config: &Config,
    vector: &Vector,
    question: &Question,
) -> Result<Option<String>> {
    let (Some(vector_db), model) = (&config.vector_db, config.model()) else {
        return Ok(None);
    };
    let undelivered = config.reads.text(Read::quick("audit_undelivered()", &[]));
    let Some(undelivered) = undelivered.await.map_err(Outage::from)? else {
        return Ok(None);
    };
    let kinds = question.kinds_to_sql();
    let nearest = vectors::nearest(
        vector_db,
        vector,
        model,
        &kinds,
        question.limit,
        config.search_ef,
    );
    let candidates = match nearest.await {
        Ok(Some(candidates)) => candidates,
        Ok(None) => return Ok(None),
        Err(failure) => {
            metrics::fallback();
            instance::event(Level::Warn, "vector_db", &format!("not asked: {failure:?}"));
            return Ok(None);
        }
    };
    let among =
        "audit_search_among($1::text::jsonb, $2, $3, $4::text::jsonb, $5, $6, $7::text::jsonb)";
    let parameters = [
        Parameter::Str(candidates),
        Parameter::Str(vector.to_sql()),
        Parameter::Str(model.to_owned()),
        kinds,
        Parameter::Int32(question.limit),
        question.least_to_sql(),
        Parameter::Str(undelivered),
    ];
    let body = config.reads.text(Read::slow(among, &parameters)).await;
    Ok(body.map_err(Outage::from)?)
}
