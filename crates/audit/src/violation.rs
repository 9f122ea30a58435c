//! What is wrong with a request, field by field.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::redact;

/// How many violations one request is told about, and beyond that the first one of each element of a batch. A last one says
/// how many more there are, so that a batch of broken records does not make an answer larger than itself.
pub const MAX_VIOLATIONS: usize = 100;

/// The reason of a violation: a closed set, fit for metric labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Code {
    /// A member that must be there is missing or null.
    Required,
    /// The JSON type is wrong.
    InvalidType,
    /// The text or the array is too short.
    TooShort,
    /// The text or the array is too long.
    TooLong,
    /// The value is not one of the words that are allowed.
    InvalidValue,
    /// The text does not have the form that is asked for.
    InvalidFormat,
    /// The number is outside the range that is allowed.
    OutOfRange,
    /// The time lies in the future.
    InFuture,
    /// The end lies before the start.
    EndBeforeStart,
    /// The value contradicts another one of the same record.
    Inconsistent,
    /// Text that names something has markup in it.
    XssDetected,
    /// The text or a key contains U+0000.
    NulCharacter,
    /// Arrays and objects are nested too deep.
    TooDeep,
    /// The free-form members are too large together.
    TooLarge,
    /// A patch names a member that it cannot change.
    ReadOnly,
    /// Stands for the violations beyond [`MAX_VIOLATIONS`].
    TooMany,
}

impl Code {
    /// The name in answers and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Required => "required",
            Self::InvalidType => "invalid_type",
            Self::TooShort => "too_short",
            Self::TooLong => "too_long",
            Self::InvalidValue => "invalid_value",
            Self::InvalidFormat => "invalid_format",
            Self::OutOfRange => "out_of_range",
            Self::InFuture => "in_future",
            Self::EndBeforeStart => "end_before_start",
            Self::Inconsistent => "inconsistent",
            Self::XssDetected => "xss_detected",
            Self::NulCharacter => "nul_character",
            Self::TooDeep => "too_deep",
            Self::TooLarge => "too_large",
            Self::ReadOnly => "read_only",
            Self::TooMany => "too_many",
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// One rule that one field breaks. Serialises as an element of a problem document's `errors`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// The path as the client wrote it: `name`, `metadata.a[3]`, `[2].name` in a batch; empty for
    /// the body as a whole. Long keys are cut, secrets in them replaced.
    pub field: String,
    /// The reason.
    pub code: Code,
    /// The rule, and so what to do. Reads on from the field's name.
    pub message: String,
}

/// Collects the violations of one request.
#[derive(Debug, Default)]
pub(crate) struct Violations {
    list: Vec<Violation>,
    more: usize,
    /// Whether the present prefix has a violation in the list.
    is_named: bool,
    /// Goes before every path: `[2]` for the third element of a batch.
    prefix: String,
}

impl Violations {
    /// Reports what follows under `prefix`.
    pub(crate) fn under(&mut self, prefix: String) {
        self.prefix = prefix;
        self.is_named = false;
    }

    /// Adds one violation, unless the last one already says the same of the same field.
    pub(crate) fn add(&mut self, field: &str, code: Code, message: impl fmt::Display) {
        // Of a batch, every element that breaks a rule is named.
        if self.list.len() >= MAX_VIOLATIONS && (self.is_named || self.prefix.is_empty()) {
            self.more = self.more.saturating_add(1);
            return;
        }
        let dot = if self.prefix.is_empty() || field.is_empty() {
            ""
        } else {
            "."
        };
        let field = format!("{}{dot}{}", self.prefix, redact(field));
        self.is_named = true;
        let said = |last: &Violation| last.field == field && last.code == code;
        if !self.list.last().is_some_and(said) {
            let message = message.to_string();
            self.list.push(Violation {
                field,
                code,
                message,
            });
        }
    }

    /// What an empty path names.
    pub(crate) fn subject(&self) -> &'static str {
        if self.prefix.is_empty() {
            "the body"
        } else {
            "each element"
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The list, and as its last element how many did not fit.
    pub(crate) fn into_list(mut self) -> Vec<Violation> {
        if self.more > 0 {
            self.list.push(Violation {
                field: String::new(),
                code: Code::TooMany,
                message: format!("{} more violations are not listed", self.more),
            });
        }
        self.list
    }
}
