//! `docs/openapi.yaml`, read once.

use std::collections::BTreeMap;
use std::fs;

use http::HeaderMap;
use jsonschema::Validator;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use crate::support::routes::KINDS;
use crate::support::service::workspace;

/// Where the types of problem documents begin, those of the log of events last.
const PROBLEMS: [&str; 2] = [
    "https://kubernaut.io/problems/",
    "https://kubernaut.ai/problems/",
];

/// The methods of a path item that this description uses.
const METHODS: [&str; 4] = ["get", "post", "patch", "delete"];

/// The API's description.
pub struct Description {
    /// As it is written.
    pub document: Value,
    /// The more specific ones first.
    pub paths: Vec<Path>,
    /// The answer to a path that is not described.
    pub unknown_path: Response,
    /// The answer to a method that a described path does not have.
    pub method_not_allowed: Response,
    /// By status: the answers to a path or a method that does not exist, where a caller must be known.
    refusals: BTreeMap<u16, Response>,
}

/// Where a caller must be known before it hears that something does not exist: the routes of `spin.toml` but the probes'.
const GUARDED: [&str; 6] = [
    "api/v1/audit",
    "api/v1/effectiveness",
    "api/v1/incidents",
    "api/v1/query",
    "api/v1/remediation-history",
    "api/v1/store",
];

/// A path with its operations.
pub struct Path {
    /// For example `/api/v1/incidents/{id}`.
    pub template: String,
    /// By the method in capitals.
    pub operations: BTreeMap<String, Operation>,
    /// The values of path parameters that have a closed set of them.
    closed: BTreeMap<String, Vec<String>>,
}

/// One method of a path.
pub struct Operation {
    /// What it takes, if it takes anything.
    pub body: Option<RequestBody>,
    /// By status.
    pub responses: BTreeMap<u16, Response>,
}

/// What an operation takes.
pub struct RequestBody {
    /// A media type, if possible one with examples.
    pub media_type: String,
    /// Its examples.
    pub examples: Vec<Value>,
}

/// What an operation answers.
pub struct Response {
    /// Media type and schema; nothing for an answer without a body.
    content: Option<(String, Validator)>,
    headers: Vec<Header>,
    /// The types of its problem documents, without what they have in common.
    pub slugs: Vec<String>,
}

struct Header {
    name: String,
    required: bool,
    validator: Validator,
}

/// What a path of a request is.
#[derive(Clone, Copy)]
pub enum Place<'a> {
    /// Described.
    Known(&'a Path),
    /// Described, were it not for a parameter that has another value than the few allowed.
    OtherValue(&'a Path),
    /// Not described.
    Unknown,
}

impl Description {
    /// Reads the file.
    pub fn load() -> Self {
        let file = workspace().join("docs/openapi.yaml");
        let text = fs::read_to_string(&file).expect("docs/openapi.yaml");
        let document: Value = serde_saphyr::from_str(&text).expect("docs/openapi.yaml is YAML");
        let reader = Reader(&document);
        let mut paths: Vec<_> = members(&document["paths"])
            .map(|(template, item)| reader.path(template, item))
            .collect();
        paths.sort_by_key(|path| path.template.matches('{').count());
        let shared = |name: &str| reader.response(&document["components"]["responses"][name]);
        Self {
            unknown_path: shared("UnknownPath"),
            method_not_allowed: shared("MethodNotAllowed"),
            refusals: [
                (401, "Unauthorized"),
                (429, "RateLimitExceeded"),
                (503, "Unavailable"),
            ]
            .map(|(status, name)| (status, shared(name)))
            .into(),
            paths,
            document,
        }
    }

    /// What `path`, without a query string, is.
    pub fn find(&self, path: &str) -> Place<'_> {
        let mut other_value = Place::Unknown;
        for known in &self.paths {
            match known.accepts(path) {
                Some(true) => return Place::Known(known),
                Some(false) => other_value = Place::OtherValue(known),
                None => {}
            }
        }
        other_value
    }

    /// The answer of this status to who may not even hear whether `path` has the method, or exists.
    pub fn refusal(&self, path: &str, status: u16) -> Option<&Response> {
        // The host's routes do not count slashes at the front.
        let path = path.trim_start_matches('/');
        let is_guarded = GUARDED.iter().any(|guarded| {
            let rest = path.strip_prefix(guarded);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        });
        is_guarded.then(|| self.refusals.get(&status))?
    }

    /// A schema of the document as a validator.
    pub fn validator(&self, schema: &Value) -> Validator {
        Reader(&self.document).validator(schema)
    }
}

