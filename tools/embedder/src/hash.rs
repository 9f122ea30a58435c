//! Vectors without a model.
//!
//! Each word has a pseudo-random direction of its own, and a text is the sum of its words'. Random
//! directions in hundreds of dimensions are nearly at right angles, so the cosine of two texts is
//! about the share of words that they have in common.
//!
//! Only additions, multiplications, divisions and square roots, which IEEE 754 rounds the same
//! everywhere, in an order that the text alone decides: the same text has the same bits everywhere.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use crate::model::Embedding;
use crate::vector::narrow;

#[derive(Debug)]
pub(crate) struct HashModel {
    dimensions: usize,
}

impl HashModel {
    pub(crate) fn new(dimensions: usize) -> Self {
        assert!(dimensions > 0, "a vector has at least one dimension");
        Self { dimensions }
    }

    pub(crate) fn dimensions(&self) -> usize {
        self.dimensions
    }

    pub(crate) fn embed(&self, text: &str) -> Embedding {
        let words = words(text);
        let tokens = words.values().map(|count| *count as usize).sum();
        let mut sum = vec![0.0; self.dimensions];
        for (word, count) in &words {
            // A word said four times counts twice.
            let weight = f64::from(*count).sqrt();
            let mut random = SplitMix64::seeded_by(word);
            for value in &mut sum {
                *value += weight * random.next();
            }
        }
        let length = sum.iter().map(|value| value * value).sum::<f64>().sqrt();
        Embedding {
            vector: sum.iter().map(|value| narrow(value / length)).collect(),
            tokens,
        }
    }
}

/// How often each word occurs. A text without any is one word, so that it has a direction too.
fn words(text: &str) -> BTreeMap<String, u32> {
    let lower = text.to_lowercase();
    let mut words = BTreeMap::new();
    for word in lower.split(|character: char| !character.is_alphanumeric()) {
        if !word.is_empty() {
            *words.entry(word.to_owned()).or_insert(0) += 1;
        }
    }
    if words.is_empty() {
        words.insert(lower, 1);
    }
    words
}

/// Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014.
struct SplitMix64(u64);

impl SplitMix64 {
    fn seeded_by(word: &str) -> Self {
        let digest = Sha256::digest(word);
        let seed = digest
            .iter()
            .take(8)
            .fold(0, |seed, byte| seed << 8 | u64::from(*byte));
        Self(seed)
    }

    /// In -1..1, a multiple of 2^-31.
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        let [a, b, c, d, ..] = mixed.to_be_bytes();
        f64::from(i32::from_be_bytes([a, b, c, d])) / f64::from(1_u32 << 31)
    }
}
