//! Service accounts.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

/// The audience of the API server itself: what tokens are for, and what reviews ask for, unless they say otherwise.
pub const AUDIENCE: &str = "https://kubernetes.default.svc.cluster.local";

/// How long a token is good for unless its account says otherwise, as the kubelet asks for it.
const LIFETIME: Duration = Duration::from_hours(1);

/// A service account and what its next token is like. Clones are the same account.
#[derive(Clone, Debug)]
pub struct Account {
    /// The namespace that it is in; empty for a person.
    pub namespace: String,
    /// Its name within the namespace.
    pub name: String,
    /// What tells it from others that had the same name before.
    pub uid: String,
    /// The groups that it is in.
    pub groups: Vec<String>,
    /// What reviews say beside that, by key; they add where the token came from.
    pub extra: BTreeMap<String, Vec<String>>,
    /// Whom its tokens are for. Empty is as in tokens of old, which name nobody and are for the API server.
    pub audiences: Vec<String>,
    /// When its tokens end, if they do.
    pub expires: Option<SystemTime>,
}

impl Account {
    /// An account in the groups that Kubernetes puts it in, whose tokens are for the API server and good for an hour.
    pub fn new(namespace: &str, name: &str) -> Self {
        Self {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            uid: random_uid(),
            groups: vec![
                "system:serviceaccounts".to_owned(),
                format!("system:serviceaccounts:{namespace}"),
                "system:authenticated".to_owned(),
            ],
            extra: BTreeMap::new(),
            audiences: vec![AUDIENCE.to_owned()],
            expires: Some(SystemTime::now() + LIFETIME),
        }
    }

    /// A person whom the cluster knows by this name.
    pub fn person(name: &str) -> Self {
        Self {
            groups: vec!["system:authenticated".to_owned()],
            ..Self::new("", name)
        }
    }

    /// Its full name, for example `system:serviceaccount:kubernaut-system:gateway-sa`.
    pub fn user(&self) -> String {
        if self.namespace.is_empty() {
            return self.name.clone();
        }
        format!("system:serviceaccount:{}:{}", self.namespace, self.name)
    }

    pub(crate) fn has_expired(&self) -> bool {
        self.expires
            .is_some_and(|expires| expires <= SystemTime::now())
    }

    /// `status.user` of a review of its token with this `jti`.
    pub(crate) fn user_info(&self, token_id: &str) -> Value {
        let mut extra = self.extra.clone();
        let origin = [
            ("credential-id", format!("JTI={token_id}")),
            ("pod-name", self.pod_name()),
            ("pod-uid", self.uid.clone()),
        ];
        for (key, value) in origin {
            extra
                .entry(format!("authentication.kubernetes.io/{key}"))
                .or_insert_with(|| vec![value]);
        }
        json!({
            "username": self.user(), "uid": self.uid, "groups": self.groups, "extra": extra,
        })
    }

    /// The pod that its tokens are bound to.
    pub(crate) fn pod_name(&self) -> String {
        format!("{}-0", self.name)
    }
}

/// A UUID as Kubernetes gives to everything that it makes.
pub(crate) fn random_uid() -> String {
    let uuid = uuid::Builder::from_random_bytes(rand::random()).into_uuid();
    uuid.to_string()
}
