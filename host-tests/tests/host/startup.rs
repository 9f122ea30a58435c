//! What stops a server from starting, and that several run side by side.

use crate::probe::{Setup, manifest};

/// An application of one component, in the WebAssembly text format.
fn component(text: &str) -> Setup {
    let manifest = "spin_manifest_version = 2\n[application]\nname = \"app\"\n\
        [[trigger.http]]\nroute = \"/...\"\ncomponent = \"odd\"\n\
        [component.odd]\nsource = \"odd.wasm\"";
    let setup = Setup::with_manifest(manifest);
    let bytes = wat::parse_str(text).unwrap();
    std::fs::write(setup.folder.path().join("odd.wasm"), bytes).unwrap();
    setup
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_is_not_offered_is_named() {
    let import = "(component (import \"example:absent/absent@3.0.0\" (instance \
        (export \"get\" (func (param \"key\" string))))))";
    let error = component(import).failure().await;
    assert!(error.contains("example:absent/absent@3.0.0"), "{error}");
}

/// Spin offers much that the audit store has no use for.
#[tokio::test(flavor = "multi_thread")]
async fn the_native_host_names_an_import_that_it_lacks_and_the_component() {
    let import = "(component (import \"spin:redis/redis@3.0.0\" (instance \
        (export \"get\" (func (param \"key\" string))))))";
    let error = component(import).native_failure().await;
    assert!(error.contains("spin:redis/redis@3.0.0"), "{error}");
    assert!(error.contains("\"odd\""), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_without_a_handler_is_an_error() {
    let error = component("(component)").failure().await;
    assert!(error.contains("wasi:http/handler@0.3"), "{error}");
}

/// Spin makes a component of it.
#[tokio::test(flavor = "multi_thread")]
async fn the_native_host_refuses_a_core_module() {
    let error = component("(module)").native_failure().await;
    assert!(error.contains("not a WebAssembly component"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_component_is_named() {
    let missing = manifest().replace("probe.wasm", "absent.wasm");
    let error = Setup::with_manifest(&missing).failure().await;
    assert!(error.contains("absent.wasm"), "{error}");
}

/// Spin takes no notice of it.
#[tokio::test(flavor = "multi_thread")]
async fn the_native_host_refuses_a_variable_that_is_not_declared() {
    let setup = Setup::new().variable("greting", &"typo");
    let error = setup.native_failure().await;
    assert!(error.contains("\"greting\""), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_in_use_is_an_error() {
    let first = Setup::new().start().await;
    let mut second = Setup::new();
    second.options.listen.set_port(first.port());
    let error = second.failure().await;
    let address = format!("127.0.0.1:{}", first.port());
    assert!(error.contains(&address), "{error}");
}

#[tokio::test]
async fn the_native_host_refuses_a_runtime_with_one_thread() {
    let error = Setup::new().native_failure().await;
    assert!(error.contains("multi-threaded"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_run_side_by_side() {
    let one = Setup::new().variable("greeting", &"one").start().await;
    let two = Setup::new().variable("greeting", &"two").start().await;
    let greeting = "/probe/variables?name=greeting";
    assert_eq!(one.get(greeting).await.ok(), "one, one!");
    assert_eq!(two.get(greeting).await.ok(), "two, two!");
    one.stop().await;
    assert_eq!(two.get(greeting).await.ok(), "two, two!");
}
