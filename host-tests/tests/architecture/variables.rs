//! Every variable is documented and reaches a component.

use std::fs;

use crate::workspace;

#[test]
fn every_variable_is_documented_and_granted() {
    let manifest = fs::read_to_string(workspace().join("spin.toml")).expect("spin.toml");
    let manifest: toml::Table = manifest.parse().expect("TOML");
    let operations = fs::read_to_string(workspace().join("docs/operations.md")).expect("a page");
    let components = manifest["component"].as_table().expect("components");
    for variable in manifest["variables"].as_table().expect("variables").keys() {
        assert!(
            operations.contains(&format!("`{variable}`")),
            "{variable} is not documented"
        );
        let granted = components.values().any(|component| {
            component
                .get("variables")
                .is_some_and(|variables| variables.get(variable).is_some())
        });
        assert!(granted, "{variable} reaches no component");
    }
}
