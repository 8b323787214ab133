//! Debian's stock kernels: the newest package behind the metapackage, downloaded and unpacked, never
//! installed. The full flavour, not the cloud one, which has no 9p.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::{Kernel, Name, image, store, stored};
use crate::apt::{self, Apt};
use crate::{child, setup};

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
    match name {
        Name::Debian612Arm64 => "linux-image-6.12-arm64",
        Name::Debian612 => "linux-image-6.12-amd64",
        _ => "linux-image-amd64",
    }
}

/// The newest one that has been unpacked here.
pub(super) fn present(name: Name) -> Option<Kernel> {
    let folders = stored(&format!("{name}-"));
    // One name may begin with another.
    let numbered = |path: &&PathBuf| {
        let rest = super::file_name(path).split_off(name.to_string().len() + 1);
        rest.starts_with(|c: char| c.is_ascii_digit())
    };
    folders.iter().rev().filter(numbered).find_map(|folder| unpacked(name, folder).ok())
}

/// The newest one that Debian has.
pub(super) fn get(name: Name) -> Result<Kernel> {
    let meta = metapackage(name);
    let apt = Apt(name.architecture());
    apt.refresh(&[meta])?;
    let package = apt.dependency(meta).with_context(|| {
        format!("cannot get {name}: this machine's apt knows no {meta}; it needs Debian 12's sources (with -backports or -security for 6.12)")
    })?;
    let version = apt.candidate(&package).with_context(|| format!("apt knows no version of {package}"))?;
    let folder = store().join(format!("{name}-{version}"));
    if let Ok(kernel) = unpacked(name, &folder) {
        return Ok(kernel);
    }
    setup::ready(&[setup::Group::of_vm(name.architecture())])?;
    fs::create_dir_all(store()).with_context(|| format!("cannot make {}", store().display()))?;
    // All goes into a folder beside it that is renamed when it is complete.
    let partial = tempfile::tempdir_in(store()).context("cannot make a folder for the download")?;
    eprintln!("kernel: downloading {package} {version}");
    let deb = apt.download(&package, partial.path())?;
    let tree = partial.path().join("tree");
    fs::create_dir(&tree).with_context(|| format!("cannot make {}", tree.display()))?;
    apt::unpack(&deb, &tree, &LEFT_OUT.map(|folder| format!("*/kernel/{folder}")))?;
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
