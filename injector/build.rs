//! Puts the BPF object where the library embeds it. `cargo xtask build` names it in
//! `INJECTOR_BPF_OBJECT`; without it an empty one is embedded, so that `cargo check`, clippy and the
//! unit tests need neither the BPF toolchain nor root. Such a binary says so when it is asked to inject.

use std::{env, error::Error, fs, path::PathBuf};

const OBJECT: &str = "INJECTOR_BPF_OBJECT";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-env-changed={OBJECT}");
    let out = PathBuf::from(env::var("OUT_DIR")?).join("injector.bpf.o");
    match env::var_os(OBJECT) {
        Some(object) => {
            let object = PathBuf::from(object);
            println!("cargo::rerun-if-changed={}", object.display());
            fs::copy(&object, out)?;
        }
        None => fs::write(out, [])?,
    }
    Ok(())
}
