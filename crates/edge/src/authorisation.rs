//! What a caller may do: as a table says, or as the API server's own rules say.

use std::collections::BTreeMap;
use std::rc::Rc;

use instance::{Outage, Trace};
use serde::{Deserialize, Serialize};

use crate::bearer::Token;
use crate::identity::Identity;
use crate::kube::{Kube, Resource};
use crate::permission::Permission;
use crate::problem::{Error, Result};
use crate::reviews::{Reviews, Slots};

/// Says what callers may do.
pub(crate) enum Authorizer {
    /// A table.
    Map(Permissions),
    /// The rules for a service in the cluster.
    AccessReviews(AccessReviews),
}

impl Authorizer {
    /// Refuses a caller that lacks `needed`. `token` and `key` are the caller's.
    pub(crate) async fn check(
        &self,
        caller: &Identity,
        needed: Permission,
        token: &Token,
        key: &str,
    ) -> Result<()> {
        let permitted = match self {
            Self::Map(permissions) => permissions.allow(&caller.username, needed),
            Self::AccessReviews(reviews) => reviews.allow(caller, needed, token, key).await?,
        };
        if permitted {
            Ok(())
        } else {
            Err(Error::Forbidden(needed))
        }
    }
}

/// What each user may do, by its full name.
#[derive(Debug)]
pub(crate) struct Permissions(BTreeMap<String, Vec<Permission>>);

/// The service accounts of Kubernaut's own services, in the namespace that it is installed in.
const DEFAULT: &[(&str, &[&str])] = &[
    ("gateway-sa", &["write:remediation"]),
    (
        "aianalysis-controller-sa",
        &["write:remediation", "write:aianalysis"],
    ),
    ("workflowexecution-controller-sa", &["write:workflow"]),
    (
        "kubernetes-executor-sa",
        &["write:remediation", "write:execution"],
    ),
    ("context-api-sa", &["read"]),
    ("effectiveness-monitor-sa", &["read"]),
    ("holmesgpt-api-sa", &["read"]),
    ("gateway", &["write:events"]),
    ("signalprocessing-controller", &["write:events"]),
    ("remediationorchestrator-controller", &["write:events"]),
    ("aianalysis-controller", &["write:events"]),
    ("workflowexecution-controller", &["write:events"]),
    ("effectivenessmonitor-controller", &["write:events"]),
    ("notification-controller", &["write:events"]),
    ("authwebhook", &["write:events"]),
    ("kubernaut-agent-sa", &["write:events"]),
    ("apifrontend", &["write:events"]),
];
const DEFAULT_NAMESPACE: &str = "kubernaut-system";

impl Default for Permissions {
    fn default() -> Self {
        let of = |(account, names): &(&str, &[&str])| {
            let permissions = names.iter().filter_map(|name| Permission::parse(name));
            let user = format!("system:serviceaccount:{DEFAULT_NAMESPACE}:{account}");
            (user, permissions.collect())
        };
        Self(DEFAULT.iter().map(of).collect())
    }
}

impl Permissions {
    /// A JSON object of arrays; an empty text is the default. Nothing if it is not one, or names a permission that
    /// does not exist.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if text.trim().is_empty() {
            return Some(Self::default());
        }
        // A user that is there twice is an error.
        let named = audit::json::parse(text.as_bytes()).ok()?;
        let named: BTreeMap<String, Vec<String>> = serde_json::from_value(named).ok()?;
        let mut all = BTreeMap::new();
        for (user, names) in named {
            let permissions: Option<_> = names.iter().map(|name| Permission::parse(name)).collect();
            if user.is_empty() {
                return None;
            }
            all.insert(user, permissions?);
        }
        Some(Self(all))
    }

    fn allow(&self, user: &str, needed: Permission) -> bool {
        self.0
            .get(user)
            .is_some_and(|permissions| permissions.iter().any(|has| has.covers(needed)))
    }
}

const RESOURCE: Resource = Resource {
    api_version: "authorization.k8s.io/v1",
    kind: "SubjectAccessReview",
    plural: "subjectaccessreviews",
};

/// Asks the API server whether the caller may use a verb on a service, which stands for the store.
pub(crate) struct AccessReviews {
    kube: Rc<Kube>,
    namespace: String,
    service: String,
    reviews: Reviews<()>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Spec<'a> {
    resource_attributes: Service<'a>,
    user: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    uid: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    groups: &'a [String],
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    extra: &'a BTreeMap<String, Vec<String>>,
}

