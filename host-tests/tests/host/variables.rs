//! Variables, templates, and who overrides them.

use crate::probe::{Setup, manifest};

#[tokio::test(flavor = "multi_thread")]
async fn defaults_fill_the_templates() {
    let probe = Setup::new().start().await;
    let greeting = probe.get("/probe/variables?name=greeting").await.ok();
    assert_eq!(greeting, "hello, hello!");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_given_value_wins() {
    let probe = Setup::new().variable("greeting", &"moin").start().await;
    let greeting = probe.get("/probe/variables?name=greeting").await.ok();
    assert_eq!(greeting, "moin, moin!");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_components_own_variables_are_there() {
    let probe = Setup::new().start().await;
    let cases = [
        // An application variable that the component does not take over.
        (
            "db_port",
            "Error::Undefined(\"no variable for \\\"probe\\\".\\\"db_port\\\"\")",
        ),
        ("Greeting", "Error::InvalidName("),
        ("", "Error::InvalidName("),
    ];
    for (name, expected) in cases {
        let error = probe
            .get(&format!("/probe/variables?name={name}"))
            .await
            .error();
        assert!(error.starts_with(expected), "{name}: {error}");
    }
    let error = probe.get("/refused/variables?name=greeting").await.error();
    assert!(error.starts_with("Error::Undefined("), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_required_variable_without_a_value_stops_the_start() {
    let required = manifest().replace(
        "greeting = { default = \"hello\" }",
        "greeting = { required = true }",
    );
    let error = Setup::with_manifest(&required).failure().await;
    assert!(error.contains("greeting"), "{error}");
    let probe = Setup::with_manifest(&required)
        .variable("greeting", &"given")
        .start()
        .await;
    let greeting = probe.get("/probe/variables?name=greeting").await.ok();
    assert_eq!(greeting, "given, given!");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_native_host_says_how_a_variable_is_given() {
    let required = manifest().replace(
        "greeting = { default = \"hello\" }",
        "greeting = { required = true }",
    );
    let error = Setup::with_manifest(&required).native_failure().await;
    assert!(error.contains("\"greeting\" has no value"), "{error}");
    assert!(error.contains("SPIN_VARIABLE_GREETING"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_environment_is_the_manifests_alone() {
    let probe = Setup::new().start().await;
    assert_eq!(probe.get("/probe/environment").await.ok(), "PROBE=set");
    assert_eq!(probe.get("/refused/environment").await.ok(), "");
}
