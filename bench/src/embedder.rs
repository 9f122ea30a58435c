//! Vectors without a model: texts that share words are near each other, which is what an index
//! notices about them.

use std::collections::HashMap;

use crate::chance::Chance;

/// Embeds texts as the sum of their words' directions, which are fixed and random.
#[derive(Debug)]
pub(crate) struct HashEmbedder {
    dimensions: usize,
    directions: HashMap<u64, Vec<f32>>,
}

impl HashEmbedder {
    pub(crate) fn new(dimensions: usize) -> Self {
        Self {
            dimensions,
            directions: HashMap::new(),
        }
    }

    /// A vector of length 1, as pgvector reads it.
    pub(crate) fn embed(&mut self, text: &str) -> String {
        let mut sum = vec![0_f32; self.dimensions];
        for word in text.split(|c: char| !c.is_alphanumeric()) {
            if word.is_empty() {
                continue;
            }
            // A number, or a name that a machine made, says less than a word.
            let weight = if word.bytes().any(|byte| byte.is_ascii_digit()) {
                0.3
            } else {
                1.0
            };
            for (sum, part) in sum.iter_mut().zip(self.direction(word)) {
                *sum += weight * part;
            }
        }
        literal(&sum)
    }

    fn direction(&mut self, word: &str) -> &[f32] {
        let seed = fnv(word);
        let dimensions = self.dimensions;
        self.directions.entry(seed).or_insert_with(|| {
            let mut chance = Chance::seeded(seed);
            (0..dimensions).map(|_| normal(&mut chance)).collect()
        })
    }
}

/// Nearly normal: the sum of four uniform numbers.
#[expect(clippy::cast_possible_truncation, reason = "less precision will do")]
fn normal(chance: &mut Chance) -> f32 {
    let sum: f64 = (0..4).map(|_| chance.fraction() - 0.5).sum();
    sum as f32
}

fn literal(vector: &[f32]) -> String {
    let length = vector.iter().map(|part| part * part).sum::<f32>().sqrt();
    let parts: Vec<String> = vector
        .iter()
        .map(|part| (part / length.max(f32::MIN_POSITIVE)).to_string())
        .collect();
    format!("[{}]", parts.join(","))
}

/// FNV-1a, in lower case.
fn fnv(word: &str) -> u64 {
    word.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte.to_ascii_lowercase())).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
