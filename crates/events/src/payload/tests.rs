//! The table itself, and values made from it: for every member of every payload, what passes and what does not.

use std::collections::BTreeSet;

use serde_json::json;

use super::*;

/// A value that passes, with all members that the table knows.
fn sample(of: &Type) -> Value {
    match of {
        Type::Text => json!("text"),
        Type::Boolean => json!(true),
        Type::Integer(least, _) => json!((*least).max(3)),
        Type::Number(_) => json!(2.5),
        Type::Share => json!(0.5),
        Type::Time => json!("2026-08-22T17:03:40Z"),
        Type::Uuid => json!("270aaeb7-8172-595a-8aea-77d37e5a65e7"),
        Type::Digest => json!("0f".repeat(32)),
        Type::Any => json!({"any": [1, null]}),
        Type::OneOf(words) => json!(words[0]),
        Type::List(of) => json!([sample(of), sample(of)]),
        Type::Map(of) => json!({"one": sample(of), "other": sample(of)}),
        Type::Nullable(of) => sample(of),
        Type::Part(name) => Value::Object(object(name, |_| true)),
    }
}

/// Values that do not pass.
fn wrong(of: &Type) -> Vec<Value> {
    let mut wrong = match of {
        Type::Text => vec![json!(1), json!({})],
        Type::Boolean => vec![json!("true"), json!(1)],
        Type::Integer(least, most) => {
            let below = least.checked_sub(1).map(Value::from);
            let above = most.checked_add(1).map(Value::from);
            let mut wrong = vec![
                json!(1.0),
                json!(1.5),
                json!("1"),
                json!(u64::MAX),
                json!(1e3),
            ];
            wrong.extend(below.into_iter().chain(above));
            wrong
        }
        Type::Number(most) => {
            let beyond = [most * 2.0, most * -2.0].into_iter();
            let beyond = beyond.filter(|number| number.is_finite());
            let mut wrong = vec![json!("1.5"), json!(true)];
            wrong.extend(beyond.map(Value::from));
            wrong
        }
        Type::Share => vec![json!(1.001), json!(-0.001), json!("0.5")],
        Type::Time => vec![json!("2026-08-22"), json!(1_700_000_000), json!("soon")],
        Type::Uuid => vec![
            json!("270aaeb7"),
            json!(""),
            json!("270aaeb78172595a8aea77d37e5a65e7"),
        ],
        Type::Digest => vec![json!("0F".repeat(32)), json!("0f".repeat(31)), json!("")],
        Type::Any => Vec::new(),
        Type::OneOf(words) => vec![json!(format!("{}x", words[0])), json!(""), json!(0)],
        Type::List(of) => {
            let mut wrong: Vec<_> = wrong(of).into_iter().map(|value| json!([value])).collect();
            wrong.push(json!({}));
            wrong
        }
        Type::Map(of) => {
            let inside = wrong(of).into_iter();
            let mut wrong: Vec<_> = inside.map(|value| json!({"one": value})).collect();
            wrong.push(json!([]));
            wrong
        }
        Type::Nullable(of) => wrong(of)
            .into_iter()
            .filter(|value| !value.is_null())
            .collect(),
        Type::Part(name) => {
            let mut wrong = vec![json!([]), json!("text")];
            wrong.extend(
                broken(name)
                    .into_iter()
                    .map(|(_, members)| Value::Object(members)),
            );
            wrong
        }
    };
    if !matches!(of, Type::Any | Type::Nullable(_)) {
        wrong.push(Value::Null);
    }
    wrong
}

fn object(name: &str, keeps: impl Fn(&Member) -> bool) -> Map<String, Value> {
    let members = PAYLOADS.objects[name].members.iter();
    members
        .filter(|member| keeps(member))
        .map(|member| (member.name.to_owned(), sample(&member.of)))
        .collect()
}

/// Every way to break one rule of an object, and what it is.
fn broken(name: &str) -> Vec<(String, Map<String, Value>)> {
    let whole = object(name, |_| true);
    let mut broken = Vec::new();
    let table = &PAYLOADS.objects[name];
    for member in &table.members {
        if member.is_required {
            let mut without = whole.clone();
            without.remove(member.name);
            broken.push((format!("{name} without {}", member.name), without));
        }
        for value in wrong(&member.of) {
            let mut with = whole.clone();
            with.insert(member.name.to_owned(), value.clone());
            broken.push((format!("{name} with {}: {value}", member.name), with));
        }
    }
    if table.is_closed {
        let mut with = whole;
        with.insert("unknown".to_owned(), json!(1));
        broken.push((format!("{name} with an unknown member"), with));
    }
    broken
}

