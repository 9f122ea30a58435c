//! A component's table of routes.

use audit::Kind;
use http::Method;
use percent_encoding::percent_decode_str;

use crate::permission::Access;

/// One row of the table: `pattern` is a path whose segments in braces match anything, but `{kind}`
/// only the kinds that there are.
///
/// A path belongs to the first pattern that matches it, so `…/{kind}/batch` stands before
/// `…/{kind}/{id}`. Rows of one pattern differ in the method.
#[derive(Debug)]
pub struct Route<E: 'static> {
    /// The method; `GET` answers `HEAD` too.
    pub method: Method,
    /// For example `/api/v1/query/{kind}/{id}`. Also the route's name in the log.
    pub pattern: &'static str,
    /// Whom it is for.
    pub access: Access,
    /// What the component does then.
    pub endpoint: E,
}

impl<E> Route<E> {
    /// A row for `GET`.
    pub const fn get(pattern: &'static str, access: Access, endpoint: E) -> Self {
        Self {
            method: Method::GET,
            pattern,
            access,
            endpoint,
        }
    }
}

/// What the path said in place of a pattern's braces, percent-decoded.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Segments(Vec<(&'static str, String)>);

impl Segments {
    /// What stands in place of `{name}`.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find_map(|(key, value)| (*key == name).then_some(value.as_str()))
    }
}

/// Where a request goes.
#[derive(Debug, PartialEq, Eq)]
pub enum Match<E> {
    /// A row has this path and this method.
    Endpoint {
        /// What the row says.
        endpoint: E,
        /// The row's pattern.
        pattern: &'static str,
        /// Whom the row is for.
        access: Access,
        /// What the path says in place of its braces.
        segments: Segments,
    },
    /// The path is known, the method is not: the methods that are, for `Allow`.
    OtherMethod {
        /// The pattern of its rows.
        pattern: &'static str,
        /// Their methods, as `Allow` lists them.
        allow: String,
    },
    /// No row has this path.
    Unknown,
}

impl<E> Match<E> {
    /// The pattern of the path's rows; empty if there are none.
    pub(crate) fn pattern(&self) -> &'static str {
        match self {
            Self::Endpoint { pattern, .. } | Self::OtherMethod { pattern, .. } => pattern,
            Self::Unknown => "",
        }
    }
}

/// Looks `path` up in `routes`.
pub fn find<E: Copy>(routes: &'static [Route<E>], method: &Method, path: &str) -> Match<E> {
    let Some((pattern, segments)) = routes
        .iter()
        .find_map(|route| Some((route.pattern, segments(route.pattern, path)?)))
    else {
        return Match::Unknown;
    };
    let wanted = if method == Method::HEAD {
        &Method::GET
    } else {
        method
    };
    let mut rows = routes.iter().filter(|route| route.pattern == pattern);
    match rows.clone().find(|route| route.method == *wanted) {
        Some(route) => Match::Endpoint {
            endpoint: route.endpoint,
            pattern,
            access: route.access,
            segments,
        },
        None => Match::OtherMethod {
            pattern,
            allow: allow(&mut rows),
        },
    }
}

fn allow<E: 'static>(rows: &mut dyn Iterator<Item = &'static Route<E>>) -> String {
    let mut methods = Vec::new();
    for route in rows {
        methods.push(route.method.as_str());
        if route.method == Method::GET {
            methods.push("HEAD");
        }
    }
    methods.join(", ")
}

/// The values of `pattern`'s braces, or nothing if `path` is another one. A segment that is empty or
/// not UTF-8 after decoding matches no braces.
fn segments(pattern: &'static str, path: &str) -> Option<Segments> {
    let mut values = Vec::new();
    let mut parts = path.split('/');
    for expected in pattern.split('/') {
        let part = parts.next()?;
        match expected
            .strip_prefix('{')
            .and_then(|name| name.strip_suffix('}'))
        {
            Some(name) if !part.is_empty() => {
                let value = percent_decode_str(part).decode_utf8().ok()?;
                if name == "kind" {
                    Kind::parse(&value)?;
                }
                values.push((name, value.into_owned()));
            }
            None if part == expected => {}
            _ => return None,
        }
    }
    parts.next().is_none().then_some(Segments(values))
}

#[cfg(test)]
mod tests {
    use super::*;

    static ROUTES: &[Route<u8>] = &[
        Route {
            method: Method::POST,
            pattern: "/store/{kind}/batch",
            access: Access::WriteKind,
            endpoint: 1,
        },
        Route {
            method: Method::GET,
            pattern: "/store/{kind}/{id}",
            access: Access::Read,
            endpoint: 2,
        },
        Route {
            method: Method::DELETE,
            pattern: "/store/{kind}/{id}",
            access: Access::Admin,
            endpoint: 3,
        },
    ];

    #[test]
    fn the_first_pattern_that_matches_decides() {
        assert_eq!(
            find(ROUTES, &Method::GET, "/store/workflow/batch"),
            Match::OtherMethod {
                pattern: "/store/{kind}/batch",
                allow: "POST".into()
            }
        );
        assert_eq!(
            find(ROUTES, &Method::HEAD, "/store/%77orkflow/7%2F8"),
            Match::Endpoint {
                endpoint: 2,
                pattern: "/store/{kind}/{id}",
                access: Access::Read,
                segments: Segments(vec![("kind", "workflow".into()), ("id", "7/8".into())]),
            }
        );
        assert_eq!(
            find(ROUTES, &Method::PUT, "/store/workflow/7"),
            Match::OtherMethod {
                pattern: "/store/{kind}/{id}",
                allow: "GET, HEAD, DELETE".into()
            }
        );
    }

    #[test]
    fn other_paths_are_unknown() {
        for path in [
            "",
            "/",
            "/store",
            "/store/workflow",
            "/store/workflow/",
            "/store/workflow/7/",
            "/store//7",
            "/store/workflow/%FF",
            "/store/workflows/7",
            "/store/workflows/batch",
        ] {
            assert_eq!(find(ROUTES, &Method::GET, path), Match::Unknown, "{path}");
        }
    }
}
