//! Spin's runtime configs fit `spin.toml` and the pods: that of clusters, and that of the image by itself.

use serde_json::{Value, json};

use crate::documents::{Documents, list};
use crate::pods::{is_service, pods};
use crate::{Faults, components_that_reach, finds, finds_nothing, manifest, read};

const CLUSTER: &str = "deploy/secrets/runtime-config.toml";
const IMAGE: &str = "deploy/image/runtime-config.toml";
/// Of the pods of a `SpinApp`: a change rolls them.
const CHECKSUM: &str = "audit-store.kubernaut.io/runtime-config-sha256";

/// The stores whose counts and identities are of one process.
const OF_THE_PROCESS: [&str; 2] = ["counters", "identities"];

fn config(path: &str) -> Value {
    toml::from_str(&read(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// What is wrong with a runtime config by itself.
fn of_config(config: &Value) -> Faults {
    let mut faults = Faults::new();
    for folder in ["state_dir", "log_dir"] {
        if config[folder] != "" {
            faults.push(format!(
                "{folder} is not empty: the root of the file system cannot be written"
            ));
        }
    }
    let manifest = manifest();
    let components = manifest["component"]
        .as_object()
        .expect("components")
        .values();
    for store in components.flat_map(|component| list(&component["key_value_stores"])) {
        let store = store.as_str().expect("a label");
        if store != "default" && config["key_value_store"][store].is_null() {
            faults.push(format!(
                "nothing defines the store {store}, and Spin does not start"
            ));
        }
    }
    for store in OF_THE_PROCESS {
        if config["key_value_store"][store] != json!({"type": "spin"}) {
            faults.push(format!("the store {store} is not in memory"));
        }
    }
    if config["outbound_http"]["connection_pooling"] == false {
        faults.push("connections are not kept".to_owned());
    }
    faults
}

/// What is wrong with a cluster's runtime config beside the documents.
fn with_documents(config: &Value, documents: &Documents) -> Faults {
    let mut faults = of_config(config);
    let api_server = documents.variables()["SPIN_VARIABLE_KUBE_API_URL"]
        .as_str()
        .expect("a URL");
    let host = api_server.trim_start_matches("https://");
    let mut trusting: Vec<_> = list(&config["client_tls"])
        .filter(|entry| list(&entry["hosts"]).any(|one| one == host))
        .collect();
    let Some(entry) = trusting.pop() else {
        return vec![format!("nobody trusts {host}")];
    };
    for component in components_that_reach("{{ kube_api_url }}") {
        if !list(&entry["component_ids"]).any(|one| *one == component) {
            faults.push(format!("{component} does not trust {host}"));
        }
    }
    let authority = entry["ca_roots_file"].as_str().expect("a path");
    let folder = authority.rsplit_once('/').map(|(folder, _)| folder);
    for pod in pods(documents).iter().filter(|pod| is_service(pod)) {
        let mut mounts = pod
            .containers()
            .flat_map(|container| list(&container["volumeMounts"]));
        if !mounts.any(|mount| mount["mountPath"].as_str() == folder) {
            faults.push(format!("{}: has no {authority}", pod.owner));
        }
    }
    faults
}

/// What is wrong with the Redis that the config names: nobody has its address, or it never forgets, though no entry of Spin's expires.
fn of_cache(config: &Value, documents: &Documents) -> Faults {
    let url = &config["key_value_store"]["default"]["url"];
    let url = url.as_str().unwrap_or_default();
    let address = url
        .strip_prefix("redis://:PASSWORD@")
        .and_then(|rest| rest.split_once('/'))
        .and_then(|(address, _number)| address.split_once(':'))
        .and_then(|(host, port)| Some((host, port.parse::<u64>().ok()?)));
    let Some((host, port)) = address else {
        return vec![format!("{url} is no redis://:PASSWORD@HOST:PORT/NUMBER")];
    };
    let mut faults = Faults::new();
    let listens = |service: &Value| {
        list(&service["spec"]["ports"]).any(|one| one["port"].as_u64() == Some(port))
    };
    if !documents.find("Service", host).is_some_and(listens) {
        faults.push(format!("no Service is at {host}:{port}"));
    }
    let forgets = |server: &Value| {
        let container = &server["spec"]["template"]["spec"]["containers"][0];
        let args: Vec<_> = list(&container["args"]).filter_map(Value::as_str).collect();
        let has = |pair: [&str; 2]| args.windows(2).any(|window| window == pair);
        has(["--maxmemory-policy", "allkeys-lru"]) && args.contains(&"--maxmemory")
    };
    if !documents.find("Deployment", host).is_some_and(forgets) {
        faults.push(format!("{host} fills up for good"));
    }
    faults
}

pub(crate) fn faults(documents: &Documents) -> Faults {
    let config = config(CLUSTER);
    let mut faults = with_documents(&config, documents);
    faults.extend(of_cache(&config, documents));
    if let Some(app) = documents.find("SpinApp", "audit-store") {
        let checksum = wheel::sha256(read(CLUSTER).as_bytes());
        if app["spec"]["podAnnotations"][CHECKSUM] != checksum {
            faults.push(format!("{CHECKSUM} is not that of {CLUSTER}: {checksum}"));
        }
    }
    faults
}

#[test]
fn the_runtime_configs_fit() {
    finds_nothing(faults);
    assert_eq!(of_config(&config(IMAGE)), Faults::new());
}

#[test]
fn a_pod_without_the_authority_is_found() {
    let change = |documents: &mut Documents| {
        documents.remove("SpinApp", "audit-store", "/spec/volumeMounts");
    };
    finds(faults, "spinkube", change, "has no /run/cluster/ca.crt");
}

#[test]
fn another_api_server_is_found() {
    let change = |documents: &mut Documents| {
        let url = json!("https://kubernetes.example");
        documents.set(
            "ConfigMap",
            "audit-store-variables-",
            "/data/SPIN_VARIABLE_KUBE_API_URL",
            url,
        );
    };
    finds(
        faults,
        "kubernetes",
        change,
        "nobody trusts kubernetes.example",
    );
}

#[test]
fn a_cache_that_nobody_finds_is_found() {
    let change = |documents: &mut Documents| documents.drop("Service", "audit-store-cache");
    finds(
        faults,
        "kubernetes",
        change,
        "no Service is at audit-store-cache:6379",
    );
    let elsewhere = json!({"key_value_store": {"default": {"url": "redis://audit-store-cache"}}});
    let faults = of_cache(&elsewhere, &Documents::of("kubernetes"));
    assert!(faults[0].contains("PASSWORD"), "{faults:?}");
}

#[test]
fn a_cache_that_forgets_nothing_is_found() {
    for (pointer, value) in [("7", "noeviction"), ("4", "--maxclients")] {
        let change = |documents: &mut Documents| {
            let pointer = format!("/spec/template/spec/containers/0/args/{pointer}");
            documents.set("Deployment", "audit-store-cache", &pointer, json!(value));
        };
        finds(faults, "spinkube", change, "fills up for good");
    }
}

#[test]
fn an_old_checksum_is_found() {
    let change = |documents: &mut Documents| {
        documents.set(
            "SpinApp",
            "audit-store",
            &format!("/spec/podAnnotations/{}", CHECKSUM.replace('/', "~1")),
            json!("old"),
        );
    };
    finds(faults, "spinkube", change, "is not that of");
}

#[test]
fn a_config_that_spin_or_prometheus_would_not_bear_is_found() {
    /// Spoils a config.
    type Change = fn(&mut Value);
    let broken: [(Change, &str); 4] = [
        (
            |config| config["state_dir"] = json!(".spin"),
            "state_dir is not empty",
        ),
        (
            |config| config["key_value_store"]["counters"] = Value::Null,
            "nothing defines the store counters",
        ),
        (
            |config| {
                config["key_value_store"]["identities"] =
                    json!({"type": "redis", "url": "redis://cache"});
            },
            "the store identities is not in memory",
        ),
        (
            |config| config["outbound_http"]["connection_pooling"] = json!(false),
            "connections are not kept",
        ),
    ];
    for (change, expected) in broken {
        let mut config = config(CLUSTER);
        change(&mut config);
        let faults = of_config(&config);
        assert!(
            faults.iter().any(|fault| fault.contains(expected)),
            "{expected}: {faults:?}"
        );
    }
}

#[test]
fn a_component_that_does_not_trust_the_api_server_is_found() {
    let mut config = config(CLUSTER);
    config["client_tls"][0]["component_ids"] = json!(["write", "query"]);
    let faults = with_documents(&config, &Documents::of("kubernetes"));
    assert!(
        faults.contains(&"search does not trust kubernetes.default.svc".to_owned()),
        "{faults:?}"
    );
}
