//! Debian's packages for any processor, downloaded and never installed. For another processor than the host's, apt has
//! lists, a cache and a (void) record of what is installed of its own under the target folder: the host's apt and dpkg
//! never hear of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::architecture::Architecture;
use crate::{checkout, child, packages};

/// Debian's archive as one kind of processor sees it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Apt(pub(crate) Architecture);

impl Apt {
    /// The version that apt would install, if it knows the package.
    pub(crate) fn candidate(self, package: &str) -> Option<String> {
        let mut command = self.command("apt-cache").ok()?;
        let said = child::output(command.args(["policy", package])).ok()?;
        let version = said.lines().find_map(|line| line.trim().strip_prefix("Candidate: "))?;
        (version != "(none)").then(|| version.to_owned())
    }

    /// The package that a metapackage depends on.
    pub(crate) fn dependency(self, meta: &str) -> Option<String> {
        let mut command = self.command("apt-cache").ok()?;
        let said = child::output(command.args(["depends", "--important", meta])).ok()?;
        said.lines().find_map(|line| line.trim().strip_prefix("Depends: ")).map(str::to_owned)
    }

    /// Gets the lists of packages anew when apt does not know one of `packages`.
    pub(crate) fn refresh(self, packages: &[&str]) -> Result<()> {
        if packages.iter().all(|package| self.candidate(package).is_some()) {
            return Ok(());
        }
        if self.update()? && packages.iter().all(|package| self.candidate(package).is_some()) {
            return Ok(());
        }
        let kind = self.0.debian();
        bail!("apt knows not all of {} for {kind}; type: sudo apt-get update", packages.join(", "))
    }

    /// Gets the lists of packages anew; false if we may not.
    fn update(self) -> Result<bool> {
        if self.0.is_host() {
            return packages::update();
        }
        child::output(self.command("apt-get")?.args(["update", "-qq"])).map(|_| true)
    }

    /// Downloads one package into `folder`; gives the file.
    pub(crate) fn download(self, package: &str, folder: &Path) -> Result<PathBuf> {
        let fetch =
            || child::output(self.command("apt-get")?.args(["download", "-q", package]).current_dir(folder));
        if fetch().is_err() {
            // The lists may be older than the mirror.
            if !self.update()? {
                bail!("cannot download {package}");
            }
            fetch()?;
        }
        let files = archives(folder)?;
        files.into_iter().next().with_context(|| format!("apt-get download left no package of {package}"))
    }

    /// Downloads packages with all that they depend on, of a system on which nothing is installed.
    pub(crate) fn download_all(self, packages: &[&str]) -> Result<Vec<PathBuf>> {
        let cache = self.folder()?.join("cache/archives");
        for old in archives(&cache).unwrap_or_default() {
            fs::remove_file(&old).with_context(|| format!("cannot remove {}", old.display()))?;
        }
        let fetch = || {
            let mut command = self.command("apt-get")?;
            command.args(["install", "-y", "-qq", "--download-only", "--no-install-recommends"]);
            child::output(command.args(packages))
        };
        if fetch().is_err() {
            self.update()?;
            fetch()?;
        }
        archives(&cache)
    }

    /// `program` of apt for this kind of processor. apt drops root's rights for a download where it can, and says so when
    /// it cannot enter a folder, which is no concern of ours.
    fn command(self, program: &str) -> Result<Command> {
        let mut command = Command::new(program);
        command.env("LC_ALL", "C").args(["-o", "APT::Sandbox::User=root"]);
        if !self.0.is_host() {
            let folder = self.folder()?;
            let kind = self.0.debian();
            let at = |name: &str| folder.join(name).display().to_string();
            for (option, value) in [
                ("APT::Architecture", kind.to_owned()),
                ("APT::Architectures::", kind.to_owned()),
                ("Dir::State", at("state")),
                ("Dir::State::status", at("status")),
                ("Dir::Cache", at("cache")),
                ("Debug::NoLocking", "true".to_owned()),
            ] {
                command.arg("-o").arg(format!("{option}={value}"));
            }
        }
        Ok(command)
    }

    /// Where this apt keeps what it knows.
    fn folder(self) -> Result<PathBuf> {
        let folder = checkout::target().join("apt").join(self.0.debian());
        if !folder.join("status").exists() {
            for name in ["state/lists/partial", "cache/archives/partial"] {
                fs::create_dir_all(folder.join(name)).context("cannot make apt's folders")?;
            }
            fs::write(folder.join("status"), "").context("cannot make apt's folders")?;
        }
        Ok(folder)
    }
}

fn archives(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let paths = entries.flatten().map(|entry| entry.path());
    Ok(paths.filter(|path| path.extension().is_some_and(|extension| extension == "deb")).collect())
}

/// Unpacks `package` into `folder`, but for what matches one of `left_out`. A link to a folder stays one, although the
/// package has a folder there: /bin is such a link, and packages still have files in it.
pub(crate) fn unpack(package: &Path, folder: &Path, left_out: &[String]) -> Result<()> {
    let mut files = Command::new("dpkg").arg("--fsys-tarfile").arg(package).stdout(Stdio::piped()).spawn()?;
    let archive = files.stdout.take().context("dpkg has no output")?;
    let mut tar = Command::new("tar");
    tar.args(["--extract", "--file=-", "--keep-directory-symlink", "--no-same-owner", "--wildcards"]);
    tar.args(left_out.iter().map(|pattern| format!("--exclude={pattern}")));
    tar.arg("--directory").arg(folder).stdin(archive);
    let extracted = tar.status().context("cannot start tar")?;
    let read = files.wait()?;
    if !read.success() || !extracted.success() {
        bail!("cannot unpack {} (dpkg: {read}, tar: {extracted})", package.display());
    }
    Ok(())
}
