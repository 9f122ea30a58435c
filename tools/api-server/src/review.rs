//! The two questions that it answers, and the parts of them that it reads.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value, json};

/// A question of a service about its callers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Review {
    /// Whose token is this? `TokenReview` of `authentication.k8s.io/v1`.
    Token,
    /// May this user do that? `SubjectAccessReview` of `authorization.k8s.io/v1`.
    Access,
}

impl Review {
    /// What is asked at this path.
    pub(crate) fn at(path: &str) -> Option<Self> {
        [Self::Token, Self::Access]
            .into_iter()
            .find(|review| path == format!("/apis/{}/{}", review.api_version(), review.resource()))
    }

    pub(crate) fn kind(self) -> &'static str {
        match self {
            Self::Token => "TokenReview",
            Self::Access => "SubjectAccessReview",
        }
    }

    pub(crate) fn resource(self) -> &'static str {
        match self {
            Self::Token => "tokenreviews",
            Self::Access => "subjectaccessreviews",
        }
    }

    pub(crate) fn group(self) -> &'static str {
        match self {
            Self::Token => "authentication.k8s.io",
            Self::Access => "authorization.k8s.io",
        }
    }

    pub(crate) fn api_version(self) -> String {
        format!("{}/v1", self.group())
    }
}

/// A question that can be answered. It may have a token, so it is not for printing.
pub(crate) struct Question {
    /// The object as it came, which the answer repeats.
    pub(crate) object: Map<String, Value>,
    pub(crate) spec: Spec,
    /// Who asks.
    pub(crate) caller: String,
    /// The trace that the question belongs to, as its header says.
    pub(crate) traceparent: Option<String>,
}

pub(crate) enum Spec {
    Token(TokenSpec),
    Access(Box<AccessSpec>),
}

impl Question {
    pub(crate) fn review(&self) -> Review {
        match self.spec {
            Spec::Token(_) => Review::Token,
            Spec::Access(_) => Review::Access,
        }
    }

    /// The object with this status, as the API server gives it back.
    pub(crate) fn answered(mut self, status: Value) -> Value {
        let review = self.review();
        self.object.insert("kind".into(), review.kind().into());
        self.object
            .insert("apiVersion".into(), review.api_version().into());
        let metadata = json!({"creationTimestamp": null});
        self.object.insert("metadata".into(), metadata);
        self.object.insert("status".into(), status);
        self.object.into()
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct TokenSpec {
    pub(crate) token: String,
    pub(crate) audiences: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct AccessSpec {
    pub(crate) user: String,
    pub(crate) groups: Vec<String>,
    pub(crate) resource_attributes: Option<ResourceAttributes>,
    pub(crate) non_resource_attributes: Option<Value>,
    /// Only looked at: they must have the right types.
    #[serde(rename = "uid")]
    _uid: String,
    #[serde(rename = "extra")]
    _extra: BTreeMap<String, Vec<String>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct ResourceAttributes {
    pub(crate) namespace: String,
    pub(crate) verb: String,
    pub(crate) group: String,
    pub(crate) resource: String,
    pub(crate) subresource: String,
    pub(crate) name: String,
}
