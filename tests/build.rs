//! Compiles the victims, small static C programs, so that the guests need no compiler. Their paths reach
//! the crate as environment variables, `VICTIM_CALLS` and so on.

use std::{
    env,
    error::Error,
    path::{Path, PathBuf},
    process::Command,
};

/// Every victim: its variable, its source, and the compiler's options besides the common ones.
const VICTIMS: [(&str, &str, &[&str]); 7] = [
    ("CALLS", "calls.c", &["-pthread"]),
    ("STEADY", "steady.c", &[]),
    ("TREE", "tree.c", &["-pthread"]),
    ("DATAGRAMS", "datagrams.c", &[]),
    ("ROADS", "roads.c", &[]),
    ("VISIT", "visit.c", &[]),
    ("SERVE", "serve.c", &[]),
];

/// Those of x86-64. What has a 32-bit form does without the C library, so that no 32-bit one is needed.
const VICTIMS_X86_64: [(&str, &str, &[&str]); 3] = [
    ("INT80", "int80.c", &["-nostdlib"]),
    ("INT80_32", "int80.c", &["-nostdlib", "-m32"]),
    ("EVERY", "every.c", &[]),
];

/// `-no-pie`: what is static in a program has an address that 32 bits hold.
const OPTIONS: [&str; 7] = ["-O2", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-static", "-no-pie"];

fn main() -> Result<(), Box<dyn Error>> {
    let folder = PathBuf::from(env::var("OUT_DIR")?);
    println!("cargo::rerun-if-changed=victims");
    println!("cargo::rerun-if-env-changed=CC");
    let mut victims = VICTIMS.to_vec();
    if env::var("CARGO_CFG_TARGET_ARCH")? == "x86_64" {
        victims.extend(VICTIMS_X86_64);
    }
    for (name, source, options) in victims {
        let program = folder.join(name.to_lowercase());
        compile(&Path::new("victims").join(source), &program, options)?;
        println!("cargo::rustc-env=VICTIM_{name}={}", program.display());
    }
    Ok(())
}

fn compile(source: &Path, program: &Path, options: &[&str]) -> Result<(), Box<dyn Error>> {
    let compiler = env::var("CC").unwrap_or_else(|_| "cc".into());
    let mut command = Command::new(compiler);
    command.args(OPTIONS).args(options).arg("-o").arg(program).arg(source);
    let status = command.status()?;
    if status.success() {
        return Ok(());
    }
    Err(format!("`{command:?}` failed ({status})").into())
}
