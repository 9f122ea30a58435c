//! What holds for any text.

use std::borrow::Cow;

use audit::redact;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::json;

use crate::payloads::payload;

/// What is stored of a free text.
fn clean(text: &str) -> String {
    let payload = payload("store_execution");
    // A member that no table knows: an empty `message` would be none.
    let members = json!({"note": text});
    let record = payload.read(payload.with(&members)).expect("a record");
    record.document["note"].as_str().expect("text").to_owned()
}

/// Pieces that the rules look at, to be put together in any order.
const PIECES: &[&str] = &[
    "<",
    ">",
    "/",
    "!",
    "b",
    "script",
    "<script",
    "</script>",
    "<b>",
    "</",
    "iframe",
    "<none>",
    "=",
    ":",
    " ",
    "\n",
    "\t",
    "\"",
    "'",
    "\\",
    "\\\"",
    "`",
    ",",
    ";",
    "&",
    ".",
    "-",
    "--",
    "_",
    "@",
    "://",
    "{",
    "}",
    "[",
    "]",
    "(",
    ")",
    "|",
    "#",
    "*",
    "on",
    "onclick",
    " onclick",
    "onload=",
    "java",
    "javascript",
    "javascript:",
    "&#58;",
    "&#x6a;",
    "&colon;",
    "&Tab;",
    "x",
    "1",
    "ü",
    "🎉",
    "password",
    "password=",
    "password: ",
    "token",
    "token=",
    "secret: ",
    "name: ",
    "value: ",
    "name",
    "data",
    "data:",
    "kind: Secret",
    "\"kind\":\"Secret\"",
    "api key: ",
    "authorization: ",
    "Bearer ",
    "Basic ",
    "--password ",
    "sig=",
    "ghp_1234567890abcdefghij",
    "sk-abcdefghijklmnopqrst",
    "AKIAIOSFODNN7EXAMPLE",
    "glpat-abcdefghij12345678",
    "eyJhbGci.eyJzdWIi.abc",
    "eyJ",
    "-----BEGIN ",
    "-----BEGIN PRIVATE KEY-----",
    "-----END PRIVATE KEY-----",
    "-----END ",
    "CERTIFICATE",
    "postgres://u:p@h",
    "u:p@tcp(",
    "***REDACTED***",
    "***",
    "true",
    "/etc/x",
    "abcdef123456",
];

fn pieces() -> impl Strategy<Value = String> {
    prop::collection::vec(select(PIECES), 0..24).prop_map(|pieces| pieces.concat())
}

/// A secret, as its rule describes it, and whether it stands by itself.
fn secret() -> impl Strategy<Value = String> {
    prop_oneof![
        "gh[pousr]_[A-Za-z0-9]{36}",
        "github_pat_[A-Za-z0-9_]{82}",
        "glpat-[A-Za-z0-9_-]{20}",
        "xox[baprs]-[0-9]{12}-[A-Za-z0-9]{24}",
        "A(KIA|SIA)[A-Z2-7]{16}",
        "AIza[A-Za-z0-9_-]{35}",
        "sk-[A-Za-z0-9]{48}",
        "sk-proj-[A-Za-z0-9_-]{48}",
        "eyJ[A-Za-z0-9_-]{20,40}\\.eyJ[A-Za-z0-9_-]{20,40}\\.[A-Za-z0-9_-]{43}",
        "-----BEGIN (RSA |EC |OPENSSH )?PRIVATE KEY-----\n([A-Za-z0-9+/]{64}\n){1,3}-----END PRIVATE KEY-----",
    ]
}

/// A secret that its name tells: what is before it, the secret, and what is behind it.
fn named() -> impl Strategy<Value = (String, String, String)> {
    let name = select(
        &[
            "password",
            "DB_PASSWORD",
            "api_key",
            "apiKey",
            "client_secret",
            "token",
            "access_token",
            "aws_secret_access_key",
        ][..],
    );
    let around = select(
        &[
            ("", "=", ""),
            ("", " = ", ""),
            ("", "=\"", "\""),
            ("", "='", "'"),
            ("\"", "\": \"", "\""),
            ("\"", "\":\"", "\""),
            ("\\\"", "\\\":\\\"", "\\\""),
            ("--", "=", ""),
            ("?", "=", "&x=1"),
            ("", " => '", "'"),
        ][..],
    );
    (name, around, "[A-Z][A-Za-z0-9+/!$%^*]{7,30}[0-9]")
        .prop_map(|(name, (a, b, c), value)| (format!("{a}{name}{b}"), value, c.to_owned()))
}

/// Words between spaces and signs that no rule looks at.
fn safe() -> impl Strategy<Value = String> {
    "([a-z]{1,8}[ ,.?()\n]|ü |記録 |[0-9]{1,3} ){0,6}"
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_text_is_taken_and_twice_is_once(text in any::<String>()) {
        let once = redact(&text);
        prop_assert_eq!(redact(&once), once.as_ref());
    }

    #[test]
    fn redacting_twice_is_once(text in pieces()) {
        let once = redact(&text);
        prop_assert_eq!(redact(&once), once.as_ref());
    }

    #[test]
    fn cleaning_twice_is_once(text in pieces()) {
        let once = clean(&text);
        prop_assert_eq!(clean(&once), once);
    }

    #[test]
    fn no_script_is_left(text in pieces()) {
        let text = clean(&text).to_lowercase();
        prop_assert!(!text.contains("<script>") && !text.contains("<iframe>"), "{}", text);
    }

    #[test]
    fn a_secret_is_replaced_and_nothing_else(before in safe(), secret in secret(), after in safe()) {
        let (before, after) = (format!("{before} "), format!(" {after}"));
        let text = format!("{before}{secret}{after}");
        prop_assert_eq!(redact(&text), format!("{before}***REDACTED***{after}"));
    }

    #[test]
    fn a_named_secret_is_replaced_and_nothing_else(
        before in safe(), (name, secret, quote) in named(), after in safe()
    ) {
        let text = format!("{before}({name}{secret}{quote}) {after}");
        let expected = format!("{before}({name}***REDACTED***{quote}) {after}");
        prop_assert_eq!(redact(&text), expected);
    }

    #[test]
    fn text_without_triggers_is_borrowed(text in "[ .,;?!()a-f]{0,200}") {
        prop_assert!(matches!(redact(&text), Cow::Borrowed(_)));
        prop_assert_eq!(clean(&text), text);
    }
}
