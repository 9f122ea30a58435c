//! `POST /api/v1/query/semantic`: a question in plain words.

use std::rc::Rc;

use audit::{Code, Vector, Violation};
use gateway::database::{self, Parameter};
use gateway::{Call, Config, Error, Reply, Result, embedding, look_after, mirror};

use crate::question::Question;

/// Bytes in the body of a question.
const LIMIT: usize = 64 * 1024;

/// The records that are nearest to a question, all kinds together.
pub(crate) async fn search(call: Call) -> Result<Reply> {
    call.no_parameters()?;
    let config = call.config.clone();
    let (text, question) = Question::read(call.json(LIMIT).await?)?;

    let mut embedded = embedding::embed(&config, &[text]).await;
    let vector = embedded
        .vectors
        .pop()
        .unwrap_or(Err(embedding::Failure::Disabled));
    let vector = vector.map_err(not_embedded)?;
    let body = results(&config, &vector, &question).await?;
    embedded.remember(&config);
    look_after(&config);
    Ok(Reply::json_text(body))
}

fn not_embedded(failure: embedding::Failure) -> Error {
    match failure {
        embedding::Failure::Refused => Error::Invalid(vec![Violation {
            field: "query".to_owned(),
            code: Code::InvalidValue,
            message: "is refused by the embedding provider; ask in other or fewer words".to_owned(),
        }]),
        away => Error::NotEmbedded(away),
    }
}

/// From the vector database, if there is one and it can answer; else from the primary, which has
/// everything and knows the filters.
async fn results(config: &Rc<Config>, vector: &Vector, question: &Question) -> Result<String> {
    if question.filter.is_empty()
        && let Some(body) = among_nearest(config, vector, question).await?
    {
        return Ok(body);
    }
    let body = database::text(
        config,
        "SELECT audit_search($1, $2, $3::text::jsonb, $4, $5, $6)",
        &[
            Parameter::Str(vector.to_sql()),
            Parameter::Str(embedding::model(config).unwrap_or_default().to_owned()),
            question.filter_to_sql(),
            question.limit_to_sql(),
            question.least_to_sql(),
            Parameter::Int32(config.search_ef()),
        ],
    )
    .await?;
    Ok(body.unwrap_or_default())
}

async fn among_nearest(
    config: &Rc<Config>,
    vector: &Vector,
    question: &Question,
) -> Result<Option<String>> {
    let kinds = question.kinds_to_sql();
    let Some(candidates) = mirror::nearest(config, vector, &kinds, question.limit).await else {
        return Ok(None);
    };
    let body = database::text(
        config,
        "SELECT audit_search_among($1::text::jsonb, $2, $3, $4::text::jsonb, $5, $6)",
        &[
            Parameter::Str(candidates),
            Parameter::Str(vector.to_sql()),
            Parameter::Str(embedding::model(config).unwrap_or_default().to_owned()),
            kinds,
            Parameter::Int32(question.limit),
            question.least_to_sql(),
        ],
    )
    .await?;
    Ok(body)
}
