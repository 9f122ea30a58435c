//! JSON with sorted members and without spaces: the same whatever order its members came in. Unlike in the canonical form, `1` and
//! `1.0` differ: a client writes the same number in the same way.

use serde::ser::{Serialize, SerializeMap as _, Serializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// A value that serialises with sorted members.
pub(crate) struct Sorted<'v>(pub(crate) &'v Value);

impl Serialize for Sorted<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Object(members) => {
                let members = in_order(members).into_iter();
                serializer.collect_map(members.map(|(name, value)| (name, Self(value))))
            }
            Value::Array(elements) => serializer.collect_seq(elements.iter().map(Self)),
            scalar => scalar.serialize(serializer),
        }
    }
}

/// An object that serialises with sorted members, of which the text of one is known.
pub(crate) struct SortedObject<'v> {
    pub(crate) members: &'v Map<String, Value>,
    /// The name of that one, and its JSON with sorted members.
    pub(crate) known: Option<(&'v str, &'v RawValue)>,
}

impl Serialize for SortedObject<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_map(None)?;
        for (name, value) in in_order(self.members) {
            match self.known {
                Some((known, text)) if known == name => object.serialize_entry(name, text)?,
                _ => object.serialize_entry(name, &Sorted(value))?,
            }
        }
        object.end()
    }
}

fn in_order(members: &Map<String, Value>) -> Vec<(&String, &Value)> {
    // Sorted here because a feature of serde_json, which any crate of the build may switch on, keeps the members in the order in which
    // they came.
    let mut members: Vec<_> = members.iter().collect();
    members.sort_unstable_by_key(|(name, _)| *name);
    members
}
