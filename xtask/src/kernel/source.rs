//! The kernel with error injection: Debian's linux-source with our fragment. It is kept by content
//! (source version and fragment); a cache folder that holds an image made from the same options
//! saves the build, which takes 10 to 25 minutes on two cores.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::available_parallelism;

use anyhow::{Context, Result, bail};

use super::fragment::Fragment;
use super::{Kernel, Name, cache, file_name, store, stored};
use crate::{child, packages, setup};

const FRAGMENT: &str = include_str!("../../kernel/fault-injection.config");
const PACKAGE: &str = "linux-source-6.12";
const TARBALL: &str = "/usr/src/linux-source-6.12.tar.xz";
/// Where variables are at each instruction takes gcc a quarter of its time to say, and BTF, for which the debug
/// information is made, has no use for it.
const COMPILER_FLAGS: &str = "-fno-var-tracking -fno-var-tracking-assignments";

/// Without one of these the tests would not test what they say.
const IMPORTANT: [&str; 9] = [
    "BPF_KPROBE_OVERRIDE",
    "FUNCTION_ERROR_INJECTION",
    "DEBUG_INFO_BTF",
    "BPF_JIT_ALWAYS_ON",
    "BPF_LSM",
    "CGROUP_BPF",
    "IA32_EMULATION",
    "OVERLAY_FS",
    "9P_FS",
];

/// One that was built, or taken from the cache, earlier.
pub(super) fn present() -> Option<Kernel> {
    let key = key().ok()?;
    let folder = stored("fault-injection-").into_iter().rev().find(|path| file_name(path).ends_with(&key))?;
    made(&folder)
}

/// Takes it from the cache or builds it, unless it is here.
pub(super) fn get() -> Result<Kernel> {
    if let Some(kernel) = present() {
        return Ok(kernel);
    }
    fs::create_dir_all(store()).with_context(|| format!("cannot make {}", store().display()))?;
    if let Some(kernel) = from_cache()? {
        return Ok(kernel);
    }
    build()
}

fn made(folder: &Path) -> Option<Kernel> {
    let image = folder.join("bzImage");
    image.is_file().then_some(Kernel { name: Name::FaultInjection, image, modules: None })
}

/// Stands for the options that we select.
fn key() -> Result<String> {
    let file = tempfile::NamedTempFile::new().context("cannot make a temporary file")?;
    fs::write(file.path(), Fragment::parse(FRAGMENT).canonical()).context("cannot write a temporary file")?;
    Ok(sha256(file.path())?.chars().take(12).collect())
}

fn sha256(path: &Path) -> Result<String> {
    let said = child::output(Command::new("sha256sum").arg(path))?;
    said.split_whitespace().next().map(str::to_owned).context("sha256sum said nothing")
}

/// An image in the cache folder, if the fragment beside it selects what ours does and the image is
/// the one that SHA256SUMS tells of.
fn from_cache() -> Result<Option<Kernel>> {
    let Some(folder) = cache() else { return Ok(None) };
    let Ok(theirs) = fs::read_to_string(folder.join("faultinject.config")) else { return Ok(None) };
    if Fragment::parse(&theirs) != Fragment::parse(FRAGMENT) {
        eprintln!("kernel: the fragment in {} selects other options than ours", folder.display());
        return Ok(None);
    }
    let sums = fs::read_to_string(folder.join("SHA256SUMS"))
        .with_context(|| format!("the kernel cache {} has no SHA256SUMS", folder.display()))?;
    let image = sums.lines().find_map(|line| {
        let (sum, name) = line.split_once(char::is_whitespace)?;
        let name = name.trim_start_matches([' ', '*']);
        name.starts_with("bzImage").then(|| (sum.to_owned(), folder.join(name)))
    });
    let Some((sum, image)) = image else { return Ok(None) };
    let is = sha256(&image)?;
    if is != sum {
        bail!("{} is damaged: its sha256 is {is}, SHA256SUMS says {sum}", image.display());
    }
    // bzImage-6.12.117-faultinject-x86_64
    let version = file_name(&image).split('-').nth(1).unwrap_or("unknown").to_owned();
    let place = place(&version)?;
    let partial = tempfile::tempdir_in(store()).context("cannot make a folder for the kernel")?;
    fs::copy(&image, partial.path().join("bzImage"))
        .with_context(|| format!("cannot copy {}", image.display()))?;
    keep(partial, &place)?;
    eprintln!("kernel: took {} (same options, right sha256)", file_name(&image));
    Ok(made(&place))
}