#[derive(Serialize)]
struct Service<'a> {
    namespace: &'a str,
    verb: &'a str,
    version: &'a str,
    #[serde(rename = "resource")]
    kind: &'a str,
    name: &'a str,
}

#[derive(Deserialize)]
struct Status {
    allowed: bool,
    #[serde(default)]
    denied: bool,
}

impl AccessReviews {
    pub(crate) fn new(
        kube: Rc<Kube>,
        namespace: String,
        service: String,
        slots: Rc<Slots>,
    ) -> Self {
        Self {
            kube,
            namespace,
            service,
            reviews: Reviews::new(slots),
        }
    }

    async fn allow(
        &self,
        caller: &Identity,
        needed: Permission,
        token: &Token,
        key: &str,
    ) -> Result<bool, Outage> {
        let verb = verb(needed);
        let key = format!("{key}:{verb}");
        let review = async || self.review(caller, verb, token.trace).await;
        let allowed = self.reviews.get(&key, token.expires, review).await?;
        Ok(allowed.is_some())
    }

    async fn review(
        &self,
        caller: &Identity,
        verb: &str,
        trace: Option<Trace>,
    ) -> Result<Option<()>, Outage> {
        let spec = Spec {
            resource_attributes: Service {
                namespace: &self.namespace,
                verb,
                version: "v1",
                kind: "services",
                name: &self.service,
            },
            user: &caller.username,
            uid: &caller.uid,
            groups: &caller.groups,
            extra: &caller.extra,
        };
        let status: Status = self.kube.review(&RESOURCE, &spec, trace).await?;
        Ok((status.allowed && !status.denied).then_some(()))
    }
}

/// The verb on the service that stands for a permission.
fn verb(permission: Permission) -> &'static str {
    match permission {
        Permission::Read => "get",
        Permission::Write(_) | Permission::WriteEvents => "create",
        Permission::Hold => "update",
        Permission::Admin => "delete",
    }
}

#[cfg(test)]
mod tests {
    use audit::Kind;

    use super::*;

    fn may(permissions: &Permissions, user: &str, needed: &str) -> bool {
        permissions.allow(user, Permission::parse(needed).unwrap())
    }

    #[test]
    fn without_a_table_kubernauts_own_services_are_permitted() {
        let permissions = Permissions::parse(" ").unwrap();
        let named: usize = DEFAULT.iter().map(|(_, names)| names.len()).sum();
        let parsed: usize = permissions.0.values().map(Vec::len).sum();
        assert_eq!(named, parsed, "each name is that of a permission");
        let gateway = "system:serviceaccount:kubernaut-system:gateway-sa";
        assert!(may(&permissions, gateway, "write:remediation"));
        assert!(!may(&permissions, gateway, "write:workflow"));
        assert!(!may(&permissions, gateway, "read"));
        let elsewhere = "system:serviceaccount:default:gateway-sa";
        assert!(!may(&permissions, elsewhere, "write:remediation"));
        let webhook = "system:serviceaccount:kubernaut-system:authwebhook";
        assert!(may(&permissions, webhook, "read"), "it may write events");
    }

    #[test]
    fn a_table_replaces_the_default() {
        let permissions = Permissions::parse(r#"{"a": ["admin", "hold"], "b": []}"#).unwrap();
        assert!(may(&permissions, "a", "admin") && may(&permissions, "a", "hold"));
        assert!(!may(&permissions, "a", "read") && !may(&permissions, "b", "read"));
        let gateway = "system:serviceaccount:kubernaut-system:gateway-sa";
        assert!(!may(&permissions, gateway, "write:remediation"));
    }

    #[test]
    fn an_unknown_permission_makes_the_table_unusable() {
        for text in [
            "x",
            "[]",
            "null",
            r#"{"a": "read"}"#,
            r#"{"a": ["read", "writ:workflow"]}"#,
            r#"{"": ["read"]}"#,
            r#"{"a": [1]}"#,
            r#"{"a": ["read"], "a": ["admin"]}"#,
        ] {
            assert!(Permissions::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn permissions_are_verbs_on_the_service() {
        let verbs = [
            (Permission::Read, "get"),
            (Permission::Write(Kind::Workflow), "create"),
            (Permission::WriteEvents, "create"),
            (Permission::Hold, "update"),
            (Permission::Admin, "delete"),
        ];
        for (permission, expected) in verbs {
            assert_eq!(verb(permission), expected);
        }
    }
}
