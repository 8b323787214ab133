//! What the program says without root and without a kernel that could inject: `check`, help, colour, completions.
#![expect(clippy::unwrap_used, reason = "a program that cannot be started is a failed test")]

use std::process::{Command, Output};

fn injector(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_injector"));
    command.args(words).env_remove("NO_COLOR");
    command
}

fn said(words: &[&str]) -> (Option<i32>, String, String) {
    told(injector(words).output().unwrap())
}

fn told(output: Output) -> (Option<i32>, String, String) {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn rules_are_checked() {
    let (code, stdout, stderr) =
        said(&["check", "inject=fsync:error=EIO:when=3", "--net", "loss 10%", "--process", "pause"]);
    assert_eq!((code, stdout.lines().count(), stderr.as_str()), (Some(0), 3, ""));
    assert!(stdout.starts_with("inject=fsync:error=EIO:when=3: a call of fsync fails with EIO"), "{stdout}");
    // What is wrong in one says nothing of the others.
    let (code, stdout, stderr) = said(&["check", "inject=fsyn:error=EIO", "io=read:error=EIO"]);
    assert_eq!((code, stdout.lines().count()), (Some(125), 1));
    assert!(stderr.contains("did you mean `fsync`?"), "{stderr}");
    for (words, code, part) in [
        (vec!["check"], 2, "needs a rule"),
        (vec!["check", "inject=close:error=EIO"], 125, "add --unsafe"),
        (vec!["check", "--unsafe", "inject=close:error=EIO"], 0, ""),
        (vec!["check", "inject=rt_sigreturn:error=EIO"], 125, "never made to fail"),
        (vec!["check", "inject=read:delay_enter=100s"], 125, "longest delay"),
    ] {
        let (found, _, stderr) = said(&words);
        assert_eq!(found, Some(code), "{words:?}: {stderr}");
        assert!(stderr.contains(part), "{words:?}: {stderr}");
    }
}

#[test]
fn there_is_colour_where_it_is_wanted() {
    let coloured = |words: &[&str], variable: Option<&str>| {
        let mut command = injector(words);
        command.envs(variable.map(|value| ("NO_COLOR", value)));
        let (_, stdout, stderr) = told(command.output().unwrap());
        (stdout + &stderr).contains('\u{1b}')
    };
    for words in
        [["help", "rules"], ["help", "run"], ["check", "inject=x"], ["chekc", "x"], ["run", "--help"]]
    {
        // Neither stream is a terminal here.
        assert!(!coloured(&words, None), "{words:?}");
        assert!(coloured(&[&["--color", "always"], &words[..]].concat(), Some("1")), "{words:?}");
        assert!(!coloured(&[&["--color", "never"], &words[..]].concat(), None), "{words:?}");
    }
}

/// What bash puts in place of the line's last word, as its own machinery would ask for it.
fn completed(line: &str, word: &str) -> Vec<String> {
    let program = env!("CARGO_BIN_EXE_injector");
    let script = format!(
        "injector() {{ {program} \"$@\"; }}; source <({program} completions bash); COMP_LINE=$1 COMP_POINT=${{#1}}; \
         compopt() {{ :; }}; _injector injector \"$2\" \"\"; printf '%s\\n' \"${{COMPREPLY[@]}}\""
    );
    let output = Command::new("bash").args(["-c", &script, "bash", line, word]).output().unwrap();
    let (code, stdout, stderr) = told(output);
    assert_eq!((code, stderr.as_str()), (Some(0), ""), "{line}");
    stdout.lines().map(str::to_owned).collect()
}

#[test]
fn bash_completes_rules_and_names() {
    // bash takes words apart at `=` and `:`, and replaces the last part.
    assert_eq!(completed("injector run -e inject=fdatas", "fdatas"), ["fdatasync"]);
    assert_eq!(completed("sudo injector run -e inject=fsync:error=ENOSP", "ENOSP"), ["ENOSPC"]);
    assert_eq!(completed("injector attach --net 'tcp dpor", "tcp dpor"), ["tcp dport"]);
    assert_eq!(completed("injector atta", "atta"), ["attach"]);
    assert_eq!(completed("injector help rec", "rec"), ["recipes"]);
    assert_eq!(completed("injector attach --uni", "--uni"), ["--unit"]);
    let own = std::process::id().to_string();
    assert!(completed(&format!("injector attach --pid {own}"), &own).contains(&own));
}

#[test]
fn each_shell_has_a_script_that_asks_the_program() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let (code, stdout, stderr) = said(&["completions", shell]);
        assert_eq!((code, stderr.as_str()), (Some(0), ""));
        assert!(stdout.contains("INJECTOR_COMPLETE"), "{shell}: {stdout}");
    }
}

#[test]
fn all_pages_are_written_where_man_looks() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    assert_eq!(said(&["man", "--into", path]).0, Some(0));
    for page in ["man1/injector.1", "man1/injector-attach.1", "man7/injector-rules.7"] {
        assert!(folder.path().join(page).is_file(), "{page}");
    }
    let (code, _, stderr) = said(&["man", "--into", "/proc/self/nowhere"]);
    assert!(code == Some(1) && stderr.contains("cannot write /proc/self/nowhere/man1"), "{stderr}");
}
