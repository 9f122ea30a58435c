//! Images are named by a digest or a version, and the project's own by the version of this workspace.

use serde_json::{Value, json};

use crate::documents::{Documents, title};
use crate::pods::pods;
use crate::{Faults, finds, finds_nothing, read};

/// Where the project's own images are.
const OWN: &str = "ghcr.io/kubernaut/";

pub(crate) fn faults(documents: &Documents) -> Faults {
    let version = version();
    let faults = images(documents).into_iter().filter_map(|(owner, image)| {
        let fault = fault(&image, &version)?;
        Some(format!("{owner}: {image:?} {fault}"))
    });
    faults.collect()
}

fn fault(image: &str, version: &str) -> Option<String> {
    let (name, digest) = image
        .split_once('@')
        .map_or((image, None), |(name, digest)| (name, Some(digest)));
    if digest.is_some_and(|digest| !is_digest(digest)) {
        return Some("has a digest that is none".to_owned());
    }
    let tag = name
        .rsplit_once(':')
        .map(|(_, tag)| tag)
        .filter(|tag| !tag.contains('/'));
    if name.starts_with(OWN) && tag != Some(version) {
        return Some(format!("is not of version {version}"));
    }
    let says_a_version =
        tag.is_some_and(|tag| tag.bytes().any(|byte| byte.is_ascii_digit()) && tag.contains('.'));
    let named = digest.is_some() || says_a_version;
    (!named).then(|| "has neither a version nor a digest".to_owned())
}

fn is_digest(digest: &str) -> bool {
    let hex = digest.strip_prefix("sha256:");
    hex.is_some_and(|hex| hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// Each image and what names it.
fn images(documents: &Documents) -> Vec<(String, String)> {
    let mut images = Vec::new();
    for pod in pods(documents) {
        // The container of a SpinApp has its executor's.
        let containers = pod
            .containers()
            .filter(|_| !pod.owner.starts_with("SpinApp "));
        images.extend(containers.map(|container| (pod.owner.clone(), text(&container["image"]))));
    }
    for document in documents.iter() {
        let spec = &document["spec"];
        let image = match document["kind"].as_str() {
            Some("Cluster") => &spec["imageName"],
            Some("SpinApp") => &spec["image"],
            Some("SpinAppExecutor") => &spec["deploymentConfig"]["spinImage"],
            _ => continue,
        };
        images.push((title(document), text(image)));
    }
    images
}

fn text(image: &Value) -> String {
    image.as_str().unwrap_or_default().to_owned()
}

fn version() -> String {
    let manifest: Value = toml::from_str(&read("Cargo.toml")).expect("TOML");
    text(&manifest["workspace"]["package"]["version"])
}

#[test]
fn images_have_versions() {
    finds_nothing(faults);
}

#[test]
fn an_image_without_a_version_is_found() {
    for image in [
        "valkey",
        "localhost:5000/valkey",
        "valkey:latest",
        "valkey:9",
        "valkey@sha256:abc",
        "",
    ] {
        let change = |documents: &mut Documents| {
            let pointer = "/spec/template/spec/containers/0/image";
            documents.set("Deployment", "audit-store-cache", pointer, json!(image));
        };
        finds(faults, "kubernetes", change, &format!("{image:?}"));
    }
}

#[test]
fn an_image_of_another_release_is_found() {
    let change = |documents: &mut Documents| {
        let image = json!("ghcr.io/kubernaut/audit-store-app:0.0.9");
        documents.set("SpinApp", "audit-store", "/spec/image", image);
    };
    finds(faults, "spinkube", change, "is not of version");
}
