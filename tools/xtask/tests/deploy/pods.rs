//! The pods that the documents lead to, those that operators make of a `SpinApp` or a `Cluster` included.

use serde_json::{Map, Value, json};

use crate::documents::{Documents, list, name, title};
use crate::read;

/// Pods of one template.
#[derive(Clone)]
pub(crate) struct Pod {
    /// What they are of.
    pub(crate) owner: String,
    pub(crate) labels: Map<String, Value>,
    /// As in a pod; null where an operator decides.
    pub(crate) spec: Value,
    /// Names, which may be empty, and numbers.
    pub(crate) ports: Vec<(String, u64)>,
    /// Whether they go on until they are ended.
    pub(crate) serves: bool,
}

impl Pod {
    /// The number of a port that is given by name or by number.
    pub(crate) fn port(&self, port: &Value) -> Option<u64> {
        let is = |(name, number): &&(String, u64)| port == name.as_str() || port == *number;
        self.ports.iter().find(is).map(|(_, number)| *number)
    }

    /// Its containers, those of its start included.
    pub(crate) fn containers(&self) -> impl Iterator<Item = &Value> {
        list(&self.spec["initContainers"]).chain(list(&self.spec["containers"]))
    }
}

/// All pods of the documents.
pub(crate) fn pods(documents: &Documents) -> Vec<Pod> {
    documents.iter().filter_map(pod).collect()
}

/// Whether the pods run the service.
pub(crate) fn is_service(pod: &Pod) -> bool {
    pod.labels.get("app.kubernetes.io/name") == Some(&json!("audit-store"))
}

fn pod(document: &Value) -> Option<Pod> {
    let kind = document["kind"].as_str()?;
    let spec = &document["spec"];
    match kind {
        "Deployment" => Some(templated(document, &spec["template"], true)),
        "Job" => Some(templated(document, &spec["template"], false)),
        "CronJob" => Some(templated(
            document,
            &spec["jobTemplate"]["spec"]["template"],
            false,
        )),
        "SpinApp" => Some(of_spin_app(document)),
        "Cluster" => Some(of_cluster(document)),
        _ => None,
    }
}

fn templated(document: &Value, template: &Value, serves: bool) -> Pod {
    let spec = template["spec"].clone();
    let ports = list(&spec["containers"]).flat_map(|container| list(&container["ports"]));
    let ports = ports.map(|port| {
        let name = port["name"].as_str().unwrap_or_default().to_owned();
        (name, port["containerPort"].as_u64().expect("a number"))
    });
    Pod {
        owner: title(document),
        labels: labels(&template["metadata"]["labels"]),
        ports: ports.collect(),
        spec,
        serves,
    }
}

fn labels(value: &Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}

/// What `SpinKube`'s operator 0.6 makes of an application, with the patch of `deploy/spinkube/hardening` in it.
fn of_spin_app(app: &Value) -> Pod {
    let spec = &app["spec"];
    let name = name(app);
    let mut labels = labels(&spec["podLabels"]);
    labels.insert("core.spinkube.dev/app-name".into(), name.into());
    let made = json!({
        "serviceAccountName": spec["serviceAccountName"],
        "volumes": spec["volumes"],
        "containers": [{
            "name": name,
            "resources": spec["resources"],
            "livenessProbe": spec["checks"]["liveness"],
            "readinessProbe": spec["checks"]["readiness"],
            "volumeMounts": spec["volumeMounts"],
        }],
    });
    let patch = &Documents::parse(&read("deploy/spinkube/hardening/deployment.yaml"));
    let patch = patch
        .find("Deployment", name)
        .expect("a patch of this name");
    let mut pod = made;
    merge(&mut pod, &patch["spec"]["template"]["spec"]);
    Pod {
        owner: title(app),
        labels,
        spec: pod,
        ports: vec![("http-app".into(), 80)],
        serves: true,
    }
}

/// Merges as an API server does: lists of things that have names are merged by them.
fn merge(into: &mut Value, patch: &Value) {
    match (into, patch) {
        (Value::Object(into), Value::Object(patch)) => {
            for (key, value) in patch {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (Value::Array(into), Value::Array(patch)) => {
            for value in patch {
                let same = |other: &&mut Value| {
                    value["name"].is_string() && other["name"] == value["name"]
                };
                match into.iter_mut().find(same) {
                    Some(other) => merge(other, value),
                    None => into.push(value.clone()),
                }
            }
        }
        (into, patch) => *into = patch.clone(),
    }
}

/// The instances of a database by `CloudNativePG`.
fn of_cluster(cluster: &Value) -> Pod {
    let mut labels = labels(&cluster["spec"]["inheritedMetadata"]["labels"]);
    labels.insert("cnpg.io/cluster".into(), name(cluster).into());
    Pod {
        owner: title(cluster),
        labels,
        spec: Value::Null,
        ports: vec![("postgresql".into(), 5432), ("status".into(), 8000)],
        serves: true,
    }
}

/// Whether a label selector selects what has these labels.
pub(crate) fn selects(selector: &Value, labels: &Map<String, Value>) -> bool {
    let equal = selector["matchLabels"].as_object();
    let equal = equal
        .into_iter()
        .flatten()
        .all(|(key, value)| labels.get(key) == Some(value));
    equal
        && list(&selector["matchExpressions"]).all(|expression| {
            assert_eq!(expression["operator"], "In", "the tests know no other");
            let key = expression["key"].as_str().expect("a key");
            let value = labels.get(key);
            list(&expression["values"]).any(|one| Some(one) == value)
        })
}
