//! Debian's stock kernels: the newest package behind the metapackage, downloaded and unpacked, never
//! installed. The full flavour, not the cloud one, which has no 9p.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use super::{Kernel, Name, image, store, stored};
use crate::{child, packages, setup};

/// Drivers of hardware that no guest has: more than half of a kernel's package.
const LEFT_OUT: [&str; 12] = [
    "drivers/gpu",
    "drivers/hid",
    "drivers/hwmon",
    "drivers/iio",
    "drivers/infiniband",
    "drivers/media",
    "drivers/net/ethernet",
    "drivers/net/wireless",
    "drivers/scsi",
    "drivers/staging",
    "drivers/usb",
    "sound",
];

/// The metapackage that stands for the newest kernel of a series, in Debian 12.
fn metapackage(name: Name) -> &'static str {
    if name == Name::Debian612 { "linux-image-6.12-amd64" } else { "linux-image-amd64" }
}

/// The newest one that has been unpacked here.
pub(super) fn present(name: Name) -> Option<Kernel> {
    stored(&format!("{name}-")).iter().rev().find_map(|folder| unpacked(name, folder).ok())
}

/// The newest one that Debian has.
pub(super) fn get(name: Name) -> Result<Kernel> {
    let meta = metapackage(name);
    packages::refresh(&[meta])?;
    let package = dependency(meta).with_context(|| {
        format!("cannot get {name}: this machine's apt knows no {meta}; it needs Debian 12's sources (with -backports or -security for 6.12)")
    })?;
    let version =
        packages::candidate(&package).with_context(|| format!("apt knows no version of {package}"))?;
    let folder = store().join(format!("{name}-{version}"));
    if let Ok(kernel) = unpacked(name, &folder) {
        return Ok(kernel);
    }
    setup::ready(setup::Group::Vm)?;
    fs::create_dir_all(store()).with_context(|| format!("cannot make {}", store().display()))?;
    // All goes into a folder beside it that is renamed when it is complete.
    let partial = tempfile::tempdir_in(store()).context("cannot make a folder for the download")?;
    eprintln!("kernel: downloading {package} {version}");
    download(&package, partial.path())?;
    let deb = fs::read_dir(partial.path())?
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|extension| extension == "deb"))
        .with_context(|| format!("apt-get download left no package of {package}"))?;
    let tree = partial.path().join("tree");
    unpack(&deb, &tree)?;
    let release = fs::read_dir(tree.join("lib/modules"))?.flatten().next();
    let release = release.with_context(|| format!("{package} holds no modules"))?.file_name();
    // The package's own scripts would do this at installation.
    child::run(Command::new(depmod()?).arg("-b").arg(&tree).arg(&release))?;
    let release = release.to_string_lossy();
    let config = fs::read_to_string(tree.join(format!("boot/config-{release}"))).unwrap_or_default();
    if config.contains("CONFIG_PVH=y") {
        image::unpack(&tree.join(format!("boot/vmlinuz-{release}")), &tree.join("vmlinux"))?;
    }
    let renamed = fs::rename(&tree, &folder);
    // Another xtask may have been faster; its kernel is as good.
    unpacked(name, &folder).or_else(|error| {
        renamed.with_context(|| format!("cannot make {}", folder.display()))?;
        Err(error)
    })
}

/// The package that a metapackage depends on.
fn dependency(meta: &str) -> Option<String> {
    let mut command = Command::new("apt-cache");
    let said = child::output(command.args(["depends", "--important", meta]).env("LC_ALL", "C")).ok()?;
    said.lines().find_map(|line| line.trim().strip_prefix("Depends: ")).map(str::to_owned)
}

/// apt drops root's rights for a download where it can; it says so when it cannot enter the folder,
/// which is no concern of ours.
fn download(package: &str, folder: &Path) -> Result<()> {
    let mut command = Command::new("apt-get");
    command.args(["download", "-q", "-o", "APT::Sandbox::User=root", package]).current_dir(folder);
    if child::output(&mut command).is_ok() {
        return Ok(());
    }
    // The lists may be older than the mirror.
    if !packages::update()? {
        bail!("cannot download {package}");
    }
    child::output(&mut command).map(drop)
}

/// Unpacks `deb` into a new folder, but for [`LEFT_OUT`].
fn unpack(deb: &Path, tree: &Path) -> Result<()> {
    fs::create_dir(tree).with_context(|| format!("cannot make {}", tree.display()))?;
    let mut files = Command::new("dpkg").arg("--fsys-tarfile").arg(deb).stdout(Stdio::piped()).spawn()?;
    let archive = files.stdout.take().context("dpkg has no output")?;
    let mut tar = Command::new("tar");
    tar.args(["--extract", "--file=-", "--wildcards"]).arg("--directory").arg(tree).stdin(archive);
    tar.args(LEFT_OUT.map(|folder| format!("--exclude=*/kernel/{folder}")));
    let extracted = tar.status().context("cannot start tar")?;
    let read = files.wait()?;
    if !read.success() || !extracted.success() {
        bail!("cannot unpack {} (dpkg: {read}, tar: {extracted})", deb.display());
    }
    Ok(())
}

fn depmod() -> Result<PathBuf> {
    child::on_path("depmod").context("there is no depmod (Debian package kmod)")
}

/// Checks that a folder holds an image and its modules.
fn unpacked(name: Name, folder: &Path) -> Result<Kernel> {
    let modules = folder.join("lib/modules");
    let release = fs::read_dir(&modules)
        .with_context(|| format!("cannot read {}", modules.display()))?
        .flatten()
        .next()
        .with_context(|| format!("{} is empty", modules.display()))?;
    let version = release.file_name().to_string_lossy().into_owned();
    let modules = release.path();
    let plain = folder.join("vmlinux");
    let image = if plain.is_file() { plain } else { folder.join(format!("boot/vmlinuz-{version}")) };
    if !image.is_file() || !modules.join("modules.dep").is_file() {
        bail!("{} is not complete", folder.display());
    }
    Ok(Kernel { name, image, modules: Some(modules) })
}
