//! What names something else finds it: selectors their pods, ports theirs, and references the documents that they name.

use serde_json::{Value, json};

use crate::documents::{Documents, list, name, title};
use crate::pods::{Pod, pods, selects};
use crate::{Faults, finds, finds_nothing};

pub(crate) fn faults(documents: &Documents) -> Faults {
    let pods = pods(documents);
    let of = |document: &Value| match document["kind"].as_str() {
        Some("Service") => service(document, &pods),
        Some("PodMonitor") => pod_monitor(document, &pods),
        Some("PodDisruptionBudget") => nobody(&document["spec"]["selector"], &pods),
        Some("Deployment") => deployment(document),
        Some("HorizontalPodAutoscaler" | "ScaledObject") => scaled(document, documents),
        Some("Ingress") => ingress(document, documents),
        Some("ScheduledBackup") => {
            missing(documents, "Cluster", &document["spec"]["cluster"]["name"])
        }
        Some("SpinApp") => spin_app(document, documents),
        Some("Cluster") => cluster(document, documents),
        _ => Faults::new(),
    };
    let faults = documents.iter().flat_map(|document| {
        let faults = of(document).into_iter().chain(mounts(document, documents));
        faults.map(|fault| format!("{}: {fault}", title(document)))
    });
    faults.collect()
}

fn nobody(selector: &Value, pods: &[Pod]) -> Faults {
    let selected = pods.iter().any(|pod| selects(selector, &pod.labels));
    let fault = || format!("{selector} selects no pods");
    (!selected).then(fault).into_iter().collect()
}

fn service(service: &Value, pods: &[Pod]) -> Faults {
    let selector = json!({"matchLabels": service["spec"]["selector"]});
    let mut faults = nobody(&selector, pods);
    for pod in pods.iter().filter(|pod| selects(&selector, &pod.labels)) {
        let ports = list(&service["spec"]["ports"]).map(|port| &port["targetPort"]);
        let unknown = ports.filter(|port| pod.port(port).is_none());
        faults.extend(unknown.map(|port| format!("{} has no port {port}", pod.owner)));
    }
    faults
}

fn pod_monitor(monitor: &Value, pods: &[Pod]) -> Faults {
    let selector = &monitor["spec"]["selector"];
    let mut faults = nobody(selector, pods);
    for pod in pods.iter().filter(|pod| selects(selector, &pod.labels)) {
        let ports = list(&monitor["spec"]["podMetricsEndpoints"]).map(|endpoint| &endpoint["port"]);
        let unknown = ports.filter(|port| pod.port(port).is_none());
        faults.extend(unknown.map(|port| format!("{} has no port {port}", pod.owner)));
    }
    faults
}

fn deployment(deployment: &Value) -> Faults {
    let template = &deployment["spec"]["template"];
    let labels = template["metadata"]["labels"].as_object().expect("labels");
    let spread = list(&template["spec"]["topologySpreadConstraints"]);
    let selectors = spread.map(|constraint| &constraint["labelSelector"]);
    let selectors = selectors.chain([&deployment["spec"]["selector"]]);
    let wrong = selectors.filter(|selector| !selects(selector, labels));
    wrong
        .map(|selector| format!("{selector} does not select its own pods"))
        .collect()
}

fn missing(documents: &Documents, kind: &str, wanted: &Value) -> Faults {
    let found = documents
        .of_kind(kind)
        .any(|document| name(document) == wanted);
    let fault = || format!("there is no {kind} {wanted}");
    (!found).then(fault).into_iter().collect()
}

/// The operator calls the Deployment of a `SpinApp` as the `SpinApp`.
fn scaled(document: &Value, documents: &Documents) -> Faults {
    let target = &document["spec"]["scaleTargetRef"]["name"];
    let app = missing(documents, "SpinApp", target);
    if app.is_empty() {
        return app;
    }
    let mut faults = missing(documents, "Deployment", target);
    let deployment = target
        .as_str()
        .and_then(|target| documents.find("Deployment", target));
    if deployment.is_some_and(|deployment| !deployment["spec"]["replicas"].is_null()) {
        faults.push("its Deployment says how many replicas there are, too".to_owned());
    }
    faults
}

fn ingress(ingress: &Value, documents: &Documents) -> Faults {
    let rules = list(&ingress["spec"]["rules"]);
    let paths = rules.flat_map(|rule| list(&rule["http"]["paths"]));
    let backends = paths.map(|path| &path["backend"]["service"]);
    let known = |backend: &Value| {
        let service = documents.find("Service", backend["name"].as_str()?)?;
        let mut ports = list(&service["spec"]["ports"]);
        ports.find(|port| port["name"] == backend["port"]["name"])
    };
    let unknown = backends.filter(|backend| known(backend).is_none());
    unknown
        .map(|backend| format!("{backend} is no port of a Service"))
        .collect()
}

fn spin_app(app: &Value, documents: &Documents) -> Faults {
    let mut faults = missing(documents, "SpinAppExecutor", &app["spec"]["executor"]);
    faults.extend(missing(
        documents,
        "ServiceAccount",
        &app["spec"]["serviceAccountName"],
    ));
    faults
}

