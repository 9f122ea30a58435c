//! `GET /api/v1/incidents/{id}/similar`: what looks like this incident.

use edge::{Error, Reply, Result};
use instance::Outage;
use postgres::{Parameter, Read};

use crate::config::Call;
use crate::question::Question;

/// The records that are nearest to the incident's stored vector. The provider is not asked.
pub(crate) async fn show(call: Call) -> Result<Reply> {
    let id = call.id()?;
    let mut parameters = call.parameters()?;
    let question = Question::take(&mut parameters)?;
    parameters.finish()?;

    let similar = "audit_similar('remediation', $1, $2::text::jsonb, $3, $4, $5)";
    let parameters = [
        Parameter::Int64(id),
        question.filter_to_sql(),
        question.limit_to_sql(),
        question.least_to_sql(),
        Parameter::Int32(call.config.search_ef),
    ];
    let body = call.config.reads.text(Read::slow(similar, &parameters));
    let body = body.await.map_err(Outage::from)?;
    body.map_or(Err(Error::NoSuchRecord), |body| {
        Ok(Reply::json_text(body).about(id))
    })
}
