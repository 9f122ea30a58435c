//! A request as an endpoint sees it: the parts of the path typed, the rest read on demand.

use std::borrow::Cow;
use std::rc::Rc;
use std::time::Duration;

use audit::Kind;
use http::HeaderMap;
use instance::Trace;
use runtime::Instant;
use serde_json::Value;
use spin_sdk::http::Request;

use crate::body;
use crate::counted::Records;
use crate::identity::Identity;
use crate::problem::{Error, Result};
use crate::query_parameters::QueryParameters;
use crate::route::Segments;
use crate::slug::Slug;

/// What is known of a request beside what it says.
pub(crate) struct Known {
    /// Who sent it; nothing if access control is off.
    pub(crate) caller: Option<Rc<Identity>>,
    /// How many records it writes.
    pub(crate) records: Records,
    /// Until when it waits, if it must not be lost.
    pub(crate) patient_until: Instant,
}

/// One request on its way through an endpoint.
#[allow(
    missing_debug_implementations,
    reason = "a body on its way has nothing to show"
)]
pub struct Call<C> {
    /// What this instance runs with.
    pub config: Rc<C>,
    caller: Option<Rc<Identity>>,
    request: Request,
    segments: Segments,
    records: Records,
    patient_until: Instant,
}

impl<C> Call<C> {
    pub(crate) fn new(config: Rc<C>, request: Request, segments: Segments, known: Known) -> Self {
        Self {
            config,
            caller: known.caller,
            request,
            segments,
            records: known.records,
            patient_until: known.patient_until,
        }
    }

    /// How long a request that must not be lost still waits for a database that is away, or full: three seconds in all, with what it
    /// waited for its turn. Its client waits five or ten.
    pub fn patience(&self) -> Duration {
        self.patient_until.saturating_duration_since(Instant::now())
    }

    /// For an endpoint that writes more than one record.
    pub fn records(&self) -> Records {
        self.records.clone()
    }

    /// The caller's full user name; nothing if access control is off.
    pub fn caller(&self) -> Option<&str> {
        self.caller
            .as_deref()
            .map(|caller| caller.username.as_str())
    }

    /// The trace that it belongs to.
    pub fn trace(&self) -> Option<Trace> {
        Trace::of(self.request.headers())
    }

    /// The path's `{kind}`. There is no path for a kind that does not exist.
    pub fn kind(&self) -> Result<Kind> {
        Kind::parse(self.raw_segment("kind")).ok_or(Error::UnknownPath)
    }

    /// The path's `{id}`.
    pub fn id(&self) -> Result<i64> {
        let text = self.raw_segment("id");
        let digits = text.strip_prefix('-').unwrap_or(text);
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(invalid_id("must be an integer"));
        }
        text.parse()
            .map_err(|_| invalid_id("is larger than any id; ids are below 2^53"))
    }

    /// The path's `{name}` as it would be stored, without secrets; empty if the pattern has none.
    pub fn segment(&self, name: &str) -> Cow<'_, str> {
        audit::redact(self.raw_segment(name))
    }

    /// The path's `{name}` as it was sent; empty if the pattern has none.
    pub fn raw_segment(&self, name: &str) -> &str {
        self.segments.get(name).unwrap_or_default()
    }

    /// The query string's parameters.
    pub fn parameters(&self) -> Result<QueryParameters> {
        QueryParameters::parse(self.request.uri().query().unwrap_or_default())
    }

    /// Refuses parameters where an endpoint has none.
    pub fn no_parameters(&self) -> Result<()> {
        self.parameters()?.finish()
    }

    /// A header, if it is there once and in UTF-8.
    pub fn header(&self, name: &'static str) -> Result<Option<String>> {
        text_header(self.request.headers(), name)
    }

    /// Reads the body, of at most `limit` bytes of JSON.
    pub async fn json(self, limit: usize) -> Result<Value> {
        let bytes = self.body(limit).await?;
        Ok(audit::json::parse(&bytes)?)
    }

    /// Reads the body, of at most `limit` bytes that are declared as JSON.
    pub async fn body(self, limit: usize) -> Result<Vec<u8>> {
        body::read(self.request, limit).await
    }
}

fn invalid_id(message: &str) -> Error {
    Error::Parameter {
        slug: Slug::InvalidId,
        name: "id".to_owned(),
        message: message.to_owned(),
    }
}

fn text_header(headers: &HeaderMap, name: &'static str) -> Result<Option<String>> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(Error::parameter(
            name,
            "is sent more than once; send it once",
        ));
    }
    match std::str::from_utf8(value.as_bytes()) {
        Ok(text) => Ok(Some(text.to_owned())),
        Err(_) => Err(Error::parameter(name, "is not UTF-8")),
    }
}
