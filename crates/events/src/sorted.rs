//! JSON with sorted members and without spaces: the same whatever order its members came in. Unlike in the canonical form, `1` and
//! `1.0` differ: a client writes the same number in the same way.

use serde::ser::{Serialize, Serializer};
use serde_json::Value;

/// A value that serialises with sorted members.
pub(crate) struct Sorted<'v>(pub(crate) &'v Value);

impl Serialize for Sorted<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Object(members) => {
                // Sorted here because a feature of serde_json, which any crate of the build may switch on, keeps the members in the
                // order in which they came.
                let mut members: Vec<_> = members.iter().collect();
                members.sort_unstable_by_key(|(name, _)| *name);
                serializer.collect_map(members.into_iter().map(|(name, value)| (name, Self(value))))
            }
            Value::Array(elements) => serializer.collect_seq(elements.iter().map(Self)),
            scalar => scalar.serialize(serializer),
        }
    }
}