fn typed(event_type: &str, mut members: Map<String, Value>) -> Map<String, Value> {
    members.insert("event_type".to_owned(), json!(event_type));
    members
}

#[test]
fn the_table_is_whole() {
    assert_eq!(PAYLOADS.of_types.len(), 142);
    let payloads: BTreeSet<_> = PAYLOADS.of_types.values().collect();
    assert_eq!(payloads.len(), 94);
    assert!(
        payloads
            .iter()
            .all(|name| PAYLOADS.objects.contains_key(**name))
    );
    // All others are parts, and each of them is used.
    let mut used = BTreeSet::new();
    for object in PAYLOADS.objects.values() {
        for member in &object.members {
            parts(&member.of, &mut used);
        }
    }
    let parts: BTreeSet<_> = PAYLOADS.objects.keys().copied().collect();
    let parts: BTreeSet<_> = parts
        .into_iter()
        .filter(|name| !payloads.contains(name))
        .collect();
    assert_eq!(used, parts);
    assert_eq!(parts.len(), 29);
}

fn parts(of: &Type, to: &mut BTreeSet<&'static str>) {
    match of {
        Type::Part(name) => {
            to.insert(*name);
        }
        Type::List(of) | Type::Map(of) | Type::Nullable(of) => parts(of, to),
        _ => {}
    }
}

/// Read once per instance, and part of every component that knows events.
#[test]
fn the_file_is_small() {
    assert!(include_str!("../../payloads.txt").len() < 40 * 1024);
}

#[test]
fn a_file_with_a_mistake_is_no_table() {
    for text in [
        "  a str",
        "@ a.b",
        "A\n  a string",
        "A\n  a",
        "A\n  a [str",
        "A\n  a {int",
    ] {
        assert!(Payloads::parse(text).is_none(), "{text}");
    }
}

#[test]
fn every_payload_passes_whole_and_with_its_required_members_alone() {
    for (event_type, name) in &PAYLOADS.of_types {
        let whole = typed(event_type, object(name, |_| true));
        assert!(is_known(&whole), "{whole:?}");
        let least = typed(event_type, object(name, |member| member.is_required));
        assert!(is_known(&least), "{least:?}");
        let mut more = whole;
        more.insert("a_member_of_tomorrow".to_owned(), json!({"a": [1]}));
        assert!(is_known(&more), "{more:?}");
    }
}

#[test]
fn no_payload_passes_with_one_rule_broken() {
    for (event_type, name) in &PAYLOADS.of_types {
        for (what, members) in broken(name) {
            assert!(!is_known(&typed(event_type, members)), "{what}");
        }
    }
}

#[test]
fn what_may_be_null_may_be_null() {
    let mut members = typed(
        "effectiveness.metrics.assessed",
        object("EffectivenessAssessmentAuditPayload", |_| true),
    );
    members.insert("score".to_owned(), Value::Null);
    members.insert(
        "metric_deltas".to_owned(),
        json!({"cpu_before": null, "cpu_after": 1}),
    );
    assert!(is_known(&members));
    members.insert("metric_deltas".to_owned(), Value::Null);
    assert!(!is_known(&members));
}

#[test]
fn the_inner_type_decides() {
    let members = object("AIAgentSessionCompletedPayload", |_| true);
    assert!(is_known(&typed(
        "aiagent.session.completed",
        members.clone()
    )));
    for unknown in [
        "",
        "aiagent.session",
        "Aiagent.session.completed",
        "x",
        "AIAgentSessionCompletedPayload",
    ] {
        assert!(!is_known(&typed(unknown, members.clone())), "{unknown}");
    }
    assert!(!is_known(&members));
}

/// Nothing of what services send is called like a secret, or clients could not read it any more.
#[test]
fn payloads_are_no_secrets() {
    for (event_type, name) in &PAYLOADS.of_types {
        let whole = typed(event_type, object(name, |_| true));
        let mut redacted = whole.clone();
        audit::redact_object(&mut redacted);
        assert_eq!(redacted, whole);
    }
}
