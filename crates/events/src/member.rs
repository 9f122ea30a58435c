//! The members that an event's hash covers, by name.

use serde_json::Value;

/// Makes the names, so that each is written once.
macro_rules! members {
    ($($member:ident = $name:literal,)+) => {
        /// The name of a member.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Member { $($member,)+ }

        impl Member {
            /// All of them, in the order of their names.
            pub(crate) const ALL: &[Self] = &[$(Self::$member,)+];

            /// The name as text. Nothing in it is escaped in JSON.
            pub(crate) const fn name(self) -> &'static str {
                match self { $(Self::$member => $name,)+ }
            }
        }
    };
}

// In the order of their names, in which the canonical form has them.
members! {
    ActorId = "actor_id",
    ActorIp = "actor_ip",
    ActorType = "actor_type",
    CanonicalForm = "canonical_form",
    ChainKeyId = "chain_key_id",
    ChainSequence = "chain_sequence",
    ClockSkew = "clock_skew",
    ClusterId = "cluster_id",
    CorrelationId = "correlation_id",
    DurationMs = "duration_ms",
    ErrorCode = "error_code",
    ErrorMessage = "error_message",
    EventAction = "event_action",
    EventCategory = "event_category",
    EventData = "event_data",
    EventDate = "event_date",
    EventId = "event_id",
    EventOutcome = "event_outcome",
    EventTimestamp = "event_timestamp",
    EventType = "event_type",
    Extra = "extra",
    HashAlgorithm = "hash_algorithm",
    IsSensitive = "is_sensitive",
    Namespace = "namespace",
    ParentEventDate = "parent_event_date",
    ParentEventId = "parent_event_id",
    PreviousEventHash = "previous_event_hash",
    Readable = "readable",
    ResourceId = "resource_id",
    ResourceType = "resource_type",
    RetentionDays = "retention_days",
    Sequence = "sequence",
    Severity = "severity",
    Version = "version",
}

const COUNT: usize = Member::ALL.len();

/// A value for each member; null where there is none. An array rather than a map, because a batch has thousands of them and comparing
/// names is slow in Wasm.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Members([Value; COUNT]);

impl Members {
    /// No values.
    pub(crate) const fn new() -> Self {
        Self([const { Value::Null }; COUNT])
    }

    pub(crate) fn get(&self, member: Member) -> &Value {
        self.0.get(member as usize).unwrap_or(&Value::Null)
    }

    /// The value where it is text, otherwise nothing of it.
    pub(crate) fn text(&self, member: Member) -> &str {
        self.get(member).as_str().unwrap_or_default()
    }

    pub(crate) fn get_mut(&mut self, member: Member) -> Option<&mut Value> {
        self.0.get_mut(member as usize)
    }

    /// Null takes the value away.
    pub(crate) fn set(&mut self, member: Member, value: impl Into<Value>) {
        if let Some(place) = self.get_mut(member) {
            *place = value.into();
        }
    }

    /// Sets what has no value.
    pub(crate) fn set_default(&mut self, member: Member, value: impl Into<Value>) {
        if self.get(member).is_null() {
            self.set(member, value);
        }
    }

    pub(crate) fn take(&mut self, member: Member) -> Value {
        self.get_mut(member).map(Value::take).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_in_the_order_of_their_names() {
        let names: Vec<_> = Member::ALL.iter().map(|member| member.name()).collect();
        assert!(names.is_sorted_by(|one, other| one < other), "{names:?}");
        for (place, member) in Member::ALL.iter().enumerate() {
            assert_eq!(*member as usize, place);
        }
        let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
        assert!(names.iter().all(|name| name.bytes().all(is_plain)));
    }
}
