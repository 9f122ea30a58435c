//! Variables as a test scripts them.

use std::time::Duration;

use super::clock::sleep;
use super::servers;

/// What provides variables.
pub trait VariableProvider {
    /// How long it takes to say what a variable is, and what that is; nothing if it is not set.
    fn get(&self, name: &str) -> (Duration, Option<String>);
}

/// The value of a variable; nothing if it is not set.
pub async fn variable(name: &str) -> Option<String> {
    let (takes, value) = servers().variables?.get(name);
    sleep(takes).await;
    value
}
