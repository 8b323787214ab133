//! The guest's initramfs: busybox, our two scripts, what this run asks for, and the modules that a
//! stock kernel needs before it sees a file system. Not compressed: unpacking costs an emulated
//! processor more than loading does.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::child;
use crate::kernel::Kernel;

const INIT: &str = include_str!("init.sh");
const GUEST: &str = include_str!("guest.sh");

/// What differs from run to run, as shell text.
pub(super) struct Scripts {
    /// Variables for guest.sh.
    pub(super) settings: String,
    /// Becomes the command.
    pub(super) command: String,
}

/// Writes the archive to `file`.
pub(super) fn write(file: &Path, kernel: &Kernel, busybox: &Path, scripts: &Scripts) -> Result<()> {
    let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
    let root = folder.path();
    fs::create_dir_all(root.join("bin")).context("cannot fill the initramfs")?;
    fs::copy(busybox, root.join("bin/busybox"))
        .with_context(|| format!("cannot copy {}", busybox.display()))?;
    for (name, text) in [
        ("init", INIT),
        ("guest.sh", GUEST),
        ("settings.sh", &scripts.settings),
        ("command.sh", &scripts.command),
        ("modules.order", &modules(root, kernel)?),
    ] {
        fs::write(root.join(name), text).with_context(|| format!("cannot write the initramfs's {name}"))?;
    }
    fs::set_permissions(root.join("init"), fs::Permissions::from_mode(0o755))
        .context("cannot make the initramfs's init executable")?;
    let mut pack = Command::new("sh");
    pack.args(["-c", "find . | cpio --quiet --format=newc --owner=+0:+0 -o >\"$0\""])
        .arg(file)
        .current_dir(root);
    child::output(&mut pack).map(drop)
}

/// Puts the modules, uncompressed, into the archive's folder; gives their names, a line each.
fn modules(root: &Path, kernel: &Kernel) -> Result<String> {
    let Some(source) = &kernel.modules else { return Ok(String::new()) };
    let folder = root.join("modules");
    fs::create_dir_all(&folder).context("cannot fill the initramfs")?;
    let mut names = String::new();
    for file in kernel.early_modules()? {
        let from = source.join(&file);
        let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let plain = name.trim_end_matches(".xz").trim_end_matches(".zst").trim_end_matches(".gz");
        unpack(&from, &folder.join(plain))?;
        names.push_str(plain);
        names.push('\n');
    }
    Ok(names)
}

fn unpack(from: &Path, to: &Path) -> Result<()> {
    let tool = match from.extension().and_then(|extension| extension.to_str()) {
        Some("xz") => "xz",
        Some("zst") => "zstd",
        Some("gz") => "gzip",
        _ => {
            fs::copy(from, to).with_context(|| format!("cannot copy {}", from.display()))?;
            return Ok(());
        }
    };
    let file = fs::File::create(to).with_context(|| format!("cannot write {}", to.display()))?;
    let mut command = Command::new(tool);
    command.arg("-dc").arg(from).stdin(Stdio::null()).stdout(file);
    let status = command.status().with_context(|| format!("cannot start {tool}"))?;
    if !status.success() {
        bail!("`{}` failed: {status}", child::shown(&command));
    }
    Ok(())
}
