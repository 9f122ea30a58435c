//! The description is a sound OpenAPI 3.1 document of all that the components answer to.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::support::openapi::description;
use crate::support::openapi::description::{elements, members, parameter};
use crate::support::routes::{Access, KINDS, Row, rows};

/// Calls `visit` with every value in `value` and the way to it.
fn walk(value: &Value, path: &str, visit: &mut impl FnMut(&str, &Value)) {
    visit(path, value);
    for (key, member) in members(value) {
        walk(member, &format!("{path}/{key}"), visit);
    }
    for (index, element) in elements(value).enumerate() {
        walk(element, &format!("{path}/{index}"), visit);
    }
}

/// Every operation with its path and method.
fn operations() -> impl Iterator<Item = (String, &'static Value)> {
    members(&description().document["paths"]).flat_map(|(path, item)| {
        members(item)
            .filter(|(key, _)| *key != "parameters")
            .map(move |(method, operation)| (format!("{method} {path}"), operation))
    })
}

#[test]
fn the_head_is_that_of_openapi_3_1() {
    let document = &description().document;
    assert_eq!(document["openapi"], "3.1.0");
    for needed in ["title", "version"] {
        assert!(document["info"][needed].is_string(), "info.{needed}");
    }
    assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn every_reference_leads_somewhere() {
    let document = &description().document;
    let mut count = 0;
    walk(document, "", &mut |path, value| {
        let Some(reference) = value.get("$ref").and_then(Value::as_str) else {
            return;
        };
        let target = reference.strip_prefix('#');
        let found = target.and_then(|pointer| document.pointer(pointer));
        assert!(found.is_some(), "{path}: {reference} leads nowhere");
        count += 1;
    });
    assert!(count > 500, "only {count} references");
}

#[test]
fn every_component_is_used() {
    let document = &description().document;
    let mut used = BTreeSet::new();
    walk(document, "", &mut |_, value| {
        used.extend(value.get("$ref").and_then(Value::as_str).map(str::to_owned));
    });
    // What a security requirement names.
    walk(document, "", &mut |_, value| {
        for requirement in elements(value.get("security").unwrap_or(&Value::Null)) {
            let schemes = members(requirement);
            used.extend(schemes.map(|(name, _)| format!("#/components/securitySchemes/{name}")));
        }
    });
    for used in used
        .iter()
        .filter(|used| used.contains("/securitySchemes/"))
    {
        assert!(
            document.pointer(&used[1..]).is_some(),
            "{used} is not there"
        );
    }
    // The answers to what the document does not describe.
    for name in ["UnknownPath", "MethodNotAllowed"] {
        used.insert(format!("#/components/responses/{name}"));
    }
    for (section, components) in members(&document["components"]) {
        for (name, _) in members(components) {
            let reference = format!("#/components/{section}/{name}");
            assert!(used.contains(&reference), "nothing refers to {reference}");
        }
    }
}

#[test]
fn every_operation_says_what_it_is() {
    let document = &description().document;
    let tags: BTreeSet<_> = elements(&document["tags"])
        .filter_map(|tag| tag["name"].as_str())
        .collect();
    let mut ids = BTreeSet::new();
    for (name, operation) in operations() {
        let id = operation["operationId"].as_str();
        let id = id.unwrap_or_else(|| panic!("{name} has no operationId"));
        assert!(ids.insert(id), "two operations are called {id}");
        assert!(operation["summary"].is_string(), "{name} has no summary");
        let own: Vec<_> = elements(&operation["tags"])
            .filter_map(Value::as_str)
            .collect();
        assert!(!own.is_empty(), "{name} has no tags");
        assert!(own.iter().all(|tag| tags.contains(tag)), "{name}: {own:?}");
    }
    walk(document, "", &mut |path, value| {
        if path.contains("/links/")
            && let Some(id) = value.get("operationId").and_then(Value::as_str)
        {
            assert!(ids.contains(id), "{path}: no operation is called {id}");
        }
    });
}

#[test]
fn every_example_keeps_its_schema() {
    let mut count = 0;
    walk(&description().document, "", &mut |path, value| {
        // Examples stand beside the schema, or in a schema itself.
        let inside = path.contains("/schemas/") || path.ends_with("/schema");
        let schema = if inside {
            Some(value)
        } else {
            value.get("schema")
        };
        let Some(schema) = schema.filter(|schema| schema.is_object()) else {
            return;
        };
        let named = members(value.get("examples").unwrap_or(&Value::Null));
        let examples = named.map(|(_, example)| &example["value"]);
        let list = elements(value.get("examples").unwrap_or(&Value::Null));
        for example in examples.chain(list).chain(value.get("example")) {
            let validator = description().validator(schema);
            let faults: Vec<_> = validator
                .iter_errors(example)
                .map(|e| e.to_string())
                .collect();
            assert!(
                faults.is_empty(),
                "{path}: {}: {example}",
                faults.join("; ")
            );
            count += 1;
        }
    });
    assert!(count > 30, "only {count} examples");
}

#[test]
fn every_path_has_its_parameters() {
    let document = &description().document;
    for (path, item) in members(&document["paths"]) {
        let in_path: BTreeSet<_> = path.split('/').filter_map(parameter).collect();
        let described: BTreeSet<_> = elements(&item["parameters"])
            .map(|parameter| match parameter["$ref"].as_str() {
                Some(reference) => document.pointer(&reference[1..]).expect("a parameter"),
                None => parameter,
            })
            .filter(|parameter| parameter["in"] == "path")
            .filter_map(|parameter| parameter["name"].as_str())
            .collect();
        assert_eq!(in_path, described, "{path}");
    }
}

/// Every route that clients reach, by method and path. The four kinds of records have paths of their own where they take
/// different bodies, and else share one.
fn routes() -> Vec<(String, Row)> {
    let document = &description().document["paths"];
    let mut routes = Vec::new();
    for row in rows() {
        if row.access == Access::Private {
            continue; // no client can ask it
        }
        let paths = if document.get(&row.pattern).is_some() {
            vec![row.pattern.clone()]
        } else {
            let path = |kind| row.pattern.replace("{kind}", kind);
            KINDS.map(path).into()
        };
        for path in paths {
            routes.push((format!("{} {path}", row.method.to_lowercase()), row.clone()));
        }
    }
    routes
}

#[test]
fn every_route_is_described_and_nothing_else() {
    let served: BTreeSet<_> = routes().into_iter().map(|(name, _)| name).collect();
    let described: BTreeSet<_> = operations().map(|(name, _)| name).collect();
    let missing: Vec<_> = served.difference(&described).collect();
    assert!(missing.is_empty(), "these are not described: {missing:#?}");
    let invented: Vec<_> = described.difference(&served).collect();
    assert!(
        invented.is_empty(),
        "no component serves these: {invented:#?}"
    );
}

#[test]
fn each_operation_refuses_whom_its_route_is_not_for() {
    let operations: BTreeMap<_, _> = operations().collect();
    for (name, row) in routes() {
        let described: Vec<_> = members(&operations[&name]["responses"])
            .map(|(status, _)| status.as_str())
            .filter(|status| ["401", "403", "429"].contains(status))
            .collect();
        let expected: &[&str] = match row.access {
            Access::Open | Access::Private => &[],
            // Who scrapes is not counted.
            // Who posts events too often waits, and hears 503.
            Access::Metrics | Access::WriteEvents => &["401", "403"],
            Access::Read | Access::WriteKind | Access::Hold | Access::Admin => {
                &["401", "403", "429"]
            }
        };
        assert_eq!(described, expected, "{name}");
    }
}
