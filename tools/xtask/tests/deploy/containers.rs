//! Every container has requests, limits, probes and a security context, and every pod satisfies the restricted standard.

use serde_json::{Map, Value, json};

use crate::documents::{Documents, list, name, title};
use crate::pods::{Pod, is_service, pods, selects};
use crate::{Faults, finds, finds_nothing};

/// What is right, where: of a pod.
const POD: [(&str, Value); 3] = [
    ("/automountServiceAccountToken", Value::Bool(false)),
    ("/enableServiceLinks", Value::Bool(false)),
    ("/securityContext/runAsNonRoot", Value::Bool(true)),
];

pub(crate) fn faults(documents: &Documents) -> Faults {
    let mut faults: Faults = pods(documents).iter().flat_map(of_pod).collect();
    for cluster in documents.of_kind("Cluster") {
        let resources = &cluster["spec"]["resources"];
        faults.extend(of_resources(resources).map(|fault| format!("{}: {fault}", name(cluster))));
    }
    faults
}

fn of_pod(pod: &Pod) -> Faults {
    // An operator's pods are the operator's.
    if pod.spec.is_null() {
        return Faults::new();
    }
    let mut faults = Faults::new();
    let mut expect = |place: &str, right: &Value| {
        if pod.spec.pointer(place) != Some(right) {
            faults.push(format!("{}: {place} is not {right}", pod.owner));
        }
    };
    for (place, right) in &POD {
        expect(place, right);
    }
    expect(
        "/securityContext/seccompProfile/type",
        &json!("RuntimeDefault"),
    );
    for container in pod.containers() {
        let of = of_container(container, pod.serves);
        let title = format!("{}: container {}", pod.owner, container["name"]);
        faults.extend(of.into_iter().map(|fault| format!("{title}: {fault}")));
    }
    faults
}

fn of_container(container: &Value, serves: bool) -> Faults {
    let mut faults: Faults = of_resources(&container["resources"]).collect();
    let probes = ["livenessProbe", "readinessProbe"];
    let missing = probes.iter().filter(|probe| container[**probe].is_null());
    faults.extend(
        missing
            .filter(|_| serves)
            .map(|probe| format!("there is no {probe}")),
    );
    let context = &container["securityContext"];
    let right = [
        ("allowPrivilegeEscalation", json!(false)),
        ("readOnlyRootFilesystem", json!(true)),
        ("capabilities", json!({"drop": ["ALL"]})),
    ];
    for (member, right) in right {
        if context[member] != right {
            faults.push(format!("{member} is not {right}"));
        }
    }
    faults
}

fn of_resources(resources: &Value) -> impl Iterator<Item = String> {
    let needed = [
        ("requests", "cpu"),
        ("requests", "memory"),
        ("limits", "cpu"),
        ("limits", "memory"),
    ];
    let missing = needed
        .into_iter()
        .filter(|(kind, what)| resources[kind][what].is_null());
    missing.map(|(kind, what)| format!("{kind} say nothing of {what}"))
}

/// Spin drains nothing by itself, and must outlive what is in front of it.
pub(crate) fn ends_in_order(documents: &Documents) -> Faults {
    let mut faults = Faults::new();
    let service = pods(documents).into_iter().filter(is_service);
    for pod in service {
        let pause =
            |container: &Value| container["lifecycle"]["preStop"]["sleep"]["seconds"].as_u64();
        let of = |name: &str| {
            let container = pod.containers().find(|container| container["name"] == name);
            container.map(|container| pause(container).unwrap_or_default())
        };
        let spin = of("spin").or_else(|| of("audit-store")).unwrap_or_default();
        let grace = pod.spec["terminationGracePeriodSeconds"]
            .as_u64()
            .unwrap_or(30);
        if spin < 10 || spin >= grace {
            faults.push(format!(
                "{}: Spin ends after {spin} s of {grace}",
                pod.owner
            ));
        }
        // It gets the signal after its sleep, and finishes within 20 s (worker_shutdown_timeout).
        if of("edge").is_some_and(|edge| edge < 10 || edge + 20 > spin) {
            faults.push(format!("{}: the edge may outlive Spin", pod.owner));
        }
    }
    faults
}

/// Where something stands in front of Spin, everything from outside of the pod leads there.
pub(crate) fn goes_around_the_edge(documents: &Documents) -> Faults {
    let mut faults = Faults::new();
    for pod in pods(documents).iter().filter(|pod| is_service(pod)) {
        let ports = |name: &str| -> Vec<&Value> {
            let container = pod
                .containers()
                .filter(|container| container["name"] == name);
            container
                .flat_map(|container| list(&container["ports"]))
                .collect()
        };
        if ports("edge").is_empty() {
            continue;
        }
        let is_spins = |port: &Value| {
            ports("spin")
                .iter()
                .any(|one| one["name"] == *port || one["containerPort"] == *port)
        };
        for document in documents.iter() {
            let led = leads(document, &pod.labels);
            let around = led.into_iter().filter(|port| is_spins(port));
            faults.extend(around.map(|port| {
                format!(
                    "{} leads to {port} of Spin, around the edge",
                    title(document)
                )
            }));
        }
    }
    faults
}

