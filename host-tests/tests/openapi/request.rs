//! Requests made from the description.

use http::Method;
use serde_json::Value;

use crate::support::openapi::description::Operation;
use crate::support::openapi::{Exchange, OTHER_METHOD, description};
use crate::support::payloads::fresh;
use crate::support::{Answer, Client};

/// A request on its way: what the description asks for, until something is changed.
#[derive(Clone)]
pub(crate) struct Draft {
    template: String,
    method: String,
    kind: String,
    id: String,
    correlation_id: String,
    query: String,
    media_type: String,
    idempotency_key: String,
    body: String,
}

impl Draft {
    /// A request that the operation takes. The record that it names does not exist.
    pub(crate) fn new(exchange: &Exchange) -> Self {
        let mut draft = Self {
            template: exchange.path.clone(),
            method: exchange.method.clone(),
            kind: "remediation".to_owned(),
            id: "1".to_owned(),
            correlation_id: "req-4711".to_owned(),
            query: required_query(&exchange.path).to_owned(),
            media_type: String::new(),
            idempotency_key: fresh("key"),
            body: String::new(),
        };
        if exchange.method != OTHER_METHOD {
            if let Some(body) = &draft.operation().body {
                draft.media_type.clone_from(&body.media_type);
            }
            draft.body = draft.examples().swap_remove(0);
        }
        draft
    }

    fn operation(&self) -> &'static Operation {
        operation(&self.template, &self.method)
    }

    /// The bodies that the description shows; an empty one where there is none.
    pub(crate) fn examples(&self) -> Vec<String> {
        let single = self.template.strip_suffix("/batch");
        let template = single.unwrap_or(&self.template);
        let Some(body) = &operation(template, &self.method).body else {
            return vec![String::new()];
        };
        match single {
            Some(_) => vec![Value::from(body.examples.clone()).to_string()],
            None => body.examples.iter().map(Value::to_string).collect(),
        }
    }

    /// Whether the body is an array of records.
    pub(crate) fn is_batch(&self) -> bool {
        self.template.ends_with("/batch")
    }

    /// Whether the path names a record.
    pub(crate) fn takes_id(&self) -> bool {
        self.template.contains("{id}")
    }

    /// The kind of record that the path names.
    pub(crate) fn record_kind(&self) -> &str {
        let kind = self.template.strip_prefix("/api/v1/store/");
        let kind = kind.and_then(|rest| rest.split('/').next());
        kind.unwrap_or(&self.kind)
    }

    pub(crate) fn method(mut self, method: &str) -> Self {
        method.clone_into(&mut self.method);
        self
    }

    pub(crate) fn kind(mut self, kind: &str) -> Self {
        kind.clone_into(&mut self.kind);
        self
    }

    pub(crate) fn id(mut self, id: &str) -> Self {
        id.clone_into(&mut self.id);
        self
    }

    pub(crate) fn correlation_id(mut self, id: &str) -> Self {
        id.clone_into(&mut self.correlation_id);
        self
    }

    pub(crate) fn query(mut self, query: &str) -> Self {
        query.clone_into(&mut self.query);
        self
    }

    pub(crate) fn media_type(mut self, media_type: &str) -> Self {
        media_type.clone_into(&mut self.media_type);
        self
    }

    pub(crate) fn body(mut self, body: impl Into<String>) -> Self {
        self.body = body.into();
        self
    }

    /// The same records in another namespace.
    pub(crate) fn in_namespace(mut self, namespace: &str) -> Self {
        let mut body: Value = serde_json::from_str(&self.body).expect("a body of JSON");
        let record = if body.is_array() {
            &mut body[0]
        } else {
            &mut body
        };
        record["namespace"] = namespace.into();
        self.body = body.to_string();
        self
    }

    pub(crate) async fn send(&self, client: &Client) -> Answer {
        let mut path = self
            .template
            .replace("{kind}", &self.kind)
            .replace("{id}", &self.id)
            .replace("{correlation_id}", &self.correlation_id);
        if !self.query.is_empty() {
            path = format!("{path}?{}", self.query);
        }
        let method = Method::from_bytes(self.method.as_bytes()).expect("a method");
        let mut headers = Vec::new();
        if !self.media_type.is_empty() {
            headers.push(("content-type", self.media_type.as_str()));
            headers.push(("idempotency-key", self.idempotency_key.as_str()));
        }
        client
            .send(method, &path, &headers, self.body.clone())
            .await
    }
}

/// The parameters that an operation cannot do without.
fn required_query(template: &str) -> &'static str {
    match template {
        "/api/v1/remediation-history/context" => {
            "targetKind=Deployment&targetName=checkout-api&currentSpecHash=sha256:b2b2"
        }
        _ => "",
    }
}

fn operation(template: &str, method: &str) -> &'static Operation {
    let mut paths = description().paths.iter();
    let path = paths.find(|path| path.template == template);
    &path.expect("a described path").operations[method]
}
