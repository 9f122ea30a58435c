//! all-MiniLM-L6-v2, as sentence-transformers runs it: BERT, the mean over the tokens, length 1.

mod weights;

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::bert::{BertModel, Config};
use tokenizers::{Encoding, PaddingParams, Tokenizer, TruncationParams};

use crate::model::{EmbedError, Embedding};
use crate::vector::normalize;

pub use weights::LoadError;

/// `max_seq_length` of `sentence_bert_config.json`. The rest of a text is not read.
const MAX_TOKENS: usize = 256;
/// Bounds the memory of one pass: the widest layer takes 6 KiB per token.
const BATCH_TOKENS: usize = 4096;

pub(crate) struct MiniLm {
    tokenizer: Tokenizer,
    bert: BertModel,
    dimensions: usize,
}

impl std::fmt::Debug for MiniLm {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("MiniLm").finish_non_exhaustive()
    }
}

impl MiniLm {
    pub(crate) fn load(progress: &dyn Fn(&str)) -> Result<Self, LoadError> {
        let files = weights::read(progress)?;
        let config: Config = serde_json::from_slice(&files.config).map_err(LoadError::broken)?;
        let weights =
            VarBuilder::from_buffered_safetensors(files.weights, DType::F32, &Device::Cpu)
                .map_err(LoadError::broken)?;
        Ok(Self {
            tokenizer: tokenizer(&files.tokenizer)?,
            bert: BertModel::load(weights, &config).map_err(LoadError::broken)?,
            dimensions: config.hidden_size,
        })
    }

    pub(crate) fn dimensions(&self) -> usize {
        self.dimensions
    }

    pub(crate) fn embed(&self, texts: &[&str]) -> Result<Vec<Embedding>, EmbedError> {
        let encodings = self
            .tokenizer
            .encode_batch_fast(texts.to_vec(), true)
            .map_err(|error| EmbedError(error.to_string()))?;
        let mut embeddings = vec![None; texts.len()];
        for batch in batches(&encodings) {
            let vectors = self
                .vectors(&batch, &encodings)
                .map_err(|error| EmbedError(error.to_string()))?;
            for (index, mut vector) in batch.into_iter().zip(vectors) {
                normalize(&mut vector);
                let tokens = encodings[index].len();
                embeddings[index] = Some(Embedding { vector, tokens });
            }
        }
        // Every text is in one batch.
        Ok(embeddings.into_iter().flatten().collect())
    }

    /// One pass through the model for the encodings that `batch` names.
    fn vectors(
        &self,
        batch: &[usize],
        encodings: &[Encoding],
    ) -> candle_core::Result<Vec<Vec<f32>>> {
        let width = batch
            .iter()
            .map(|index| encodings[*index].len())
            .max()
            .unwrap_or(0);
        let padded = |values: fn(&Encoding) -> &[u32]| {
            let rows = batch.iter().flat_map(|index| {
                let values = values(&encodings[*index]);
                let padding = std::iter::repeat_n(0, width - values.len());
                values.iter().copied().chain(padding)
            });
            Tensor::from_iter(rows, &Device::Cpu)?.reshape((batch.len(), width))
        };
        let ids = padded(Encoding::get_ids)?;
        let types = padded(Encoding::get_type_ids)?;
        let mask = padded(Encoding::get_attention_mask)?;
        let states = self.bert.forward(&ids, &types, Some(&mask))?;
        // The mean over the tokens that are no padding; its length does not matter, so the sum.
        let mask = mask.to_dtype(DType::F32)?.unsqueeze(2)?;
        states.broadcast_mul(&mask)?.sum(1)?.to_vec2()
    }
}

fn tokenizer(file: &[u8]) -> Result<Tokenizer, LoadError> {
    let mut tokenizer = Tokenizer::from_bytes(file).map_err(LoadError::broken)?;
    let truncation = TruncationParams {
        max_length: MAX_TOKENS,
        ..TruncationParams::default()
    };
    tokenizer
        .with_truncation(Some(truncation))
        .map_err(LoadError::broken)?;
    // Each batch is padded to its own width instead.
    tokenizer.with_padding(None::<PaddingParams>);
    Ok(tokenizer)
}

/// Groups encodings of similar length, so that little of a pass is padding.
fn batches(encodings: &[Encoding]) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..encodings.len()).collect();
    order.sort_by_key(|index| encodings[*index].len());
    let mut batches: Vec<Vec<usize>> = Vec::new();
    for index in order {
        // The longest so far, so the width of the batch that it joins.
        let width = encodings[index].len();
        match batches.last_mut() {
            Some(batch) if (batch.len() + 1) * width <= BATCH_TOKENS => batch.push(index),
            _ => batches.push(vec![index]),
        }
    }
    batches
}
