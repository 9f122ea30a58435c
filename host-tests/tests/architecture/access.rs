//! `docs/access.md` says what the tables of routes and of accounts say, and the tables are sound.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use crate::modules::parse;
use crate::routes::{Access, Row, rows, table};
use crate::workspace;

/// With this in the environment the page is written.
const UPDATE: &str = "UPDATE_ACCESS";

fn page() -> PathBuf {
    workspace().join("docs/access.md")
}

#[test]
fn the_page_says_who_may_what() {
    let text = fs::read_to_string(page()).expect("docs/access.md");
    let mut expected = between(&text, "routes", &matrix());
    expected = between(&expected, "accounts", &accounts());
    if std::env::var(UPDATE).is_ok_and(|value| value == "1") {
        fs::write(page(), expected).expect("a page that can be written");
        return;
    }
    assert!(
        text == expected,
        "docs/access.md is not what the sources say. Run\n  \
         {UPDATE}=1 cargo test -p host-tests --test architecture access\n\
         or write between its markers:\n\n{}\n{}",
        matrix(),
        accounts()
    );
}

#[test]
fn each_route_is_for_whom_its_path_says() {
    for row in rows() {
        let Row {
            component, pattern, ..
        } = &row;
        let row_is = |sound: bool, rule: &str| assert!(sound, "{component}: {row:?}: {rule}");
        match row.access {
            Access::WriteKind => row_is(pattern.contains("/{kind}"), "the path has no {kind}"),
            Access::Open | Access::Metrics => {
                row_is(component == "health", "only health is open");
                row_is(!pattern.starts_with("/api/"), "the API is not open");
            }
            Access::Private => row_is(component == "upkeep", "only upkeep is private"),
            Access::WriteEvents => row_is(
                pattern.starts_with("/api/v1/audit/events"),
                "it writes no events",
            ),
            Access::Hold => row_is(
                pattern.starts_with("/api/v1/audit/legal-hold"),
                "it is about no hold",
            ),
            Access::Read | Access::Admin => {}
        }
        if component == "upkeep" {
            row_is(row.access == Access::Private, "upkeep is private");
        }
        if row.access == Access::Read {
            let asks = ["/api/v1/query/semantic", "/api/v1/audit/verify-chain"];
            let reads = row.method == "GET" || asks.contains(&pattern.as_str());
            row_is(reads, "it changes something");
        }
    }
}

#[test]
fn a_row_that_cannot_be_read_is_a_fault() {
    let read = |rows: &str| {
        let source = format!("static ROUTES: &[Route<Endpoint>] = &[{rows}];");
        table("one", &source)
    };
    let good = r#"Route::get("/a", Access::Read, Endpoint::A),
        Route { method: Method::POST, pattern: "/b", access: Access::Admin, endpoint: Endpoint::B(1) }"#;
    let rows = read(good).expect("two rows");
    let told: Vec<_> = rows
        .iter()
        .map(|row| (row.method.as_str(), row.pattern.as_str(), row.access))
        .collect();
    assert_eq!(
        told,
        [("GET", "/a", Access::Read), ("POST", "/b", Access::Admin)]
    );
    for bad in [
        "",
        r#"Route::get("/a", Access::Read)"#,
        r#"Route::get("/a", Access::Other, Endpoint::A)"#,
        r#"Route::get("/a", Other::Read, Endpoint::A)"#,
        "Route::get(PATH, Access::Read, Endpoint::A)",
        r#"Route::post("/a", Access::Read, Endpoint::A)"#,
        r#"Route { method: Method::POST, pattern: "/b", endpoint: Endpoint::B }"#,
        r#"Route { method: POST, pattern: "/b", access: Access::Admin, endpoint: Endpoint::B }"#,
        r#"read("/a")"#,
    ] {
        let found = read(bad);
        assert!(found.is_err(), "{bad}: {found:?}");
    }
    assert!(table("one", "static OTHER: &[u8] = &[1];").is_err());
}

/// `text` with `content` between the two markers of this name.
fn between(text: &str, name: &str, content: &str) -> String {
    let (begin, end) = (
        format!("<!-- {name}: begin -->\n"),
        format!("<!-- {name}: end -->"),
    );
    let (before, rest) = text.split_once(&begin).expect("the first marker");
    let (_, after) = rest.split_once(&end).expect("the second marker");
    format!("{before}{begin}\n{content}\n{end}{after}")
}

/// The routes that callers reach, as a table.
fn matrix() -> String {
    let mut rows = rows();
    rows.retain(|row| row.access != Access::Private);
    rows.sort_by(|a, b| (&a.pattern, &a.method).cmp(&(&b.pattern, &b.method)));
    let mut text = String::from("| method | path | permission |\n| --- | --- | --- |\n");
    for row in rows {
        let method = match row.method.as_str() {
            "GET" => "`GET`, `HEAD`".to_owned(),
            other => format!("`{other}`"),
        };
        let permission = match row.access {
            Access::Open | Access::Private => "none",
            Access::Metrics => "none; `read` with `metrics_auth=token`",
            Access::Read => "`read`",
            Access::WriteKind => "`write:{kind}`",
            Access::WriteEvents => "`write:events`",
            Access::Hold => "`hold`",
            Access::Admin => "`admin`",
        };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "| {method} | `{}` | {permission} |", row.pattern);
    }
    text
}

/// The accounts of the table that holds while there is no other, as a table.
fn accounts() -> String {
    let file = parse(&workspace().join("crates/edge/src/authorisation.rs"));
    let constant = file.items.iter().find_map(|item| match item {
        syn::Item::Const(constant) if constant.ident == "DEFAULT" => Some(&*constant.expr),
        _ => None,
    });
    let constant = constant.expect("authorisation.rs has a constant DEFAULT");
    let mut text = String::from("| account | permissions |\n| --- | --- |\n");
    for row in elements(constant) {
        let syn::Expr::Tuple(row) = row else {
            panic!("a row of DEFAULT is no pair of an account and its permissions");
        };
        let permissions: Vec<_> = elements(&row.elems[1])
            .map(|permission| format!("`{}`", literal(permission)))
            .collect();
        let account = literal(&row.elems[0]);
        let _ = writeln!(text, "| `{account}` | {} |", permissions.join(", "));
    }
    text
}

/// The elements of `&[…]`.
fn elements(expression: &syn::Expr) -> impl Iterator<Item = &syn::Expr> {
    let array = match expression {
        syn::Expr::Reference(reference) => match &*reference.expr {
            syn::Expr::Array(array) => Some(array),
            _ => None,
        },
        _ => None,
    };
    array.expect("a list in DEFAULT").elems.iter()
}

fn literal(expression: &syn::Expr) -> String {
    match expression {
        syn::Expr::Lit(syn::ExprLit {
            lit: syn::Lit::Str(text),
            ..
        }) => text.value(),
        _ => panic!("a name in DEFAULT is no literal"),
    }
}
