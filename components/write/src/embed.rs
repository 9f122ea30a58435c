//! The vectors of records that are about to be stored.

use std::rc::Rc;

use audit::{Embedding, Record};
use instance::Trace;
use vectors::{Embedded, Provider};

/// Gives records their vectors, as far as there are any in time. A record without one is stored all the
/// same, and embedded later.
pub(crate) async fn attach(
    provider: Option<&Rc<Provider>>,
    records: &mut [Record],
    trace: Option<Trace>,
) -> Option<Embedded> {
    let provider = provider?;
    let (indices, texts): (Vec<usize>, Vec<String>) = records
        .iter()
        .enumerate()
        .filter_map(|(index, record)| Some((index, record.embedding_text()?)))
        .unzip();
    let embedded = vectors::embed(Some(provider), &texts, trace).await;
    for (index, vector) in indices.into_iter().zip(&embedded.vectors) {
        if let (Some(record), Ok(vector)) = (records.get_mut(index), vector) {
            record.embedding = Some(Embedding {
                model: provider.model.clone(),
                vector: Some(vector.to_sql()),
            });
        }
    }
    Some(embedded)
}
