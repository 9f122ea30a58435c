//! What `event_data` may be, as the services' client decodes it: a table of the tests' own (`payloads.txt`), so that a mistake in the
//! service's is not repeated here.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use chrono::DateTime;
use regex::Regex;
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// The table.
pub(crate) static TABLE: LazyLock<Table> =
    LazyLock::new(|| Table::read(include_str!("payloads.txt")));

/// Payloads and their parts.
pub(crate) struct Table {
    parts: BTreeMap<String, Part>,
    /// The payload of each event type.
    of_type: BTreeMap<String, String>,
}

#[derive(Default)]
struct Part {
    /// Whether it may have no other members.
    closed: bool,
    members: Vec<Member>,
    /// Instead of members.
    whole: Option<Type>,
}

struct Member {
    name: String,
    required: bool,
    of: Type,
}

struct Type {
    base: Base,
    nullable: bool,
    least: Option<i32>,
    most: Option<i32>,
    pattern: Option<Regex>,
}

enum Base {
    Text,
    Integer,
    /// One of 32 bits.
    Small,
    Number,
    /// One that has no more than 32 bits where it is read.
    Coarse,
    Truth,
    Anything,
    Time,
    Id,
    Map(Box<Type>),
    List(Box<Type>),
    OneOf(Vec<String>),
    Part(String),
}

impl Table {
    fn read(text: &str) -> Self {
        let mut table = Self {
            parts: BTreeMap::new(),
            of_type: BTreeMap::new(),
        };
        let mut current = String::new();
        for line in text
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
        {
            if let Some(member) = line.strip_prefix("  ") {
                let (name, of) = member.split_once(' ').expect("a name and a type");
                let part = table.parts.get_mut(&current).expect("a part");
                part.members.push(Member {
                    name: name.trim_end_matches('!').to_owned(),
                    required: name.ends_with('!'),
                    of: Type::read(of),
                });
                continue;
            }
            let mut part = Part::default();
            if let Some((name, whole)) = line.split_once(" = ") {
                part.whole = Some(Type::read(whole));
                name.clone_into(&mut current);
            } else {
                let (name, types) = line.split_once(':').expect("a part's name");
                part.closed = name.ends_with(" closed");
                name.trim_end_matches(" closed").clone_into(&mut current);
                for event_type in types.split_whitespace() {
                    table.of_type.insert(event_type.to_owned(), current.clone());
                }
            }
            table.parts.insert(current.clone(), part);
        }
        table
    }

    /// All event types that there are.
    pub(crate) fn event_types(&self) -> impl Iterator<Item = &str> {
        self.of_type.keys().map(String::as_str)
    }

    /// One event type of each payload.
    pub(crate) fn one_of_each_payload(&self) -> Vec<&str> {
        let mut types: BTreeMap<&str, &str> = BTreeMap::new();
        for (event_type, payload) in &self.of_type {
            types.entry(payload).or_insert(event_type);
        }
        types.into_values().collect()
    }

    /// What of `event_data` the client could not decode.
    pub(crate) fn fault(&self, data: &Value) -> Option<String> {
        let Some(event_type) = data["event_type"].as_str() else {
            return Some("no event_type".to_owned());
        };
        match self.of_type.get(event_type) {
            None => Some(format!("no payload of {event_type}")),
            Some(payload) => self.fault_of_part(payload, data, true),
        }
    }

    fn part(&self, name: &str) -> &Part {
        self.parts.get(name).expect("a part that there is")
    }

    fn fault_of_part(&self, name: &str, value: &Value, is_payload: bool) -> Option<String> {
        let part = self.part(name);
        if let Some(whole) = &part.whole {
            return self.fault_of(whole, value);
        }
        let Some(object) = value.as_object() else {
            return Some(format!("{name} is no object"));
        };
        for member in &part.members {
            let fault = match object.get(&member.name) {
                None if member.required => Some("missing".to_owned()),
                None => None,
                Some(value) => self.fault_of(&member.of, value),
            };
            if let Some(fault) = fault {
                return Some(format!("{name}.{}: {fault}", member.name));
            }
        }
        let mut names = object.keys().filter(|_| part.closed);
        let is_known = |name: &str| part.members.iter().any(|member| member.name == name);
        let unknown = names.find(|name| !(is_known(name) || is_payload && *name == "event_type"));
        unknown.map(|unknown| format!("{name} is closed and has {unknown}"))
    }

