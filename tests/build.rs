//! Compiles the victims, small static C programs, so that the guests need no compiler. Their paths reach
//! the crate as environment variables, `VICTIM_CALLS` and so on.

use std::{
    env,
    error::Error,
    path::{Path, PathBuf},
    process::Command,
};

/// Every victim: its variable, its source, and the compiler's options besides the common ones.
const VICTIMS: [(&str, &str, &[&str]); 13] = [
    ("CALLS", "calls.c", &["-pthread"]),
    ("STEADY", "steady.c", &[]),
    ("EXITS", "exits.c", &["-pthread"]),
    ("TREE", "tree.c", &["-pthread"]),
    ("DATAGRAMS", "datagrams.c", &[]),
    ("ROADS", "roads.c", &[]),
    ("VISIT", "visit.c", &[]),
    ("SERVE", "serve.c", &[]),
    ("SCRIPTED", "scripted.c", &["-pthread"]),
    ("FORBID", "forbid.c", &[]),
    ("CLOCK", "clock.c", &[]),
    ("TAKEOVER", "takeover.c", &["-pthread"]),
    ("LIAR", "liar.c", &[]),
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
    let compiler = compiler()?;
    let mut victims = VICTIMS.to_vec();
    if env::var("CARGO_CFG_TARGET_ARCH")? == "x86_64" {
        victims.extend(VICTIMS_X86_64);
    }
    for (name, source, options) in victims {
        let program = folder.join(name.to_lowercase());
        compile(&compiler, &Path::new("victims").join(source), &program, options)?;
        println!("cargo::rustc-env=VICTIM_{name}={}", program.display());
    }
    Ok(())
}

/// The C compiler, named as the crate `cc` has it: for the machine that is compiled for, else for all.
fn compiler() -> Result<String, Box<dyn Error>> {
    let own = format!("CC_{}", env::var("TARGET")?.replace('-', "_"));
    for name in [&own, "CC"] {
        println!("cargo::rerun-if-env-changed={name}");
    }
    Ok(env::var(own).or_else(|_| env::var("CC")).unwrap_or_else(|_| "cc".into()))
}

fn compile(compiler: &str, source: &Path, program: &Path, options: &[&str]) -> Result<(), Box<dyn Error>> {
    let mut command = Command::new(compiler);
    command.args(OPTIONS).args(options).arg("-o").arg(program).arg(source);
    let status = command.status()?;
    if status.success() {
        return Ok(());
    }
    Err(format!("`{command:?}` failed ({status})").into())
}
