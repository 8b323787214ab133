//! What `cargo xtask setup` prints: a line for each need, which says whether it is met, and if not, what to type.

use super::needs::{self, Need};
use super::sign::Sign;
use super::{Group, tools};
use crate::cargo_tool::CargoTool;
use crate::packages;
use crate::toolchain::{self, Rustc};

/// What is said of one need.
pub(super) struct Line {
    pub(super) found: bool,
    pub(super) text: String,
}

/// A line for each need of the groups; always as many, in the same order.
pub(super) fn of(groups: &[Group]) -> Vec<Line> {
    let mut lines = Vec::new();
    for &group in groups {
        lines.extend(needs::of(group).map(package));
        lines.extend(tools(group).iter().map(tool));
        if group == Group::Bpf {
            lines.extend(toolchain());
        }
    }
    lines
}

fn package(need: &Need) -> Line {
    let found = need.sign.found();
    let name = match need.sign {
        Sign::Program(name) | Sign::StaticProgram(name) => name,
        _ => need.package,
    };
    let what = format!("{name} ({})", need.why);
    let text = match packages::by_hand(&[need.package.to_owned()]) {
        Some(command) if !found => format!("{what}; type: {command}"),
        _ => what,
    };
    Line { found, text }
}

fn tool(tool: &CargoTool) -> Line {
    let CargoTool { name, version, why } = tool;
    let found = tool.found();
    let remedy = if found { "" } else { "; type: cargo xtask setup dist" };
    Line { found, text: format!("{name} {version} ({why}){remedy}") }
}

fn toolchain() -> [Line; 2] {
    let rustc = toolchain::compiler();
    let linker = rustc.as_ref().and_then(toolchain::linker_for);
    let first = match &rustc {
        Some(Rustc { path, release, llvm }) => {
            format!("rustc {release} with its library's source ({}, LLVM {llvm})", path.display())
        }
        None => "a rustc with its library's source; type: rustup component add rust-src".to_owned(),
    };
    let second = match &linker {
        Some(path) => format!("bpf-linker that links what this rustc makes ({})", path.display()),
        None => "a bpf-linker that links what this rustc makes; type: cargo xtask setup bpf".to_owned(),
    };
    [Line { found: rustc.is_some(), text: first }, Line { found: linker.is_some(), text: second }]
}