impl Path {
    /// Whether the path has this template and, if so, whether its parameters have allowed values.
    fn accepts(&self, path: &str) -> Option<bool> {
        let mut allowed = true;
        let mut segments = path.split('/');
        for expected in self.template.split('/') {
            let segment = segments.next()?;
            match parameter(expected) {
                Some(name) => {
                    let value = percent_decode_str(segment).decode_utf8().ok()?;
                    if value.is_empty() {
                        return None;
                    }
                    let values = self.closed.get(name);
                    allowed &= values.is_none_or(|values| values.iter().any(|one| *one == value));
                }
                None if segment == expected => {}
                // A parameter of the route, though each kind has a path of its own here.
                None if KINDS.contains(&expected) => {
                    let value = percent_decode_str(segment).decode_utf8().ok()?;
                    if value != expected {
                        return None;
                    }
                }
                None => return None,
            }
        }
        segments.next().is_none().then_some(allowed)
    }

    /// What `Allow` says for this path.
    pub fn allow(&self) -> Vec<&str> {
        let head = self.operations.contains_key("GET").then_some("HEAD");
        let mut methods: Vec<_> = self.operations.keys().map(String::as_str).collect();
        methods.extend(head);
        methods.sort_unstable();
        methods
    }
}

/// The name of a segment in braces.
pub fn parameter(segment: &str) -> Option<&str> {
    segment.strip_prefix('{')?.strip_suffix('}')
}

impl Response {
    /// What is wrong with an answer that should be this one. `body` is nothing for `HEAD`.
    pub fn faults(&self, headers: &HeaderMap, body: Option<&[u8]>) -> Vec<String> {
        let mut faults: Vec<_> = self
            .headers
            .iter()
            .filter_map(|header| header.fault(headers))
            .collect();
        let found = headers.get(http::header::CONTENT_TYPE);
        let found = found.map(|value| String::from_utf8_lossy(value.as_bytes()));
        let found = found.as_deref().and_then(|value| value.split(';').next());
        match &self.content {
            None => {
                faults.extend(found.map(|found| format!("has a content-type: {found}")));
                let sent = body.is_some_and(|body| !body.is_empty());
                faults.extend(sent.then(|| "has a body".to_owned()));
            }
            Some((media_type, _)) if found != Some(media_type) => {
                faults.push(format!("content-type is {found:?}, not {media_type}"));
            }
            Some((media_type, validator)) => {
                if let Some(body) = body {
                    faults.extend(body_faults(media_type, validator, body));
                }
            }
        }
        faults
    }
}

fn body_faults(media_type: &str, validator: &Validator, body: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(body);
    let value = if media_type.ends_with("json") {
        match serde_json::from_str(&text) {
            Ok(value) => value,
            Err(error) => return vec![format!("the body is not JSON: {error}")],
        }
    } else {
        Value::String(text.into_owned())
    };
    validator
        .iter_errors(&value)
        .map(|error| format!("body{}: {error}", error.instance_path()))
        .collect()
}

impl Header {
    fn fault(&self, headers: &HeaderMap) -> Option<String> {
        let name = &self.name;
        let Some(value) = headers.get(name) else {
            return self.required.then(|| format!("{name} is missing"));
        };
        let value = Value::from(String::from_utf8_lossy(value.as_bytes()));
        let error = self.validator.validate(&value).err()?;
        Some(format!("{name}: {error}"))
    }
}

