//! The components' tables of routes, read from their sources: what the service answers to, and whom.

use std::fs;
use std::path::Path;

/// The kinds of records, which `{kind}` stands for.
pub const KINDS: [&str; 4] = ["remediation", "aianalysis", "workflow", "execution"];

/// Where the paths of the log of events begin.
const LOG: [&str; 6] = [
    "api/v1/audit/events",
    "api/v1/audit/verify-chain",
    "api/v1/audit/legal-hold",
    "api/v1/audit/export",
    "api/v1/remediation-history",
    "api/v1/effectiveness",
];

/// Whether a path is one of the log of events. The host's routes do not count slashes at the front.
pub fn is_of_the_log(path: &str) -> bool {
    let path = path.split('?').next().unwrap_or_default();
    let path = path.trim_start_matches('/');
    LOG.iter().any(|beginning| {
        let rest = path.strip_prefix(beginning);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })
}

/// A row of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Whose table it is in, for example `write`.
    pub component: String,
    /// In capitals. `GET` answers `HEAD` too.
    pub method: String,
    /// For example `/api/v1/store/{kind}/{id}`.
    pub pattern: String,
    /// Whom the route is for.
    pub access: Access,
}

/// Whom a route is for, as `edge::Access` says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Everybody.
    Open,
    /// Everybody, or who may read: the variable `metrics_auth` says which.
    Metrics,
    /// Who may read.
    Read,
    /// Who may write records of the path's `{kind}`.
    WriteKind,
    /// Who may write events.
    WriteEvents,
    /// Who may place and release holds.
    Hold,
    /// Who may hide records.
    Admin,
    /// Other components of the application.
    Private,
}

impl Access {
    /// The one of this name.
    fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "Open" => Self::Open,
            "Metrics" => Self::Metrics,
            "Read" => Self::Read,
            "WriteKind" => Self::WriteKind,
            "WriteEvents" => Self::WriteEvents,
            "Hold" => Self::Hold,
            "Admin" => Self::Admin,
            "Private" => Self::Private,
            _ => return None,
        })
    }
}

/// All rows: the tables in the order of the components' names, the rows as they stand there.
///
/// # Panics
/// If a component has no table, or a row is written in a way that is not known here.
pub fn rows() -> Vec<Row> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let components = here.parent().expect("a workspace").join("components");
    let entries = fs::read_dir(&components).expect("the components");
    let mut names: Vec<_> = entries
        .map(|entry| entry.expect("a component").file_name())
        .map(|name| name.into_string().expect("a name in UTF-8"))
        .collect();
    names.sort();
    let mut rows = Vec::new();
    for name in names {
        let file = components.join(&name).join("src/lib.rs");
        let read = fs::read_to_string(&file).map_err(|error| error.to_string());
        let table = read.and_then(|source| table(&name, &source));
        rows.extend(table.unwrap_or_else(|fault| panic!("{}: {fault}", file.display())));
    }
    rows
}

/// The rows of the table in a component's source, or why they cannot be read.
pub fn table(component: &str, source: &str) -> Result<Vec<Row>, String> {
    let file = syn::parse_file(source).map_err(|error| error.to_string())?;
    let table = file.items.iter().find_map(array);
    let table = table.ok_or("there is no `static ROUTES: &[Route<…>] = &[…]`")?;
    if table.elems.is_empty() {
        return Err("the table ROUTES is empty".to_owned());
    }
    let rows = table.elems.iter().enumerate();
    rows.map(|(index, expression)| {
        let row = row(component, expression);
        row.ok_or_else(|| {
            format!(
                "row {} of ROUTES is neither `Route::get(\"…\", Access::…, …)` nor \
                 `Route {{ method: Method::…, pattern: \"…\", access: Access::…, … }}`",
                index + 1
            )
        })
    })
    .collect()
}

fn array(item: &syn::Item) -> Option<&syn::ExprArray> {
    let syn::Item::Static(table) = item else {
        return None;
    };
    match &*table.expr {
        syn::Expr::Reference(reference) if table.ident == "ROUTES" => match &*reference.expr {
            syn::Expr::Array(array) => Some(array),
            _ => None,
        },
        _ => None,
    }
}

fn row(component: &str, expression: &syn::Expr) -> Option<Row> {
    let (method, pattern, access) = match expression {
        syn::Expr::Call(call) if path(&call.func)? == ["Route", "get"] => {
            let arguments: Vec<_> = call.args.iter().collect();
            let [pattern, access, _]: [_; 3] = arguments.try_into().ok()?;
            ("GET".to_owned(), pattern, access)
        }
        syn::Expr::Struct(row) if row.path.is_ident("Route") => {
            let member = |name: &str| {
                let mut members = row.fields.iter();
                let found = members.find(
                    |member| matches!(&member.member, syn::Member::Named(found) if found == name),
                )?;
                Some(&found.expr)
            };
            let [of, method]: [_; 2] = path(member("method")?)?.try_into().ok()?;
            if of != "Method" {
                return None;
            }
            (method, member("pattern")?, member("access")?)
        }
        _ => return None,
    };
    let [of, access]: [_; 2] = path(access)?.try_into().ok()?;
    Some(Row {
        component: component.to_owned(),
        method,
        pattern: text(pattern)?,
        access: Access::parse(&access).filter(|_| of == "Access")?,
    })
}

/// The names of a path such as `Access::Read`.
fn path(expression: &syn::Expr) -> Option<Vec<String>> {
    let syn::Expr::Path(path) = expression else {
        return None;
    };
    let segments = path.path.segments.iter();
    Some(segments.map(|segment| segment.ident.to_string()).collect())
}

/// The value of a literal.
fn text(expression: &syn::Expr) -> Option<String> {
    match expression {
        syn::Expr::Lit(syn::ExprLit {
            lit: syn::Lit::Str(text),
            ..
        }) => Some(text.value()),
        _ => None,
    }
}
