//! The image of the service and the Deployment agree on where everything is, and images are built on versions.

use serde_json::{Value, json};

use crate::documents::{Documents, list};
use crate::{Faults, manifest, read};

const SERVICE: &str = "deploy/image/Containerfile";
const TOOLS: &str = "deploy/image/Containerfile.tools";

/// What is wrong with the Containerfile of the service beside a Deployment.
fn faults(containerfile: &str, documents: &Documents) -> Faults {
    let entrypoint = entrypoint(containerfile);
    let after = |option: &str| {
        let place = entrypoint.iter().position(|one| one == option);
        place
            .and_then(|place| entrypoint.get(place + 1))
            .cloned()
            .unwrap_or_default()
    };
    let deployment = documents
        .find("Deployment", "audit-store")
        .expect("a Deployment");
    let pod = &deployment["spec"]["template"]["spec"];
    let spin = list(&pod["containers"])
        .find(|container| container["name"] == "spin")
        .expect("a container");
    let mounts: Vec<&str> = list(&spin["volumeMounts"])
        .filter_map(|mount| mount["mountPath"].as_str())
        .collect();
    let manifest_path = after("--from");
    let app = manifest_path.trim_end_matches("/spin.toml");

    let mut faults = base(containerfile);
    let mut expect = |right: bool, fault: String| {
        if !right {
            faults.push(fault);
        }
    };
    let first = entrypoint.first().cloned().unwrap_or_default();
    expect(
        first == "/usr/local/bin/spin",
        format!("{first:?} is started, not Spin"),
    );
    expect(
        entrypoint.iter().any(|one| one == "--direct-mounts"),
        "a token would be a copy made at the start".into(),
    );
    let port = after("--listen")
        .rsplit(':')
        .next()
        .and_then(|port| port.parse().ok())
        .unwrap_or(0_u64);
    let ports = list(&spin["ports"]).any(|one| one["containerPort"] == port);
    expect(
        ports,
        format!("it listens at {port}, and the Deployment does not know"),
    );
    let config = after("--runtime-config-file");
    expect(
        mounts.contains(&config.as_str()),
        format!("nothing is mounted at {config:?}"),
    );
    let manifest = manifest();
    let components = manifest["component"]
        .as_object()
        .expect("components")
        .values();
    for files in components.flat_map(|component| list(&component["files"])) {
        let source = format!("{app}/{}", files["source"].as_str().expect("a folder"));
        expect(
            mounts.contains(&source.as_str()),
            format!("nothing is mounted at {source:?}"),
        );
    }
    let user = json!(
        line(containerfile, "USER ").and_then(|user| user.split(':').next()?.parse::<u64>().ok())
    );
    expect(
        pod["securityContext"]["runAsUser"] == user,
        format!("the user is {user}, and another one in the Deployment"),
    );
    let cache = line(containerfile, "ENV ") == Some("DISABLE_WASMTIME_CACHE=true");
    expect(
        cache,
        "Spin's cache is on, and does not start without a home".into(),
    );
    faults
}

/// What is wrong with what an image is built on.
fn base(containerfile: &str) -> Faults {
    let base = line(containerfile, "FROM ").unwrap_or_default();
    let tag = base.rsplit_once(':').map_or("", |(_, tag)| tag);
    let is_version = tag.bytes().any(|byte| byte.is_ascii_digit()) && !tag.contains('/');
    let fault = || format!("it is built on {base:?}, which is no version");
    (!is_version).then(fault).into_iter().collect()
}

fn line<'a>(containerfile: &'a str, instruction: &str) -> Option<&'a str> {
    containerfile
        .lines()
        .find_map(|line| line.strip_prefix(instruction))
}

/// The words of the entrypoint, none if a shell reads them.
fn entrypoint(containerfile: &str) -> Vec<String> {
    let joined = containerfile.replace("\\\n", "");
    let words =
        line(&joined, "ENTRYPOINT ").and_then(|words| serde_json::from_str::<Value>(words).ok());
    let words = words.unwrap_or_default();
    list(&words)
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_image_and_the_deployment_agree() {
    for target in ["kubernetes", "everything"] {
        assert_eq!(
            faults(&read(SERVICE), &Documents::of(target)),
            Faults::new()
        );
    }
    assert_eq!(base(&read(TOOLS)), Faults::new());
    let user = line(&read(SERVICE), "USER ").map(str::to_owned);
    assert_eq!(line(&read(TOOLS), "USER ").map(str::to_owned), user);
}

#[test]
fn an_image_that_does_not_fit_is_found() {
    let containerfile = read(SERVICE);
    for (from, to, expected) in [
        ("\"--direct-mounts\", ", "", "a copy made at the start"),
        ("0.0.0.0:3000", "0.0.0.0:80", "it listens at 80"),
        (
            "/app/runtime-config.toml",
            "/run/config.toml",
            "nothing is mounted at \"/run/config.toml\"",
        ),
        (
            "/app/spin.toml",
            "/srv/spin.toml",
            "nothing is mounted at \"/srv/credentials\"",
        ),
        ("USER 65532", "USER 0", "the user is 0"),
        ("ENV DISABLE_WASMTIME_CACHE=true", "", "cache is on"),
        (
            "spin:v4.1.0-distroless",
            "spin:latest",
            "which is no version",
        ),
        ("ENTRYPOINT [", "ENTRYPOINT exec [", "is started, not Spin"),
    ] {
        assert!(containerfile.contains(from), "{from}");
        let faults = faults(
            &containerfile.replace(from, to),
            &Documents::of("kubernetes"),
        );
        assert!(
            faults.iter().any(|fault| fault.contains(expected)),
            "{expected}: {faults:?}"
        );
    }
}
