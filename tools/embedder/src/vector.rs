//! Vectors as plain numbers.

/// Scales `vector` to length 1. One without a direction stays as it is.
pub(crate) fn normalize(vector: &mut [f32]) {
    let length = vector
        .iter()
        .map(|value| f64::from(*value).powi(2))
        .sum::<f64>()
        .sqrt();
    if length > 0.0 {
        for value in vector {
            *value = narrow(f64::from(*value) / length);
        }
    }
}

/// The nearest `f32`.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the precision that a vector is stored in"
)]
pub(crate) fn narrow(value: f64) -> f32 {
    value as f32
}
