//! Puts the BPF object where the library embeds it. `cargo xtask build` leaves it in `bpf/`, and a packaged crate has it
//! there. A checkout in which it is missing, or older than its sources, gets an empty one, so that `cargo check`, clippy
//! and the unit tests need neither the BPF toolchain nor root; such an injector says so when it is asked to inject.

#[path = "build/age.rs"]
mod age;

use std::{
    env,
    error::Error,
    fs,
    path::{Path, PathBuf},
};

fn main() -> Result<(), Box<dyn Error>> {
    let here = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let object = here.join("bpf/injector.bpf.o");
    let absence = match here.parent().filter(|root| is_checkout(root)) {
        Some(root) => absence(&object, root)?,
        None if object.exists() => None,
        None => {
            return Err("cannot build injector: this package has no bpf/injector.bpf.o, its BPF programs; it was not \
                        made by `cargo xtask package`, which adds them: package it anew by that"
                .into());
        }
    };
    // The folder: a file that is not there would have this run each time.
    println!("cargo::rerun-if-changed=bpf");
    println!("cargo::rerun-if-changed=build");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-env=INJECTOR_NO_PROGRAMS={}", absence.unwrap_or_default());
    if let Some(commit) = packaged_commit(&here)? {
        println!("cargo::rustc-env=INJECTOR_COMMIT={commit}");
    }
    let out = PathBuf::from(env::var("OUT_DIR")?).join("injector.bpf.o");
    match absence {
        None => drop(fs::copy(&object, out)?),
        Some(why) => {
            fs::write(out, [])?;
            // Who builds for release is not about to check or test.
            if env::var("PROFILE")? == "release" {
                println!(
                    "cargo::warning=this injector gets no BPF programs: {why}; `cargo xtask build` makes them"
                );
            }
        }
    }
    Ok(())
}

/// The commit that this package was made from, by the file that cargo puts into each, in as many digits as
/// `cargo xtask build` gives. A checkout has no such file.
fn packaged_commit(package: &Path) -> Result<Option<String>, Box<dyn Error>> {
    let path = package.join(".cargo_vcs_info.json");
    if !path.exists() {
        return Ok(None);
    }
    let text = fs::read_to_string(path)?;
    let after = text.split_once("\"sha1\"").and_then(|(_, rest)| rest.split('"').nth(1));
    Ok(after.map(|hash| hash.chars().take(12).collect()))
}

/// Is the workspace at `root` one in which the object can be made?
fn is_checkout(root: &Path) -> bool {
    age::SOURCES.iter().all(|folder| root.join(folder).is_dir())
}

/// Why the object of a checkout cannot be embedded.
fn absence(object: &Path, root: &Path) -> Result<Option<&'static str>, Box<dyn Error>> {
    for folder in age::SOURCES {
        println!("cargo::rerun-if-changed={}", root.join(folder).display());
    }
    Ok(match (object.exists(), age::is_current(object, root)?) {
        (false, _) => Some("injector/bpf/injector.bpf.o was not there when it was built"),
        (true, false) => Some("injector/bpf/injector.bpf.o was older than its sources when it was built"),
        (true, true) => None,
    })
}