/// The ports of the pods with these labels that a document leads to.
fn leads<'a>(document: &'a Value, labels: &Map<String, Value>) -> Vec<&'a Value> {
    let spec = &document["spec"];
    let (selector, ports): (Value, Vec<&Value>) = match document["kind"].as_str() {
        Some("Service") => (
            json!({"matchLabels": spec["selector"]}),
            list(&spec["ports"])
                .map(|port| &port["targetPort"])
                .collect(),
        ),
        Some("PodMonitor") => (
            spec["selector"].clone(),
            list(&spec["podMetricsEndpoints"])
                .map(|endpoint| &endpoint["port"])
                .collect(),
        ),
        Some("NetworkPolicy") => (
            spec["podSelector"].clone(),
            list(&spec["ingress"])
                .flat_map(|rule| list(&rule["ports"]))
                .map(|port| &port["port"])
                .collect(),
        ),
        _ => return Vec::new(),
    };
    if selects(&selector, labels) {
        ports
    } else {
        Vec::new()
    }
}

#[test]
fn nothing_goes_around_the_edge() {
    finds_nothing(goes_around_the_edge);
}

#[test]
fn a_way_around_the_edge_is_found() {
    for (kind, name, pointer) in [
        (
            "Service",
            "data-storage-service",
            "/spec/ports/1/targetPort",
        ),
        (
            "PodMonitor",
            "kubernaut-audit-store",
            "/spec/podMetricsEndpoints/0/port",
        ),
    ] {
        let change = |documents: &mut Documents| documents.set(kind, name, pointer, json!("spin"));
        finds(
            goes_around_the_edge,
            "everything",
            change,
            &format!("{kind} {name} leads to"),
        );
    }
    let change = |documents: &mut Documents| {
        documents.set(
            "NetworkPolicy",
            "audit-store-ingress",
            "/spec/ingress/0/ports/0/port",
            json!(3000),
        );
    };
    finds(
        goes_around_the_edge,
        "everything",
        change,
        "NetworkPolicy audit-store-ingress leads to",
    );
}

#[test]
fn containers_are_limited_probed_and_restricted() {
    finds_nothing(faults);
}

#[test]
fn a_container_without_limits_is_found() {
    let change = |documents: &mut Documents| {
        let pointer = "/spec/template/spec/containers/0/resources/limits";
        documents.remove("Deployment", "audit-store-cache", pointer);
    };
    finds(faults, "kubernetes", change, "limits say nothing of memory");
}

#[test]
fn a_container_without_probes_is_found() {
    let change = |documents: &mut Documents| {
        let pointer = "/spec/template/spec/containers/0/readinessProbe";
        documents.remove("Deployment", "audit-store-cache", pointer);
    };
    finds(faults, "kubernetes", change, "there is no readinessProbe");
}

#[test]
fn a_writable_root_is_found() {
    let change = |documents: &mut Documents| {
        let pointer = "/spec/jobTemplate/spec/template/spec/containers/0/securityContext/readOnlyRootFilesystem";
        documents.remove("CronJob", "audit-store-archive", pointer);
    };
    finds(
        faults,
        "everything",
        change,
        "readOnlyRootFilesystem is not true",
    );
}

#[test]
fn a_pod_that_may_run_as_root_is_found() {
    let change = |documents: &mut Documents| {
        let pointer = "/spec/template/spec/securityContext/runAsNonRoot";
        documents.remove("Job", "audit-store-migrate", pointer);
    };
    finds(faults, "kubernetes", change, "runAsNonRoot is not true");
}

#[test]
fn a_spin_app_without_checks_is_found() {
    let change = |documents: &mut Documents| {
        documents.remove("SpinApp", "audit-store", "/spec/checks/readiness");
    };
    finds(faults, "spinkube", change, "there is no readinessProbe");
}

#[test]
fn pods_leave_the_service_before_they_end() {
    finds_nothing(ends_in_order);
}

#[test]
fn a_pod_that_ends_at_once_is_found() {
    let change = |documents: &mut Documents| {
        let pointer = "/spec/template/spec/terminationGracePeriodSeconds";
        documents.set("Deployment", "audit-store", pointer, json!(30));
    };
    finds(
        ends_in_order,
        "kubernetes",
        change,
        "Spin ends after 40 s of 30",
    );
}
