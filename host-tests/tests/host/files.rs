//! `files` of a component: folders of this machine that it may read.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use crate::probe::{Probe, Setup, manifest};

/// What the component sees the folder as.
const SEEN_AS: &str = "/run/kube";

/// An application whose component `probe` sees `source`.
fn setup(source: &str) -> Setup {
    let files = format!("files = [{{ source = {source:?}, destination = \"{SEEN_AS}\" }}]");
    let component = format!("[component.probe]\n{files}\n");
    Setup::with_manifest(&manifest().replace("[component.probe]\n", &component))
}

/// The same, where it sees the folder itself.
fn direct(folder: &Path) -> Setup {
    let mut setup = setup(folder.to_str().unwrap()).lasting_instances();
    setup.options.direct_mounts = true;
    setup
}

fn read(name: &str) -> String {
    format!("/probe/files/read?path={SEEN_AS}/{name}")
}

/// Which request of its kind it is for the instance: the instance is the same as long as this goes up.
async fn count(probe: &Probe) -> String {
    probe.get("/probe/instance/count").await.ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_direct_mount_is_live() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("token"), "first").unwrap();
    let probe = direct(folder.path()).start().await;
    assert_eq!(count(&probe).await, "1");
    assert_eq!(probe.get(&read("token")).await.ok(), "first");
    fs::write(folder.path().join("token"), "second").unwrap();
    fs::write(folder.path().join("new"), "").unwrap();
    assert_eq!(probe.get(&read("token")).await.ok(), "second");
    let list = format!("/probe/files/list?path={SEEN_AS}");
    assert_eq!(probe.get(&list).await.ok(), "new,token");
    fs::remove_file(folder.path().join("token")).unwrap();
    let error = probe.get(&read("token")).await.error();
    assert!(error.contains("NotFound"), "{error}");
    assert_eq!(count(&probe).await, "2");
}