fn place(version: &str) -> Result<PathBuf> {
    Ok(store().join(format!("fault-injection-{version}-{}", key()?)))
}

/// Puts a finished folder in its place. Another xtask may have been faster; its kernel is as good.
fn keep(partial: tempfile::TempDir, place: &Path) -> Result<()> {
    let renamed = fs::rename(partial.path(), place);
    if renamed.is_err() && made(place).is_some() {
        return Ok(());
    }
    renamed.with_context(|| format!("cannot make {}", place.display()))?;
    // It has another name now: there is nothing to remove.
    let _ = partial.keep();
    Ok(())
}

fn build() -> Result<Kernel> {
    setup::ready(&[setup::Group::KernelBuild])?;
    let version = packages::installed(PACKAGE).unwrap_or_else(|| "unknown".to_owned());
    let place = place(&version)?;
    let jobs = available_parallelism().map_or(1, usize::from);
    eprintln!(
        "kernel: building {PACKAGE} {version} with our fragment on {jobs} processors (10 to 25 minutes on two)"
    );
    let work = tempfile::tempdir_in(store()).context("cannot make a folder for the build")?;
    child::run(Command::new("tar").args(["xf", TARBALL, "--strip-components=1", "-C"]).arg(work.path()))?;
    let make = |target: &str| {
        let mut command = Command::new("make");
        command.current_dir(work.path()).arg("-s").arg(format!("-j{jobs}")).arg(target);
        command.env("KBUILD_BUILD_USER", "xtask").env("KBUILD_BUILD_HOST", "injector");
        command.env("KCFLAGS", COMPILER_FLAGS);
        child::without_cargo(&mut command);
        child::run(&mut command)
    };
    let fragment = work.path().join("fault-injection.config");
    fs::write(&fragment, FRAGMENT).with_context(|| format!("cannot write {}", fragment.display()))?;
    make("tinyconfig")?;
    let mut merge = Command::new("scripts/kconfig/merge_config.sh");
    child::output(merge.current_dir(work.path()).args(["-m", ".config"]).arg(&fragment))?;
    make("olddefconfig")?;
    let config = fs::read_to_string(work.path().join(".config")).context("the kernel has no .config")?;
    check(&config)?;
    make("bzImage")?;
    let partial = tempfile::tempdir_in(store()).context("cannot make a folder for the kernel")?;
    fs::copy(work.path().join("arch/x86/boot/bzImage"), partial.path().join("bzImage"))
        .context("the build left no bzImage")?;
    fs::write(partial.path().join("config"), config).context("cannot keep the kernel's config")?;
    keep(partial, &place)?;
    made(&place).with_context(|| format!("{} holds no image", place.display()))
}

/// Kconfig drops in silence what depends on something that is off: say what, and stop if it matters.
fn check(config: &str) -> Result<()> {
    let unmet = Fragment::parse(FRAGMENT).unmet(&Fragment::parse(config));
    for option in &unmet {
        eprintln!("kernel: this kernel does not take {option}");
    }
    let vital =
        |option: &&String| IMPORTANT.iter().any(|name| option.starts_with(&format!("CONFIG_{name}=")));
    if let Some(option) = unmet.iter().find(vital) {
        bail!("the kernel's configuration did not take {option}: something that it depends on is off");
    }
    Ok(())
}
