//! A server and a client that trusts it.

use std::sync::Arc;

use api_server::{ApiServer, Review, Token};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::{HeaderMap, Request, StatusCode};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client as HyperClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};

/// A server, and a client with a credential that it takes.
pub(crate) struct Fixture {
    pub(crate) server: ApiServer,
    pub(crate) client: Client,
    pub(crate) credential: Token,
}

/// What a client speaks.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Protocol {
    Http1,
    Http2,
}

impl Fixture {
    pub(crate) async fn start() -> Self {
        let server = ApiServer::start().await.expect("a server");
        let client = Client::trusting(server.ca_pem(), &server.url());
        let credential = server.issue_credential();
        Self {
            server,
            client,
            credential,
        }
    }

    /// The same, whose client speaks this.
    pub(crate) fn speaking(self, protocol: Protocol) -> Self {
        let client = Client::speaking(protocol, self.server.ca_pem(), &self.server.url());
        Self { client, ..self }
    }

    /// The status of a review of `token`.
    pub(crate) async fn review(&self, token: &str, audiences: &[&str]) -> Value {
        let answer = self.ask_about(token, audiences).await;
        answer.expect("an answer").created()
    }

    /// What comes of a review of `token`.
    pub(crate) async fn ask_about(
        &self,
        token: &str,
        audiences: &[&str],
    ) -> Result<Answer, String> {
        let body = token_review(token, audiences);
        self.ask(Review::Token, &body).await
    }

    /// What comes of a review with this body.
    pub(crate) async fn ask(&self, review: Review, body: &Value) -> Result<Answer, String> {
        let credential = self.credential.as_str();
        self.client.post(path(review), Some(credential), body).await
    }
}

pub(crate) fn path(review: Review) -> &'static str {
    match review {
        Review::Token => "/apis/authentication.k8s.io/v1/tokenreviews",
        Review::Access => "/apis/authorization.k8s.io/v1/subjectaccessreviews",
    }
}

pub(crate) fn token_review(token: &str, audiences: &[&str]) -> Value {
    let mut spec = json!({"token": token});
    if !audiences.is_empty() {
        spec["audiences"] = json!(audiences);
    }
    json!({"kind": "TokenReview", "apiVersion": "authentication.k8s.io/v1", "spec": spec})
}

pub(crate) fn access_review(user: &str, verb: &str) -> Value {
    json!({
        "kind": "SubjectAccessReview", "apiVersion": "authorization.k8s.io/v1",
        "spec": {
            "user": user, "groups": ["g"], "uid": "u", "extra": {"k": ["v"]},
            "resourceAttributes": {
                "namespace": "kubernaut-system", "verb": verb, "group": "", "resource": "services", "name": "audit-store",
            },
        },
    })
}

pub(crate) struct Client {
    inner: HyperClient<HttpsConnector<HttpConnector>, Full<Bytes>>,
    url: String,
}

impl Client {
    /// One that trusts this authority alone, and speaks HTTP/2.
    pub(crate) fn trusting(ca_pem: &str, url: &str) -> Self {
        Self::speaking(Protocol::Http2, ca_pem, url)
    }

    fn speaking(protocol: Protocol, ca_pem: &str, url: &str) -> Self {
        let mut roots = RootCertStore::empty();
        let ca = CertificateDer::from_pem_slice(ca_pem.as_bytes()).expect("PEM");
        roots.add(ca).expect("a certificate");
        let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("protocol versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_only();
        let connector = match protocol {
            Protocol::Http1 => connector.enable_http1().build(),
            Protocol::Http2 => connector.enable_http2().build(),
        };
        Self {
            inner: HyperClient::builder(TokioExecutor::new()).build(connector),
            url: url.to_owned(),
        }
    }

    pub(crate) async fn post(
        &self,
        path: &str,
        credential: Option<&str>,
        body: &Value,
    ) -> Result<Answer, String> {
        let mut request = Request::post(path).header("content-type", "application/json");
        if let Some(credential) = credential {
            request = request.header("authorization", format!("Bearer {credential}"));
        }
        self.send(request, body.to_string()).await
    }

    /// Sends a request whose URI is a path.
    pub(crate) async fn send(
        &self,
        request: hyper::http::request::Builder,
        body: impl Into<Bytes>,
    ) -> Result<Answer, String> {
        let path = request.uri_ref().expect("a path").to_string();
        let request = request.uri(format!("{}{path}", self.url));
        let request = request.body(Full::new(body.into())).expect("a request");
        let answer = self.inner.request(request).await;
        let (head, body) = answer.map_err(|error| format!("{error:?}"))?.into_parts();
        let body = body.collect().await;
        let body = body.map_err(|error| format!("broke off: {error:?}"))?;
        Ok(Answer {
            status: head.status,
            headers: head.headers,
            body: body.to_bytes(),
        })
    }
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.headers["content-type"], "application/json");
        serde_json::from_slice(&self.body).expect("JSON")
    }

    /// The status of a review that was answered.
    pub(crate) fn created(&self) -> Value {
        assert_eq!(self.status, 201, "{:?}", self.body);
        self.json()["status"].clone()
    }

    /// Checks that it is an error of this code and reason, and returns its message.
    pub(crate) fn error(&self, code: u16, reason: &str) -> String {
        assert_eq!(self.status, code, "{:?}", self.body);
        let body = self.json();
        assert_eq!(body["kind"], "Status");
        assert_eq!(body["apiVersion"], "v1");
        assert_eq!(body["status"], "Failure");
        assert_eq!(body["reason"], reason);
        assert_eq!(body["code"], code);
        body["message"].as_str().expect("a message").to_owned()
    }
}
