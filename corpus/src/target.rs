//! What redaction must reach on these texts; tests and benchmarks hold it to the same.

/// Of the secrets of the 22 families, and of the combinations with them, so many are found at least.
pub const LEAST_REQUIRED: f64 = 0.99;
/// Of the secrets of the other families, so many.
pub const LEAST_OTHERS: f64 = 0.97;
/// Of the texts, so many at most are changed where they have no secret.
pub const MOST_DAMAGED: f64 = 0.005;
/// The seed of the combinations.
pub const SEED: u64 = 20_261_127;
