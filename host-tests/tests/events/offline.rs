//! An export, verified without the service: by the script that docs has for it.

use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::support::service::workspace;

const SCRIPT: &str = "docs/verify_export.py";

/// What the script says of an export, with these arguments: whether it is right, and its words.
pub(crate) fn verify(export: &str, arguments: &[&str]) -> (bool, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("export.json");
    fs::write(&file, export).expect("a file");
    let output = Command::new("python3")
        .arg(workspace().join(SCRIPT))
        .arg(&file)
        .args(arguments)
        .output()
        .expect("python3 runs");
    let words = [output.stdout, output.stderr].concat();
    let words = String::from_utf8(words).expect("UTF-8");
    // Anything else is a fault of the script's.
    assert!(!words.contains("Traceback"), "{words}");
    (output.status.success(), words)
}

/// Looks whether the script takes an export.
#[track_caller]
pub(crate) fn assert_right(export: &str, arguments: &[&str]) {
    let (right, words) = verify(export, arguments);
    assert!(right, "{words}");
}

/// Looks whether the script does not take an export, and says this of it.
#[track_caller]
pub(crate) fn assert_wrong(export: &Value, arguments: &[&str], why: &str) {
    let (right, words) = verify(&export.to_string(), arguments);
    assert!(!right, "it is taken: {words}");
    assert!(words.contains(why), "not {why}: {words}");
}

/// Numbers as RFC 8785 writes them, in its appendix B and around the borders of its forms.
const NUMBERS: [(&str, &str); 19] = [
    ("0.0", "0"),
    ("-0.0", "0"),
    ("5e-324", "5e-324"),
    ("-5e-324", "-5e-324"),
    ("1.7976931348623157e308", "1.7976931348623157e+308"),
    ("9007199254740992", "9007199254740992"),
    ("-9007199254740992", "-9007199254740992"),
    ("295147905179352825856", "295147905179352830000"),
    ("9.999999999999997e22", "9.999999999999997e+22"),
    ("1e23", "1e+23"),
    ("1.0000000000000001e23", "1.0000000000000001e+23"),
    ("999999999999999700000", "999999999999999700000"),
    ("1e21", "1e+21"),
    ("9.999999999999997e-7", "9.999999999999997e-7"),
    ("0.000001", "0.000001"),
    ("333333333.33333329", "333333333.3333333"),
    ("-0.0000033333333333333333", "-0.0000033333333333333333"),
    ("1424953923781206.2", "1424953923781206.2"),
    ("4.50", "4.5"),
];

#[test]
fn the_script_writes_json_as_the_standard_says() {
    let numbers: Vec<_> = NUMBERS.iter().map(|(text, _)| *text).collect();
    let expected: Vec<_> = NUMBERS.iter().map(|(_, canonical)| *canonical).collect();
    let names = r#"{"\u20ac": 1, "\r": "\u000f\n\"\\/", "\ufb33": null, "1": true, "\ud83d\ude00": [], "\u0080": {}}"#;
    let program = format!(
        "import json, sys; sys.path.insert(0, 'docs'); import verify_export as v\n\
         print(v.canonical(json.loads('[{}]')))\n\
         print(v.canonical(json.loads(r'''{names}''')))",
        numbers.join(",")
    );
    let output = Command::new("python3")
        .args(["-B", "-c", &program])
        .current_dir(workspace())
        .env("PYTHONIOENCODING", "utf-8")
        .output()
        .expect("python3 runs");
    let words = String::from_utf8(output.stdout).expect("UTF-8");
    let lines: Vec<_> = words.lines().collect();
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(lines.len(), 2, "{words}{error}");
    assert_eq!(lines[0], format!("[{}]", expected.join(",")));
    let sorted = "{\"\\r\":\"\\u000f\\n\\\"\\\\/\",\"1\":true,\"\u{80}\":{},\"€\":1,\"😀\":[],\"\u{fb33}\":null}";
    assert_eq!(lines[1], sorted);
}

/// The tests of RFC 8032, section 7.1, and what is nearly right.
#[test]
fn the_script_knows_a_signature() {
    const PUBLIC: &str = "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025";
    const MESSAGE: &str = "af82";
    const SIGNATURE: &str = "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a";
    let program = format!(
        "import sys; sys.path.insert(0, 'docs'); import verify_export as v\n\
         public, message, signature = map(bytes.fromhex, ('{PUBLIC}', '{MESSAGE}', '{SIGNATURE}'))\n\
         order = v.ORDER.to_bytes(32, 'little')\n\
         malleable = (int.from_bytes(signature[32:], 'little') + v.ORDER).to_bytes(32, 'little')\n\
         print(v.signed(message, signature, public), v.signed(message + b'x', signature, public),\n\
               v.signed(message, signature[::-1], public), v.signed(message, signature[:32] + malleable, public),\n\
               v.signed(message, signature, bytes(32)), v.signed(message, signature[:63], public))"
    );
    let output = Command::new("python3")
        .args(["-B", "-c", &program])
        .current_dir(workspace())
        .output()
        .expect("python3 runs");
    let words = String::from_utf8_lossy(&output.stdout);
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(
        words.trim(),
        "True False False False False False",
        "{error}"
    );
}

/// Short enough to be read by whoever relies on it.
#[test]
fn the_chain_takes_sixty_lines() {
    let text = fs::read_to_string(workspace().join(SCRIPT)).expect("the script");
    let lines: Vec<_> = text.lines().collect();
    let at = |mark: &str| {
        lines
            .iter()
            .position(|line| line.contains(mark))
            .expect("a mark")
    };
    let length = at("The chain: end") - at("The chain: begin") - 1;
    assert!(length <= 60, "{length} lines");
    let imports = lines.iter().filter(|line| line.contains("import ")).count();
    assert_eq!(imports, 6, "nothing but the standard library");
}
