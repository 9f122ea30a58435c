//! The edge: from a request to a typed call, and from its outcome to an answer. Routes, parameters, problem
//! documents, the line in the log.
//!
//! A component is a table of [`Route`]s and a function that turns an endpoint's [`Call`] into a [`Reply`];
//! [`serve`] does the rest. The edge knows neither PostgreSQL nor vectors.
//!
//! Modules from the bottom up: `permission`, `request_id`, `reply`, `slug`, `problem`, `body`, `query_parameters`, `filter`, `route`,
//! `bearer`, `identity`, `credential`, `kube`, `reviews`, `authentication`, `authorisation`, `rate_limit`, `access_control`,
//! `configuration`, `counted`, `call`, `response`, `upkeep`, `serve`. None uses one above it; `host-tests/tests/architecture` holds them to that.

mod access_control;
mod authentication;
mod authorisation;
mod bearer;
mod body;
mod call;
mod configuration;
mod counted;
mod credential;
mod filter;
mod identity;
mod kube;
mod permission;
mod problem;
mod query_parameters;
mod rate_limit;
mod reply;
mod request_id;
mod response;
mod reviews;
mod route;
mod serve;
mod slug;
mod upkeep;

pub use access_control::AccessControl;
pub use call::Call;
pub use configuration::{Configured, Loaded};
pub use counted::{Counts, Records};
pub use filter::{Cursor, Filter, Page, Total, take_limit, take_results};
pub use identity::Identity;
pub use permission::{Access, Permission};
pub use problem::{Error, Result};
pub use query_parameters::{QueryParameters, Taken};
pub use reply::Reply;
pub use response::HttpResponse;
pub use route::Route;
pub use serve::{serve, serve_open, serve_private};
pub use slug::{Problems, Slug};

/// The readers of paths and headers by themselves, for the fuzz targets: a whole request exists in a host only. Everybody
/// else calls [`serve`].
#[doc(hidden)]
pub mod readers {
    pub use crate::bearer::Token;
    pub use crate::body::is_json;
    pub use crate::request_id::RequestIds;
    pub use crate::route::{Match, Segments, find};
}