fn cluster(cluster: &Value, documents: &Documents) -> Faults {
    let stores =
        list(&cluster["spec"]["plugins"]).map(|plugin| &plugin["parameters"]["barmanObjectName"]);
    stores
        .flat_map(|store| missing(documents, "ObjectStore", store))
        .collect()
}

/// What a pod needs of its namespace, other than Secrets.
fn mounts(document: &Value, documents: &Documents) -> Faults {
    let Some(pod) = pods(&Documents::from(document)).pop() else {
        return Faults::new();
    };
    let mut faults = Faults::new();
    let volumes: Vec<_> = list(&pod.spec["volumes"]).collect();
    for volume in &volumes {
        let map = &volume["configMap"]["name"];
        // Kubernetes puts this one into every namespace.
        if !map.is_null() && map != "kube-root-ca.crt" {
            faults.extend(missing(documents, "ConfigMap", map));
        }
        let claim = &volume["persistentVolumeClaim"]["claimName"];
        if !claim.is_null() {
            faults.extend(missing(documents, "PersistentVolumeClaim", claim));
        }
    }
    for container in pod.containers() {
        let mounts = list(&container["volumeMounts"]).map(|mount| &mount["name"]);
        let unknown = mounts.filter(|mount| volumes.iter().all(|volume| volume["name"] != **mount));
        faults.extend(unknown.map(|mount| format!("there is no volume {mount}")));
        let maps = list(&container["envFrom"]).map(|from| &from["configMapRef"]["name"]);
        faults.extend(maps.flat_map(|map| missing(documents, "ConfigMap", map)));
    }
    let account = &pod.spec["serviceAccountName"];
    if !account.is_null() {
        faults.extend(missing(documents, "ServiceAccount", account));
    }
    faults
}

/// Documents that would land in whatever namespace `kubectl` is set to.
pub(crate) fn homeless(documents: &Documents) -> Faults {
    const OF_THE_CLUSTER: [&str; 3] = ["Namespace", "ClusterRole", "ClusterRoleBinding"];
    let namespace = documents
        .of_kind("Namespace")
        .next()
        .map(|one| &one["metadata"]["name"]);
    let of_a_namespace = documents
        .iter()
        .filter(|document| !OF_THE_CLUSTER.iter().any(|kind| document["kind"] == *kind));
    let homeless =
        of_a_namespace.filter(|document| Some(&document["metadata"]["namespace"]) != namespace);
    homeless
        .map(|document| format!("{}: is not in the namespace", title(document)))
        .collect()
}

#[test]
fn everything_is_in_the_namespace() {
    finds_nothing(homeless);
}

#[test]
fn a_document_of_another_namespace_is_found() {
    for namespace in [json!(null), json!("default")] {
        let change = |documents: &mut Documents| {
            documents.set(
                "Service",
                "audit-store-cache",
                "/metadata/namespace",
                namespace,
            );
        };
        finds(
            homeless,
            "kubernetes",
            change,
            "Service audit-store-cache: is not",
        );
    }
}

#[test]
fn names_lead_somewhere() {
    finds_nothing(faults);
}

#[test]
fn a_selector_that_selects_nothing_is_found() {
    let change = |documents: &mut Documents| {
        let label = "/spec/selector/app.kubernetes.io~1name";
        documents.set("Service", "data-storage-service", label, json!("other"));
    };
    finds(faults, "spinkube", change, "selects no pods");
}

#[test]
fn a_deployment_that_does_not_select_its_pods_is_found() {
    let change = |documents: &mut Documents| {
        let label = "/spec/template/metadata/labels/app.kubernetes.io~1name";
        documents.set("Deployment", "audit-store-cache", label, json!("other"));
    };
    finds(faults, "kubernetes", change, "does not select its own pods");
}

#[test]
fn a_port_that_nobody_has_is_found() {
    let service = |documents: &mut Documents| {
        documents.set(
            "Service",
            "audit-store-cache",
            "/spec/ports/0/targetPort",
            json!("redis"),
        );
    };
    finds(faults, "kubernetes", service, "has no port \"redis\"");
    let monitor = |documents: &mut Documents| {
        let port = "/spec/podMetricsEndpoints/0/port";
        documents.set(
            "PodMonitor",
            "kubernaut-audit-store",
            port,
            json!("spin-metrics"),
        );
    };
    finds(
        faults,
        "kubernetes",
        monitor,
        "has no port \"spin-metrics\"",
    );
}

#[test]
fn what_is_named_and_is_not_there_is_found() {
    for (kind, name, target) in [
        ("SpinAppExecutor", "spin-4", "spinkube"),
        ("ServiceAccount", "audit-store", "spinkube"),
        ("ObjectStore", "audit-store-backups", "kubernetes"),
        ("Cluster", "audit-store-db", "kubernetes"),
        ("PersistentVolumeClaim", "audit-store-archive", "everything"),
        ("Deployment", "audit-store", "everything"),
    ] {
        let expected = format!("there is no {kind} \"{name}\"");
        finds(
            faults,
            target,
            |documents| documents.drop(kind, name),
            &expected,
        );
    }
}

#[test]
fn an_ingress_to_nowhere_is_found() {
    let change = |documents: &mut Documents| {
        documents.remove("Service", "data-storage-service", "/spec/ports/0");
    };
    finds(faults, "everything", change, "is no port of a Service");
}
