//! The cluster lets the service do what the code asks for, and nothing more; and callers what docs/access.md says.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::documents::{Documents, list, name};
use crate::{Faults, finds, finds_nothing, read};

/// The account that the service runs as.
const ACCOUNT: &str = "audit-store";

/// A group of the API, a resource, and a verb.
type Right = (String, String, String);

pub(crate) fn faults(documents: &Documents) -> Faults {
    let called = called();
    let granted = granted(documents);
    let lacks = called
        .difference(&granted)
        .map(|right| format!("the service lacks {right:?}"));
    let more = granted
        .difference(&called)
        .map(|right| format!("the service has {right:?}, and never uses it"));
    lacks.chain(more).collect()
}

/// What the code creates through the API server: each `Resource` of crates/edge.
fn called() -> BTreeSet<Right> {
    let files = ["authentication", "authorisation"];
    let rights = files.map(|file| {
        let source = read(&format!("crates/edge/src/{file}.rs"));
        let member = |name: &str| {
            let (_, rest) = source
                .split_once(&format!("{name}: \""))
                .expect("a member of a Resource");
            rest.split('"').next().expect("a text").to_owned()
        };
        let group = member("api_version");
        let group = group.split('/').next().expect("a group");
        (group.to_owned(), member("plural"), "create".to_owned())
    });
    rights.into()
}

/// What the documents permit the service's account.
fn granted(documents: &Documents) -> BTreeSet<Right> {
    let mut rights = BTreeSet::new();
    for binding in documents
        .iter()
        .filter(|document| !document["roleRef"].is_null())
    {
        let is_ours =
            |subject: &Value| subject["kind"] == "ServiceAccount" && subject["name"] == ACCOUNT;
        if !list(&binding["subjects"]).any(is_ours) {
            continue;
        }
        let role = &binding["roleRef"];
        let kind = role["kind"].as_str().expect("a kind");
        let role = role["name"]
            .as_str()
            .and_then(|name| documents.find(kind, name));
        let Some(role) = role else {
            rights.insert((
                "a role".into(),
                "of elsewhere".into(),
                binding["roleRef"]["name"].to_string(),
            ));
            continue;
        };
        for rule in list(&role["rules"]) {
            for group in texts(&rule["apiGroups"]) {
                for resource in texts(&rule["resources"]) {
                    rights.extend(
                        texts(&rule["verbs"]).map(|verb| (group.clone(), resource.clone(), verb)),
                    );
                }
            }
        }
    }
    rights
}

fn texts(value: &Value) -> impl Iterator<Item = String> {
    list(value).map(|text| text.as_str().expect("a text").to_owned())
}

/// With `authorization=sar`: which verbs each account has on the service that stands for the store.
pub(crate) fn callers(documents: &Documents) -> Faults {
    let variables = documents.variables();
    if variables["SPIN_VARIABLE_AUTHORIZATION"] != "sar" {
        return Faults::new();
    }
    let (namespace, service) = (
        &variables["SPIN_VARIABLE_SAR_NAMESPACE"],
        &variables["SPIN_VARIABLE_SAR_SERVICE"],
    );
    let mut faults = Faults::new();
    let mut verbs: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for binding in documents.of_kind("RoleBinding") {
        let role = binding["roleRef"]["name"]
            .as_str()
            .and_then(|name| documents.find("Role", name));
        let Some(role) = role else {
            faults.push(format!(
                "RoleBinding {}: there is no such Role",
                name(binding)
            ));
            continue;
        };
        if role["metadata"]["namespace"] != *namespace {
            faults.push(format!("Role {}: is not in {namespace}", name(role)));
        }
        for rule in list(&role["rules"]) {
            if rule["resources"] != json!(["services"]) || rule["resourceNames"] != json!([service])
            {
                faults.push(format!(
                    "Role {}: is about something else than {service}",
                    name(role)
                ));
            }
            for subject in list(&binding["subjects"]) {
                let account = subject["name"].as_str().expect("a name").to_owned();
                verbs
                    .entry(account)
                    .or_default()
                    .extend(texts(&rule["verbs"]));
            }
        }
    }
    let expected = documented();
    for account in expected.keys().chain(verbs.keys()).collect::<BTreeSet<_>>() {
        let (has, should) = (verbs.get(account), expected.get(account));
        if has != should {
            faults.push(format!(
                "{account} has {has:?}, and docs/access.md says {should:?}"
            ));
        }
    }
    faults
}

/// The table of accounts of docs/access.md, as verbs.
fn documented() -> BTreeMap<String, BTreeSet<String>> {
    let page = read("docs/access.md");
    let (_, table) = page
        .split_once("<!-- accounts: begin -->")
        .expect("the table of accounts");
    let (table, _) = table.split_once("<!-- accounts: end -->").expect("its end");
    let rows = table.lines().filter(|line| line.starts_with("| `"));
    let rows = rows.map(|row| {
        let mut cells = row.trim_matches('|').split('|').map(str::trim);
        let account = cells.next().expect("an account").trim_matches('`');
        let permissions = cells.next().expect("permissions").split(", ");
        let verbs = permissions.flat_map(|permission| match permission.trim_matches('`') {
            "read" => vec!["get"],
            "write:events" => vec!["create", "get"],
            "hold" => vec!["update"],
            "admin" => vec!["delete"],
            _ => vec!["create"],
        });
        (account.to_owned(), verbs.map(str::to_owned).collect())
    });
    rows.collect()
}

#[test]
fn the_service_may_do_what_it_does() {
    finds_nothing(faults);
}

#[test]
fn a_right_too_many_and_one_too_few_are_found() {
    let add = |documents: &mut Documents| {
        documents.set(
            "ClusterRole",
            "audit-store-reviews",
            "/rules/0/verbs",
            json!(["create", "get"]),
        );
    };
    finds(faults, "kubernetes", add, "and never uses it");
    let remove = |documents: &mut Documents| {
        documents.remove("ClusterRole", "audit-store-reviews", "/rules/1");
    };
    finds(faults, "kubernetes", remove, "the service lacks");
}

#[test]
fn callers_have_the_verbs_of_their_permissions() {
    finds_nothing(callers);
    let of_everything = Documents::of("everything");
    assert_eq!(
        of_everything.variables()["SPIN_VARIABLE_AUTHORIZATION"],
        "sar"
    );
}

#[test]
fn a_caller_with_another_verb_is_found() {
    let add = |documents: &mut Documents| {
        documents.set(
            "Role",
            "audit-store-reader",
            "/rules/0/verbs",
            json!(["get", "delete"]),
        );
    };
    finds(callers, "everything", add, "docs/access.md says");
    let remove = |documents: &mut Documents| {
        documents.remove("RoleBinding", "audit-store-writer", "/subjects/0");
    };
    finds(callers, "everything", remove, "gateway-sa has None");
    let elsewhere = |documents: &mut Documents| {
        documents.set(
            "Role",
            "audit-store-writer",
            "/rules/0/resourceNames",
            json!(["other"]),
        );
    };
    finds(callers, "everything", elsewhere, "is about something else");
}
