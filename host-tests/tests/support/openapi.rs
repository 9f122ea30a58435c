//! Every answer that a test sees is one that `docs/openapi.yaml` describes.

pub mod description;

use std::collections::BTreeSet;
use std::sync::{LazyLock, Mutex};

use http::{Method, StatusCode};

use self::description::{Description, Path, Place, Response, slug};
use super::Answer;

/// The method that stands for all those that a path does not have.
pub const OTHER_METHOD: &str = "(other)";

/// A kind of answer to a kind of request.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Exchange {
    /// The path as it is described, with braces.
    pub path: String,
    /// In capitals, or [`OTHER_METHOD`].
    pub method: String,
    /// The answer's status.
    pub status: u16,
    /// The kind of problem, if the answer is one.
    pub slug: Option<String>,
}

static OCCURRED: Mutex<BTreeSet<Exchange>> = Mutex::new(BTreeSet::new());

/// The API's description.
pub fn description() -> &'static Description {
    static DESCRIPTION: LazyLock<Description> = LazyLock::new(Description::load);
    &DESCRIPTION
}

/// All exchanges that the description has.
pub fn documented() -> BTreeSet<Exchange> {
    let mut documented = BTreeSet::new();
    let description = description();
    for path in &description.paths {
        let mut add = |method: &str, status: u16, response: &Response| {
            let slugs = response.slugs.iter().cloned().map(Some);
            let none = response.slugs.is_empty().then_some(None);
            documented.extend(slugs.chain(none).map(|slug| Exchange {
                path: path.template.clone(),
                method: method.to_owned(),
                status,
                slug,
            }));
        };
        for (method, operation) in &path.operations {
            for (status, response) in &operation.responses {
                add(method, *status, response);
            }
        }
        add(OTHER_METHOD, 405, &description.method_not_allowed);
    }
    documented
}

/// The exchanges that this process has seen.
pub fn occurred() -> BTreeSet<Exchange> {
    OCCURRED.lock().expect("no test panics here").clone()
}

/// Panics if `answer` to the request is not described.
pub fn check(method: &Method, path: &str, answer: &Answer) {
    // The host's own answer to a flood of headers: the service never sees the request.
    if answer.status == StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE {
        return;
    }
    let faults = faults(method, path, answer);
    assert!(
        faults.is_empty(),
        "docs/openapi.yaml does not describe that {} answers {}:\n  {}\n{}",
        answer.request,
        answer.status,
        faults.join("\n  "),
        answer.text()
    );
    if method != Method::HEAD {
        record(method, path, answer);
    }
}

/// What of the answer is not described.
pub fn faults(method: &Method, path: &str, answer: &Answer) -> Vec<String> {
    let (place, method_name) = place(method, path);
    let description = description();
    let status = answer.status.as_u16();
    let refusal = || description.refusal(without_query(path), status);
    let response = match place {
        Place::Known(path) => match path.operations.get(method_name) {
            Some(operation) => operation.responses.get(&status),
            None if status == 405 => Some(&description.method_not_allowed),
            None => refusal(),
        },
        Place::OtherValue(_) | Place::Unknown if status == 404 => Some(&description.unknown_path),
        Place::OtherValue(_) | Place::Unknown => refusal(),
    };
    let Some(response) = response else {
        return vec!["the status".to_owned()];
    };
    let body = (method != Method::HEAD).then_some(&*answer.body);
    let mut faults = response.faults(&answer.headers, body);
    if let Place::Known(path) = place
        && method_name == OTHER_METHOD
    {
        faults.extend(allow_fault(path, answer));
    }
    faults
}

/// What the request's path is, and the name of its method there.
fn place<'a>(method: &'a Method, path: &str) -> (Place<'static>, &'a str) {
    let place = description().find(without_query(path));
    let name = match *method {
        Method::HEAD => "GET",
        _ => method.as_str(),
    };
    match place {
        Place::Known(path) if !path.operations.contains_key(name) => (place, OTHER_METHOD),
        _ => (place, name),
    }
}

fn without_query(path: &str) -> &str {
    path.split('?').next().unwrap_or_default()
}

/// `Allow` must name the methods that are described.
fn allow_fault(path: &Path, answer: &Answer) -> Option<String> {
    let mut allowed: Vec<_> = answer.header("allow")?.split(", ").collect();
    allowed.sort_unstable();
    (allowed != path.allow()).then(|| format!("allow should be {}", path.allow().join(", ")))
}

fn record(method: &Method, path: &str, answer: &Answer) {
    let (place, method) = place(method, path);
    let (Place::Known(path) | Place::OtherValue(path)) = place else {
        return;
    };
    let exchange = Exchange {
        path: path.template.clone(),
        method: method.to_owned(),
        status: answer.status.as_u16(),
        slug: slug(&answer.value()["type"]),
    };
    let mut occurred = OCCURRED.lock().expect("no test panics here");
    occurred.insert(exchange);
}
