//! Who calls: the API server reviews the token.

use std::rc::Rc;

use instance::{Outage, Trace};
use serde::{Deserialize, Serialize};

use crate::bearer::Token;
use crate::identity::Identity;
use crate::kube::{Kube, Resource};
use crate::problem::{Error, Result};
use crate::reviews::{Reviews, Slots};

const RESOURCE: Resource = Resource {
    api_version: "authentication.k8s.io/v1",
    kind: "TokenReview",
    plural: "tokenreviews",
};

const REFUSED: &str =
    "the token is not accepted; send the one of a service account of this cluster";

/// Reviews tokens.
pub(crate) struct Authenticator {
    kube: Rc<Kube>,
    /// One of which a token must be for; empty takes what the API server takes.
    audiences: Vec<String>,
    reviews: Reviews<Identity>,
}

#[derive(Serialize)]
struct Spec<'a> {
    token: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    audiences: &'a [String],
}

/// What is false or empty is left out (`omitempty`).
#[derive(Deserialize)]
struct Status {
    #[serde(default)]
    authenticated: bool,
    #[serde(default)]
    user: Identity,
    #[serde(default)]
    audiences: Vec<String>,
}

impl Authenticator {
    pub(crate) fn new(kube: Rc<Kube>, audiences: Vec<String>, slots: Rc<Slots>) -> Self {
        Self {
            kube,
            audiences,
            reviews: Reviews::new(slots),
        }
    }

    /// Whose token it is.
    pub(crate) async fn identify(
        self: &Rc<Self>,
        token: &Token,
        key: &str,
    ) -> Result<Rc<Identity>> {
        let trace = token.trace;
        let review = async || self.review(&token.text, trace).await;
        let identity = self.reviews.get(key, token.expires, review).await?;
        if self.reviews.is_to_be_renewed(key) {
            let (this, key) = (Rc::clone(self), key.to_owned());
            let (text, expires) = (token.text.clone(), token.expires);
            runtime::spawn(async move {
                let review = async || this.review(&text, trace).await;
                this.reviews.renew(&key, expires, review).await;
            });
        }
        identity.ok_or(Error::Unauthorized(REFUSED))
    }

    async fn review(&self, token: &str, trace: Option<Trace>) -> Result<Option<Identity>, Outage> {
        let spec = Spec {
            token,
            audiences: &self.audiences,
        };
        let status: Status = self.kube.review(&RESOURCE, &spec, trace).await?;
        let Status {
            authenticated,
            user,
            audiences,
        } = status;
        let is_meant = self.audiences.is_empty()
            || audiences
                .iter()
                .any(|audience| self.audiences.contains(audience));
        if !authenticated || !is_meant {
            return Ok(None);
        }
        if user.username.is_empty() {
            return Err(Outage::unavailable(
                "the API server accepts a token and does not say whose it is",
            ));
        }
        Ok(Some(user))
    }
}

#[cfg(test)]
mod simulation;