    fn fault_of(&self, of: &Type, value: &Value) -> Option<String> {
        if value.is_null() && of.nullable {
            return None;
        }
        let text = value.as_str();
        let fits = match &of.base {
            Base::Anything => true,
            Base::Text => text.is_some(),
            Base::Integer => value.is_i64(),
            Base::Small => value
                .as_i64()
                .is_some_and(|number| i32::try_from(number).is_ok()),
            Base::Number => value.is_number(),
            Base::Coarse => value
                .as_f64()
                .is_some_and(|number| number.abs() <= f32::MAX.into()),
            Base::Truth => value.is_boolean(),
            Base::Time => text.is_some_and(|text| DateTime::parse_from_rfc3339(text).is_ok()),
            Base::Id => text.is_some_and(|text| Uuid::parse_str(text).is_ok()),
            Base::OneOf(all) => text.is_some_and(|text| all.iter().any(|one| one == text)),
            Base::Part(name) => return self.fault_of_part(name, value, false),
            Base::Map(of) => {
                let Some(members) = value.as_object() else {
                    return Some(format!("{value} is no object"));
                };
                return members.values().find_map(|value| self.fault_of(of, value));
            }
            Base::List(of) => {
                let Some(values) = value.as_array() else {
                    return Some(format!("{value} is no array"));
                };
                return values.iter().find_map(|value| self.fault_of(of, value));
            }
        };
        let number = value.as_f64();
        let bounded = number.is_none_or(|number| {
            of.least.is_none_or(|least| number >= f64::from(least))
                && of.most.is_none_or(|most| number <= f64::from(most))
        });
        let matches = of
            .pattern
            .as_ref()
            .is_none_or(|pattern| text.is_some_and(|text| pattern.is_match(text)));
        (!(fits && bounded && matches)).then(|| format!("{value} does not fit"))
    }
}

impl Type {
    fn read(text: &str) -> Self {
        let mut words = text.split(' ');
        let base = Base::read(words.next().expect("a type"));
        let mut of = Self {
            base,
            nullable: false,
            least: None,
            most: None,
            pattern: None,
        };
        for word in words {
            let number = |text: &str| Some(text.parse().expect("a number"));
            if word == "null" {
                of.nullable = true;
            } else if let Some(least) = word.strip_prefix(">=") {
                of.least = number(least);
            } else if let Some(most) = word.strip_prefix("<=") {
                of.most = number(most);
            } else {
                let pattern = word.strip_prefix('~').expect("a pattern");
                of.pattern = Some(Regex::new(pattern).expect("a regular expression"));
            }
        }
        of
    }
}

impl Base {
    fn read(word: &str) -> Self {
        let within = |begin: &str, end: &str| word.strip_prefix(begin)?.strip_suffix(end);
        if let Some(of) = within("map<", ">") {
            return Self::Map(Box::new(Type::read(of)));
        }
        if let Some(of) = within("[", "]") {
            return Self::List(Box::new(Type::read(of)));
        }
        if let Some(all) = within("enum(", ")") {
            return Self::OneOf(all.split('|').map(str::to_owned).collect());
        }
        if let Some(part) = word.strip_prefix('@') {
            return Self::Part(part.to_owned());
        }
        match word {
            "str" => Self::Text,
            "int" => Self::Integer,
            "int32" => Self::Small,
            "num" => Self::Number,
            "num32" => Self::Coarse,
            "bool" => Self::Truth,
            "any" => Self::Anything,
            "date-time" => Self::Time,
            "uuid" => Self::Id,
            other => panic!("payloads.txt has the type {other}"),
        }
    }
}

/// Payloads that are made up.
impl Table {
    /// One that fits: with all members, or with no more than it must have.
    pub(crate) fn sample(&self, event_type: &str, whole: bool) -> Value {
        let payload = self.of_type.get(event_type).expect("a known type");
        let mut data = self.sample_of_part(payload, whole);
        data["event_type"] = event_type.into();
        data
    }

    fn sample_of_part(&self, name: &str, whole: bool) -> Value {
        let part = self.part(name);
        if let Some(of) = &part.whole {
            return self.sample_of(of, whole);
        }
        let members = part.members.iter();
        let members = members.filter(|member| whole || member.required);
        let members =
            members.map(|member| (member.name.clone(), self.sample_of(&member.of, whole)));
        Value::Object(members.collect())
    }

