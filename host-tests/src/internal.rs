//! Requests that stay within the application: to one of its components by name, which Spin calls
//! service chaining, and to the application itself.
//!
//! It follows Spin 4.1.0-pre0, commit 94a8fc8a7804: `crates/trigger-http/src/outbound_http.rs` and
//! `crates/factor-outbound-http/src/lib.rs`.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, OnceLock, Weak};

use http::uri::{Authority, Scheme, Uri};
use http::{Request, Response};
use http_body_util::BodyExt as _;
use wasmtime_wasi::TrappableError;
use wasmtime_wasi_http::handler;
use wasmtime_wasi_http::p3::bindings::http::types::ErrorCode;

use crate::application::Application;
use crate::outbound_http::HttpBody;
use crate::routes::RouteMatch;

/// What a host's name ends with whose beginning is a component.
pub(crate) const DOMAIN_SUFFIX: &str = ".spin.internal";
/// The name of the application itself, for clients that cannot leave out the host of a URI.
const OWN_NAME: &str = "self.alt";
/// The client's address of a request that comes from a component.
const CALLER: (Ipv4Addr, u16) = (Ipv4Addr::UNSPECIFIED, 0);

/// The way back into the application for what its components send. It opens when the application
/// listens.
#[derive(Default)]
pub(crate) struct Internal(OnceLock<(Weak<Application>, SocketAddr)>);

impl Internal {
    /// Opens the way to `application`, which listens on `addr`.
    pub(crate) fn open(&self, application: &Arc<Application>, addr: SocketAddr) {
        self.0.get_or_init(|| (Arc::downgrade(application), addr));
    }

    /// Gives a request to the component of this name.
    ///
    /// # Errors
    /// A component that is not there, or a host that has ended, is a trap of the caller, as it is in
    /// Spin. A component that fails is none: it answers 500.
    pub(crate) async fn call(
        &self,
        component: &str,
        request: Request<HttpBody>,
    ) -> Result<Response<HttpBody>, TrappableError<ErrorCode>> {
        let application = self
            .0
            .get()
            .and_then(|(application, _)| application.upgrade());
        let Some(application) = application else {
            return Err(TrappableError::trap(wasmtime::Error::msg("the host ends")));
        };
        let path = request.uri().path().to_owned();
        let found = RouteMatch::by_name(component, &path);
        let request = request.map(|body| body.map_err(handler::ErrorCode::P3).boxed_unsync());
        let response = application
            .dispatch(request, &found, CALLER.into())
            .await
            .map_err(|error| TrappableError::trap(wasmtime::Error::from_anyhow(error)))?;
        Ok(response.map(|body| body.map_err(code).boxed_unsync()))
    }

    /// The address of a request to the application itself: `uri` with this host as its server.
    ///
    /// # Errors
    /// The URI cannot be one of a request.
    pub(crate) fn own_address(&self, uri: &Uri) -> Result<Uri, ErrorCode> {
        let invalid = ErrorCode::HttpRequestUriInvalid;
        let Some((_, addr)) = self.0.get() else {
            return Err(invalid);
        };
        let mut parts = uri.clone().into_parts();
        parts.scheme = Some(Scheme::HTTP);
        parts.authority = addr.to_string().parse::<Authority>().ok();
        Uri::from_parts(parts).map_err(|_| invalid)
    }
}

/// The component that a host's name, with or without a port, stands for.
pub(crate) fn component(host: &str) -> Option<&str> {
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let component = name.strip_suffix(DOMAIN_SUFFIX)?;
    (!component.contains('.')).then_some(component)
}

/// Whether a request to `uri` is one to the application itself.
pub(crate) fn is_own(uri: &Uri) -> bool {
    uri.host()
        .is_none_or(|host| host.is_empty() || host == OWN_NAME)
}

/// Why a component's answer broke off, for the one that reads it.
fn code(error: wasmtime::Error) -> ErrorCode {
    error
        .downcast()
        .unwrap_or_else(|error| ErrorCode::InternalError(Some(error.to_string())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_name_before_the_domain_is_a_component() {
        let cases = [
            ("upkeep.spin.internal", Some("upkeep")),
            ("upkeep.spin.internal:80", Some("upkeep")),
            ("a.b.spin.internal", None),
            ("spin.internal", None),
            ("upkeep.spin.internal.example.com", None),
            ("upkeepspin.internal", None),
        ];
        for (host, expected) in cases {
            assert_eq!(component(host), expected, "{host}");
        }
    }

    #[test]
    fn a_request_without_a_host_is_one_to_the_application() {
        for (uri, own) in [
            ("/path", true),
            ("http://self.alt/path", true),
            ("http://self.example/path", false),
            ("http://one.spin.internal/", false),
        ] {
            assert_eq!(is_own(&uri.parse().unwrap()), own, "{uri}");
        }
    }
}
