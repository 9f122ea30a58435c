//! The route table and the headers that tell a component how its request was matched.
//!
//! It follows Spin 4.1.0-pre0, commit 94a8fc8a7804: `crates/routes/src/lib.rs` and
//! `crates/trigger-http/src/headers.rs`.

use std::net::SocketAddr;

use anyhow::{Context as _, Result, anyhow};
use http::header::{CONNECTION, HOST, HeaderMap, HeaderName, HeaderValue};
use http::uri::Uri;
use routefinder::{Captures, RouteSpec};

use crate::internal;
use crate::manifest::{HttpTrigger, Route};

/// Which component answers which path. Spin uses the same route finder: an exact route wins over a
/// pattern, a longer pattern over a shorter one.
pub(crate) struct Routes(routefinder::Router<Target>);

/// A route's component.
pub(crate) struct Target {
    pub(crate) component: String,
    /// The route as the manifest has it.
    raw: String,
    /// The same with a leading and without a trailing slash.
    clean: String,
}

/// How a request came to its component: by a route that matches its path, or by the component's name.
pub(crate) struct RouteMatch<'a> {
    pub(crate) component: &'a str,
    /// The route as the manifest has it.
    raw: &'a str,
    /// The same with a leading and without a trailing slash.
    clean: &'a str,
    /// None if no route was looked up.
    captures: Option<Captures<'a, 'a>>,
    path: &'a str,
}

impl Routes {
    /// The table of the triggers' routes; of two equal routes the later one counts, as in Spin.
    pub(crate) fn new(triggers: &[HttpTrigger]) -> Result<Self> {
        let mut patterns: Vec<(&str, &str)> = Vec::new();
        for trigger in triggers {
            let Route::Pattern(pattern) = &trigger.route else {
                continue;
            };
            match patterns.iter_mut().find(|(known, _)| known == pattern) {
                Some((_, component)) => {
                    tracing::error!(
                        "the route {pattern} of {component:?} is taken over by {:?}",
                        trigger.component
                    );
                    *component = &trigger.component;
                }
                None => patterns.push((pattern, &trigger.component)),
            }
        }
        let mut router = routefinder::Router::new();
        for (pattern, component) in patterns {
            let target = Target::new(pattern, component);
            let spec = target
                .spec()
                .map_err(|e| anyhow!("the route {pattern} of {component:?} is invalid: {e}"))?;
            router
                .add(spec, target)
                .map_err(|e| anyhow!("the route {pattern}: {e}"))?;
        }
        Ok(Self(router))
    }

    /// The best route for `path`.
    pub(crate) fn find<'a>(&'a self, path: &'a str) -> Option<RouteMatch<'a>> {
        let found = self.0.best_match(path)?;
        let target = found.handler();
        Some(RouteMatch {
            component: &target.component,
            raw: &target.raw,
            clean: &target.clean,
            captures: Some(found.captures()),
            path,
        })
    }

    /// All routes, for the start-up message.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Target> {
        self.0.iter().map(|(_, target)| target)
    }
}

impl Target {
    fn new(pattern: &str, component: &str) -> Self {
        let rooted = if pattern.starts_with('/') { "" } else { "/" };
        let clean = format!("{rooted}{}", pattern.strip_suffix('/').unwrap_or(pattern));
        Self {
            component: component.to_owned(),
            raw: pattern.to_owned(),
            clean,
        }
    }

    fn spec(&self) -> Result<RouteSpec, String> {
        match self.clean.strip_suffix("/...") {
            Some(prefix) => RouteSpec::try_from(format!("{prefix}/*")),
            None => RouteSpec::try_from(self.clean.as_str()),
        }
    }

    /// The route as Spin prints it at start.
    pub(crate) fn describe(&self) -> String {
        let clean = &self.clean;
        match clean
            .strip_suffix("/...")
            .or_else(|| clean.strip_suffix("/*"))
        {
            Some(prefix) => format!("{prefix} (wildcard)"),
            None => clean.clone(),
        }
    }
}

impl<'a> RouteMatch<'a> {
    /// A call of `component` by its name, as if its only route were `/...`.
    pub(crate) fn by_name(component: &'a str, path: &'a str) -> Self {
        Self {
            component,
            raw: "/...",
            clean: "/...",
            captures: None,
            path,
        }
    }

    /// What the trailing wildcard matched, with the path's own slashes.
    fn path_info(&self) -> String {
        let Some(captures) = &self.captures else {
            return self.path.to_owned();
        };
        let Some(wildcard) = captures.wildcard() else {
            return String::new();
        };
        match (wildcard.is_empty(), self.path.ends_with('/')) {
            (true, false) => String::new(),
            (true, true) => "/".to_owned(),
            (false, false) => format!("/{wildcard}"),
            (false, true) => format!("/{wildcard}/"),
        }
    }