    fn sample_of(&self, of: &Type, whole: bool) -> Value {
        if of.pattern.is_some() {
            // The only one that there is asks for a hash.
            return "0123456789abcdef".repeat(4).into();
        }
        match &of.base {
            Base::Text | Base::Anything => "of-some-text".into(),
            Base::Integer | Base::Small => 1.into(),
            Base::Number | Base::Coarse => json!(0.5),
            Base::Truth => true.into(),
            Base::Time => "2026-05-06T07:08:09Z".into(),
            Base::Id => "6f9619ff-8b86-4d01-b42d-00cf4fc964ff".into(),
            Base::OneOf(all) => all.last().expect("a value").as_str().into(),
            Base::Part(name) => self.sample_of_part(name, whole),
            Base::Map(of) => json!({"key": self.sample_of(of, whole)}),
            Base::List(of) => json!([self.sample_of(of, whole)]),
        }
    }

    /// Ones that do not fit, each for one reason: a member is missing, null, of another type, out of its bounds, or unknown in a closed
    /// object, however deep.
    pub(crate) fn broken(&self, event_type: &str) -> Vec<Value> {
        let payload = self.of_type.get(event_type).expect("a known type");
        let sample = self.sample(event_type, true);
        let sample = sample.as_object().expect("an object");
        self.broken_of_part(payload, sample)
    }

    fn broken_of_part(&self, name: &str, sample: &Map<String, Value>) -> Vec<Value> {
        let part = self.part(name);
        let mut all = Vec::new();
        for member in &part.members {
            if member.required {
                let mut without = sample.clone();
                without.remove(&member.name);
                all.push(Value::Object(without));
            }
            for value in self.broken_of(&member.of) {
                let mut with = sample.clone();
                with.insert(member.name.clone(), value);
                all.push(Value::Object(with));
            }
        }
        if part.closed {
            let mut with = sample.clone();
            with.insert("unknown".to_owned(), 1.into());
            all.push(Value::Object(with));
        }
        all
    }

    fn broken_of(&self, of: &Type) -> Vec<Value> {
        let mut all = match &of.base {
            Base::Anything => return Vec::new(),
            Base::Text | Base::Time | Base::Id => vec![json!(7), json!(["x"])],
            Base::Integer => vec![json!(1.5), json!(2.0), json!("1"), json!(u64::MAX)],
            Base::Small => vec![json!(1.5), json!("1"), json!(1_i64 << 31)],
            Base::Number => vec![json!("0.5"), json!(true)],
            Base::Coarse => vec![json!("0.5"), json!(1e39)],
            Base::Truth => vec![json!("true"), json!(1)],
            Base::OneOf(_) => vec![json!("none of them"), json!("")],
            Base::Part(name) => match self.sample_of_part(name, true) {
                Value::Object(sample) => self.broken_of_part(name, &sample),
                _ => Vec::new(),
            },
            Base::Map(of) => {
                let values = self.broken_of(of).into_iter();
                values.map(|value| json!({"key": value})).collect()
            }
            Base::List(of) => {
                let values = self.broken_of(of).into_iter();
                values.map(|value| json!([value])).collect()
            }
        };
        if matches!(of.base, Base::Time | Base::Id) {
            all.push("soon".into());
        }
        if matches!(of.base, Base::Part(_) | Base::Map(_)) {
            all.push(json!([]));
        }
        if matches!(of.base, Base::List(_)) {
            all.push(json!({}));
        }
        all.extend(of.least.map(|least| json!(least - 1)));
        all.extend(of.most.map(|most| json!(most + 1)));
        if of.pattern.is_some() {
            all.push("0".repeat(63).into());
        }
        if !of.nullable {
            all.push(Value::Null);
        }
        all
    }
}

#[test]
fn the_table_has_all_payloads_and_tells_what_fits() {
    assert_eq!(TABLE.event_types().count(), 142);
    assert_eq!(TABLE.one_of_each_payload().len(), 94);
    for event_type in TABLE.event_types() {
        for whole in [true, false] {
            let sample = TABLE.sample(event_type, whole);
            assert_eq!(TABLE.fault(&sample), None, "{sample}");
        }
        for broken in TABLE.broken(event_type) {
            assert_ne!(TABLE.fault(&broken), None, "{broken}");
        }
    }
}