/// Reads parts of a document.
struct Reader<'a>(&'a Value);

impl<'a> Reader<'a> {
    /// Follows a reference.
    fn resolve(&self, value: &'a Value) -> &'a Value {
        let Some(reference) = value["$ref"].as_str() else {
            return value;
        };
        let pointer = reference.strip_prefix('#').expect("a local reference");
        let found = self.0.pointer(pointer);
        self.resolve(found.unwrap_or_else(|| panic!("{reference} leads nowhere")))
    }

    fn path(&self, template: &str, item: &'a Value) -> Path {
        let operations = METHODS
            .iter()
            .filter_map(|method| Some((method.to_uppercase(), item.get(method)?)))
            .map(|(method, operation)| (method, self.operation(operation)))
            .collect();
        let closed = elements(&item["parameters"])
            .map(|parameter| self.resolve(parameter))
            .filter(|parameter| parameter["in"] == "path")
            .filter_map(|parameter| {
                let values = self.resolve(&parameter["schema"]).get("enum")?;
                Some((
                    text(&parameter["name"]),
                    elements(values).map(text).collect(),
                ))
            })
            .collect();
        Path {
            template: template.to_owned(),
            operations,
            closed,
        }
    }

    fn operation(&self, operation: &'a Value) -> Operation {
        let responses = members(&operation["responses"])
            .map(|(status, response)| {
                let status = status.parse().expect("a status");
                (status, self.response(response))
            })
            .collect();
        Operation {
            body: operation.get("requestBody").map(request_body),
            responses,
        }
    }

    fn response(&self, response: &'a Value) -> Response {
        let response = self.resolve(response);
        let content = members(&response["content"]).next();
        let headers = members(&response["headers"])
            .map(|(name, header)| {
                let header = self.resolve(header);
                Header {
                    name: name.clone(),
                    required: header["required"] == true,
                    validator: self.validator(&header["schema"]),
                }
            })
            .collect();
        Response {
            content: content.map(|(media_type, content)| {
                (media_type.clone(), self.validator(&content["schema"]))
            }),
            headers,
            slugs: content.map_or_else(Vec::new, |(_, content)| self.slugs(&content["schema"])),
        }
    }

    fn slugs(&self, schema: &'a Value) -> Vec<String> {
        let kind = &self.resolve(schema)["properties"]["type"];
        elements(&kind["enum"])
            .chain(kind.get("const"))
            .filter_map(slug)
            .collect()
    }

    fn validator(&self, schema: &Value) -> Validator {
        // The schema as it is, in a document where its references lead to the same places.
        let root = json!({
            "allOf": [schema],
            "components": { "schemas": self.0["components"]["schemas"] },
        });
        jsonschema::draft202012::options()
            .should_validate_formats(true)
            .build(&root)
            .unwrap_or_else(|error| panic!("not a JSON Schema: {error}: {schema}"))
    }
}

fn request_body(body: &Value) -> RequestBody {
    let mut contents = members(&body["content"]);
    let first = contents.next().expect("a media type");
    let shown = |content: &Value| content.get("examples").is_some();
    let (media_type, content) = contents
        .find(|(_, content)| shown(content))
        .unwrap_or(first);
    RequestBody {
        media_type: media_type.clone(),
        examples: members(&content["examples"])
            .map(|(_, example)| example["value"].clone())
            .collect(),
    }
}

/// The last part of a problem's type.
pub fn slug(kind: &Value) -> Option<String> {
    let kind = kind.as_str()?;
    let mut slugs = PROBLEMS.iter().filter_map(|base| kind.strip_prefix(base));
    slugs.next().map(str::to_owned)
}

/// The members of an object; none of anything else.
pub fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

/// The elements of an array; none of anything else.
pub fn elements(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}