    /// Adds the `spin-…` headers to a request's. As in Spin they are added, not replaced: what a
    /// client sent under such a name stays and comes first.
    ///
    /// # Errors
    /// A header that is not UTF-8, which Spin refuses too.
    pub(crate) fn add_headers(
        &self,
        headers: &mut HeaderMap,
        uri: &Uri,
        client: SocketAddr,
    ) -> Result<()> {
        for (name, value) in headers.iter() {
            std::str::from_utf8(value.as_bytes())
                .with_context(|| format!("the header {name} is not UTF-8"))?;
        }
        let host = headers
            .get(HOST)
            .map_or(Ok("localhost"), HeaderValue::to_str)?;
        let scheme = uri.scheme_str().unwrap_or("http");
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let full_url = format!("{scheme}://{host}{path}");
        let raw = self.raw;
        let fixed = [
            ("spin-path-info", self.path_info()),
            ("spin-full-url", full_url),
            ("spin-matched-route", self.clean.to_owned()),
            ("spin-base-path", "/".to_owned()),
            ("spin-raw-component-route", raw.to_owned()),
            (
                "spin-component-route",
                raw.strip_suffix("/...").unwrap_or(raw).to_owned(),
            ),
            ("spin-client-addr", client.to_string()),
        ];
        for (name, value) in fixed {
            headers.append(name, HeaderValue::try_from(value)?);
        }
        for (name, value) in self.captures.iter().flat_map(|captures| captures.iter()) {
            let name = format!(
                "spin-path-match-{}",
                name.replace('_', "-").to_ascii_lowercase()
            );
            headers.append(HeaderName::try_from(name)?, HeaderValue::try_from(value)?);
        }
        Ok(())
    }
}

/// Removes what no component may see: `Connection`, which concerns the server only, and a `Host`
/// that poses as a call from one component to another.
pub(crate) fn strip_headers(headers: &mut HeaderMap) {
    headers.remove(CONNECTION);
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    if host.and_then(internal::component).is_some() {
        headers.remove(HOST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::Manifest;

    fn routes(patterns: &[&str]) -> Routes {
        use std::fmt::Write as _;
        let mut text = String::from("spin_manifest_version = 2\n[application]\nname = \"app\"\n");
        for (index, pattern) in patterns.iter().enumerate() {
            write!(
                text,
                "[[trigger.http]]\nroute = \"{pattern}\"\ncomponent = \"c{index}\"\n"
            )
            .unwrap();
        }
        for index in 0..patterns.len() {
            write!(text, "[component.c{index}]\nsource = \"c.wasm\"\n").unwrap();
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("spin.toml");
        std::fs::write(&path, text).unwrap();
        Routes::new(Manifest::read(&path).unwrap().triggers()).unwrap()
    }

    fn component<'a>(routes: &'a Routes, path: &'a str) -> Option<&'a str> {
        routes.find(path).map(|found| found.component)
    }

    #[test]
    fn the_longest_route_wins() {
        let routes = routes(&[
            "/...",
            "/api/:kind",
            "/api/:kind/batch",
            "/api/batch",
            "/a/b/...",
        ]);
        let cases = [
            ("/", "c0"),
            ("/x/y", "c0"),
            ("/api/x", "c1"),
            ("/api/x/", "c1"),
            ("/api/x/batch", "c2"),
            ("/api/batch", "c3"),
            ("/api/x/y", "c0"),
            ("/a/b", "c4"),
            ("/a/b/", "c4"),
            ("/a/b/c/d", "c4"),
            ("/a/bc", "c0"),
        ];
        for (path, expected) in cases {
            assert_eq!(component(&routes, path), Some(expected), "{path}");
        }
    }

    #[test]
    fn an_unknown_path_has_no_route() {
        let routes = routes(&["/a", "/b/:id"]);
        for path in ["/", "/A", "/a/b", "/b", "/b/1/2"] {
            assert_eq!(component(&routes, path), None, "{path}");
        }
    }

    #[test]
    fn headers_tell_how_the_route_matched() {
        let routes = routes(&["/users/:user_id/..."]);
        let path = "/users/7/files/";
        let mut headers = HeaderMap::new();
        headers.insert(HOST, HeaderValue::from_static("example.com"));
        headers.insert("spin-path-info", HeaderValue::from_static("forged"));
        let uri = Uri::from_static("http://example.com/users/7/files/?a=1");
        let client = SocketAddr::from(([127, 0, 0, 1], 8777));
        routes
            .find(path)
            .unwrap()
            .add_headers(&mut headers, &uri, client)
            .unwrap();
        let expected = [
            ("spin-path-info", "/files/"),
            ("spin-full-url", "http://example.com/users/7/files/?a=1"),
            ("spin-matched-route", "/users/:user_id/..."),
            ("spin-base-path", "/"),
            ("spin-raw-component-route", "/users/:user_id/..."),
            ("spin-component-route", "/users/:user_id"),
            ("spin-client-addr", "127.0.0.1:8777"),
            ("spin-path-match-user-id", "7"),
        ];
        for (name, value) in expected {
            let last = headers.get_all(name).iter().next_back();
            assert_eq!(last.unwrap(), value, "{name}");
        }
        assert_eq!(headers["spin-path-info"], "forged");
    }

    #[test]
    fn forbidden_headers_are_stripped() {
        for (host, kept) in [("other.spin.internal:80", false), ("example.com", true)] {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, HeaderValue::from_static(host));
            headers.insert(CONNECTION, HeaderValue::from_static("keep-alive"));
            strip_headers(&mut headers);
            assert!(!headers.contains_key(CONNECTION));
            assert_eq!(headers.contains_key(HOST), kept, "{host}");
        }
    }
}
