//! The folders that images are built from: the Containerfile and exactly what it copies.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// Puts the application into `folder`, as it lies in the workspace `root`: the manifest, the components that it names, the folders that they
/// see, and the runtime config of the image.
pub(super) fn service(root: &Path, folder: &Path) -> Result<()> {
    let text = fs::read_to_string(root.join("spin.toml")).context("cannot read spin.toml")?;
    let manifest: Value = toml::from_str(&text).context("spin.toml is no TOML")?;
    begin(folder)?;
    copy(
        &root.join("deploy/image/Containerfile"),
        &folder.join("Containerfile"),
    )?;
    let app = folder.join("app");
    copy(&root.join("spin.toml"), &app.join("spin.toml"))?;
    copy(
        &root.join("deploy/image/runtime-config.toml"),
        &app.join("runtime-config.toml"),
    )?;
    let components = manifest["component"]
        .as_object()
        .context("spin.toml has no components")?;
    for (name, component) in components {
        let source = component["source"].as_str();
        let source = source.with_context(|| format!("spin.toml does not say where {name} is"))?;
        copy(&root.join(source), &app.join(source))?;
        for files in component["files"].as_array().into_iter().flatten() {
            let Some(source) = files["source"].as_str() else {
                bail!("a folder that {name} sees has no source");
            };
            // Whatever lies in it on this machine stays here: it is where tokens are mounted.
            let mounted = app.join(source);
            fs::create_dir_all(&mounted)
                .with_context(|| format!("cannot make {}", mounted.display()))?;
            copy(
                &root.join(source).join("README.md"),
                &mounted.join("README.md"),
            )?;
        }
    }
    Ok(())
}

/// Puts programs into `folder`.
pub(super) fn tools(root: &Path, programs: &[&PathBuf], folder: &Path) -> Result<()> {
    begin(folder)?;
    copy(
        &root.join("deploy/image/Containerfile.tools"),
        &folder.join("Containerfile"),
    )?;
    for program in programs {
        let name = program.file_name().context("a program has no name")?;
        copy(program, &folder.join("bin").join(name))?;
    }
    Ok(())
}

/// Makes a folder anew.
fn begin(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("cannot empty {}", folder.display()))?;
    }
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))
}

/// Copies a file, and makes the folders above it. Everybody may read it: in the image it is root's, and the service is not.
fn copy(from: &Path, to: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let copy = || -> std::io::Result<()> {
        if let Some(folder) = to.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::copy(from, to)?;
        let mode = fs::metadata(to)?.permissions().mode();
        let execute = if mode & 0o100 == 0 { 0 } else { 0o111 };
        fs::set_permissions(to, fs::Permissions::from_mode(0o644 | execute))
    };
    copy().with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A workspace with one component that sees a folder in which there is a token.
    fn workspace() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in [
            (
                "spin.toml",
                "[component.write]\nsource = \"built/write.wasm\"\nfiles = [{ source = \"credentials\", destination = \"/run/kube\" }]\n",
            ),
            ("built/write.wasm", "wasm"),
            ("credentials/README.md", "empty"),
            ("credentials/token", "secret"),
            ("deploy/image/Containerfile", "FROM service"),
            ("deploy/image/Containerfile.tools", "FROM tools"),
            ("deploy/image/runtime-config.toml", "state_dir = \"\""),
        ] {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }

    fn files(folder: &Path) -> Vec<String> {
        let mut files = Vec::new();
        let mut folders = vec![folder.to_owned()];
        while let Some(next) = folders.pop() {
            for entry in fs::read_dir(next).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    files.push(
                        path.strip_prefix(folder)
                            .unwrap()
                            .to_str()
                            .unwrap()
                            .to_owned(),
                    );
                }
            }
        }
        files.sort();
        files
    }

    #[test]
    fn the_context_has_what_the_manifest_names_and_no_token() {
        let root = workspace();
        let folder = root.path().join("target/image/service");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("old"), "").unwrap();
        service(root.path(), &folder).unwrap();
        let expected = [
            "Containerfile",
            "app/built/write.wasm",
            "app/credentials/README.md",
            "app/runtime-config.toml",
            "app/spin.toml",
        ];
        assert_eq!(files(&folder), expected);
    }

    #[test]
    fn a_component_that_is_not_built_is_named() {
        let root = workspace();
        fs::remove_file(root.path().join("built/write.wasm")).unwrap();
        let error = service(root.path(), &root.path().join("context")).unwrap_err();
        assert!(error.to_string().contains("built/write.wasm"), "{error}");
    }

    #[test]
    fn programs_may_be_run_by_everybody() {
        use std::os::unix::fs::PermissionsExt;
        let root = workspace();
        let program = root.path().join("migrate");
        fs::write(&program, "").unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o700)).unwrap();
        let folder = root.path().join("context");
        tools(root.path(), &[&program], &folder).unwrap();
        assert_eq!(files(&folder), ["Containerfile", "bin/migrate"]);
        let mode = fs::metadata(folder.join("bin/migrate"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o755);
    }
}