/// Puts `token` into a folder `version` of its own and, as the kubelet does, replaces the link that leads there in one step.
fn project(folder: &Path, version: &str, token: &str) {
    fs::create_dir(folder.join(version)).unwrap();
    fs::write(folder.join(version).join("token"), token).unwrap();
    symlink(version, folder.join("..data_tmp")).unwrap();
    fs::rename(folder.join("..data_tmp"), folder.join("..data")).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_instance_sees_what_the_kubelet_swaps() {
    let folder = tempfile::tempdir().unwrap();
    project(folder.path(), "..first", "first");
    symlink("..data/token", folder.path().join("token")).unwrap();
    let probe = direct(folder.path()).start().await;
    assert_eq!(count(&probe).await, "1");
    assert_eq!(probe.get(&read("token")).await.ok(), "first");
    project(folder.path(), "..second", "second");
    assert_eq!(probe.get(&read("token")).await.ok(), "second");
    fs::remove_dir_all(folder.path().join("..first")).unwrap();
    assert_eq!(probe.get(&read("token")).await.ok(), "second");
    assert_eq!(count(&probe).await, "2");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_leads_out_of_a_direct_mount() {
    let outside = tempfile::tempdir().unwrap();
    let (secret, folder) = (outside.path().join("secret"), outside.path().join("folder"));
    fs::write(&secret, "secret").unwrap();
    fs::create_dir(&folder).unwrap();
    symlink(&secret, folder.join("absolute")).unwrap();
    symlink("../secret", folder.join("relative")).unwrap();
    symlink("..", folder.join("above")).unwrap();
    let probe = direct(&folder).start().await;
    for name in ["absolute", "relative", "above/secret", "../secret"] {
        let error = probe.get(&read(name)).await.error();
        assert!(error.contains("PermissionDenied"), "{name}: {error}");
    }
    let path = format!("/probe/files/read?path={}", secret.display());
    let error = probe.get(&path).await.error();
    assert!(error.contains("NotFound"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_there_to_be_read_only() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("token"), "kept").unwrap();
    for directly in [true, false] {
        let probe = if directly {
            direct(folder.path()).start().await
        } else {
            let setup = setup("folder");
            fs::create_dir(setup.folder.path().join("folder")).unwrap();
            fs::write(setup.folder.path().join("folder/token"), "kept").unwrap();
            setup.start().await
        };
        for operation in ["write", "remove"] {
            let path = format!("/probe/files/{operation}?path={SEEN_AS}/token");
            let error = probe.post(&path, "changed").await.error();
            assert!(error.contains("PermissionDenied"), "{operation}: {error}");
        }
        let path = format!("/probe/files/write?path={SEEN_AS}/new");
        let error = probe.post(&path, "new").await.error();
        assert!(error.contains("PermissionDenied"), "{error}");
        assert_eq!(probe.get(&read("token")).await.ok(), "kept");
    }
    assert!(!folder.path().join("new").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_without_files_sees_none() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("token"), "hidden").unwrap();
    let probe = direct(folder.path()).start().await;
    assert_eq!(probe.get(&read("token")).await.ok(), "hidden");
    for path in ["/", ".", SEEN_AS] {
        let path = format!("/refused/files/list?path={path}");
        probe.get(&path).await.error();
    }
    let path = read("token").replace("/probe/", "/refused/");
    let error = probe.get(&path).await.error();
    assert!(!error.contains("hidden"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_direct_mounts_a_copy_is_made_at_the_start() {
    let setup = setup("folder");
    let folder = setup.folder.path().join("folder");
    fs::create_dir_all(folder.join("deep/er")).unwrap();
    fs::create_dir(folder.join("empty")).unwrap();
    fs::write(folder.join("deep/er/file"), "deep").unwrap();
    project(&folder, "..first", "first");
    symlink("..data/token", folder.join("token")).unwrap();
    symlink("nowhere", folder.join("dangling")).unwrap();
    let probe = setup.start().await;
    assert_eq!(probe.get(&read("token")).await.ok(), "first");
    assert_eq!(probe.get(&read("deep/er/file")).await.ok(), "deep");
    let list = format!("/probe/files/list?path={SEEN_AS}");
    assert_eq!(probe.get(&list).await.ok(), "..data,..first,deep,token");
    project(&folder, "..second", "second");
    fs::write(folder.join("deep/er/file"), "changed").unwrap();
    assert_eq!(probe.get(&read("token")).await.ok(), "first");
    assert_eq!(probe.get(&read("deep/er/file")).await.ok(), "deep");
    let refused = list.replace("/probe/", "/refused/");
    probe.get(&refused).await.error();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_is_not_there_is_named() {
    let error = setup("absent-folder").failure().await;
    assert!(error.contains("absent-folder"), "{error}");
    let error = direct(Path::new("/absent-folder")).failure().await;
    assert!(error.contains("/absent-folder"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_is_only_made_of_what_is_in_the_folder_of_the_manifest() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("token"), "elsewhere").unwrap();
    let error = setup(folder.path().to_str().unwrap()).failure().await;
    assert!(error.contains("outside"), "{error}");
}

/// Spin starts, looks for the folder in the one that it was started in, and answers every request with 500.
#[tokio::test(flavor = "multi_thread")]
async fn the_native_host_says_where_a_relative_direct_mount_is_looked_for() {
    let mut setup = setup("only-beside-the-manifest");
    setup.options.direct_mounts = true;
    fs::create_dir(setup.folder.path().join("only-beside-the-manifest")).unwrap();
    let error = setup.native_failure().await;
    assert!(error.contains("absolute path"), "{error}");
}

/// Spin copies single files, and takes any destination.
#[tokio::test(flavor = "multi_thread")]
async fn the_native_host_takes_folders_and_absolute_destinations_only() {
    let single = setup("spin.toml").native_failure().await;
    assert!(single.contains("\"spin.toml\""), "{single}");
    for destination in ["run/kube", "/run/../kube"] {
        let changed = fs::read_to_string(setup(".").options.manifest).unwrap();
        let changed = changed.replace(SEEN_AS, destination);
        let error = Setup::with_manifest(&changed).native_failure().await;
        assert!(error.contains(destination), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_flag_of_the_program_mounts_directly() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("token"), "first").unwrap();
    let probe = direct(folder.path()).start_process(&[]);
    assert_eq!(probe.get(&read("token")).await.ok(), "first");
    fs::write(folder.path().join("token"), "second").unwrap();
    assert_eq!(probe.get(&read("token")).await.ok(), "second");
}
