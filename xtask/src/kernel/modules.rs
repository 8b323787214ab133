//! Kernel modules that a guest needs before it sees any file system: named once, ordered by
//! `modules.dep`, so that each can be loaded by a plain insmod.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// From an initramfs to the host's files and the streams to the caller: virtio over PCI, its
/// consoles, 9p, and the overlay that takes what the guest writes.
const NEEDED: [&str; 5] = ["virtio_pci", "virtio_console", "9pnet_virtio", "9p", "overlay"];

/// The files to load, in that order, relative to `folder` (`…/lib/modules/VERSION`).
pub(super) fn needed(folder: &Path) -> Result<Vec<PathBuf>> {
    let read = |name: &str| {
        let path = folder.join(name);
        std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
    };
    order(&read("modules.dep")?, &read("modules.builtin")?, &NEEDED)
        .with_context(|| format!("the modules in {} are not enough for a guest", folder.display()))
}

/// Each wanted module after all that it depends on, none twice, none that is built in.
fn order(dependencies: &str, builtin: &str, wanted: &[&str]) -> Result<Vec<PathBuf>> {
    let mut files = BTreeMap::new();
    for line in dependencies.lines() {
        let Some((file, before)) = line.split_once(':') else { continue };
        files.insert(name(file), (file, before));
    }
    let builtin: Vec<String> = builtin.lines().map(name).collect();
    let mut ordered: Vec<PathBuf> = Vec::new();
    for module in wanted {
        if builtin.iter().any(|known| known == module) {
            continue;
        }
        let Some((file, before)) = files.get(*module) else {
            bail!("there is no module {module}, and it is not built in");
        };
        // depmod lists all that a module needs, the deepest last.
        for path in before.split_whitespace().rev().chain([*file]).map(PathBuf::from) {
            if !ordered.contains(&path) {
                ordered.push(path);
            }
        }
    }
    Ok(ordered)
}

/// The module's name, as the kernel has it, of a path such as `kernel/fs/9p/9p.ko.xz`.
fn name(file: &str) -> String {
    let base = file.rsplit('/').next().unwrap_or(file);
    base.split(".ko").next().unwrap_or(base).replace('-', "_")
}

#[cfg(test)]
mod tests {
    use super::order;

    const DEPENDENCIES: &str = "\
kernel/fs/9p/9p.ko.xz: kernel/net/9p/9pnet.ko.xz kernel/fs/netfs/netfs.ko.xz
kernel/net/9p/9pnet_virtio.ko.xz: kernel/net/9p/9pnet.ko.xz
kernel/net/9p/9pnet.ko.xz:
kernel/fs/netfs/netfs.ko.xz:
kernel/drivers/char/virtio-console.ko:
";

    #[test]
    fn dependencies_come_first_and_once() {
        let files = order(
            DEPENDENCIES,
            "kernel/drivers/virtio/virtio_pci.ko\n",
            &["virtio_pci", "virtio_console", "9pnet_virtio", "9p"],
        )
        .unwrap();
        let files: Vec<_> = files.iter().map(|file| file.to_str().unwrap()).collect();
        assert_eq!(
            files,
            [
                "kernel/drivers/char/virtio-console.ko",
                "kernel/net/9p/9pnet.ko.xz",
                "kernel/net/9p/9pnet_virtio.ko.xz",
                "kernel/fs/netfs/netfs.ko.xz",
                "kernel/fs/9p/9p.ko.xz",
            ]
        );
    }

    #[test]
    fn a_module_that_is_nowhere_is_named() {
        let error = order(DEPENDENCIES, "", &["overlay"]).unwrap_err();
        assert!(error.to_string().contains("overlay"));
    }
}
