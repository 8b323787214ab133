//! The script for bash. bash takes words apart at `=` and `:`, which are in most rules, and replaces the last part only;
//! so the script gives us the line, and we take it apart as the command will get it.

use std::{
    ffi::OsString,
    io::{self, Write},
    path::Path,
};

use clap_complete::{engine, env::EnvCompleter};

/// In place of the script that comes with clap.
pub(super) struct Bash;

impl EnvCompleter for Bash {
    fn name(&self) -> &'static str {
        "bash"
    }

    fn is(&self, name: &str) -> bool {
        name == "bash"
    }

    fn write_registration(
        &self,
        variable: &str,
        name: &str,
        program: &str,
        completer: &str,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        // `$2` is what bash will replace. Candidates that go on get no blank behind them.
        writeln!(
            out,
            r#"_{name}() {{
    local IFS=$'\n'
    COMPREPLY=( $({variable}=bash {completer} -- "${{COMP_LINE:0:COMP_POINT}}" "$2" 2>/dev/null) )
    if [[ ${{#COMPREPLY[@]}} -eq 1 && ${{COMPREPLY[0]}} != *[=:,/] ]]; then
        compopt +o nospace
    fi
}}
complete -o nospace -o bashdefault -F _{name} {program}"#
        )
    }

    /// `arguments`: the line up to the cursor, and the part of its last word that bash will replace.
    fn write_complete(
        &self,
        command: &mut clap::Command,
        arguments: Vec<OsString>,
        folder: Option<&Path>,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let text = |at: usize| {
            arguments.get(at).map_or_else(String::new, |word| word.to_string_lossy().into_owned())
        };
        let (line, replaced) = (text(0), text(1));
        let words = words(&line);
        let whole = words.last().cloned().unwrap_or_default();
        // In quotes it is the whole word.
        let kept = whole.len().saturating_sub(replaced.len());
        let at = words.len().saturating_sub(1);
        let candidates =
            engine::complete(command, words.into_iter().map(OsString::from).collect(), at, folder)?;
        for candidate in candidates {
            let value = candidate.get_value().to_string_lossy();
            let part = value.get(kept..).filter(|_| value.starts_with(&whole[..kept]));
            writeln!(out, "{}", part.unwrap_or(&value))?;
        }
        Ok(())
    }
}

/// The words of a line as a shell gives them to a command; the last one may be open, in whatever quotes.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let (mut quote, mut escaped, mut between) = (None, false, true);
    for c in line.chars() {
        let blank = c.is_whitespace() && quote.is_none() && !escaped;
        if blank {
            if !between {
                words.push(String::new());
            }
            between = true;
            continue;
        }
        between = false;
        match (c, quote) {
            _ if escaped => escaped = false,
            ('\\', None | Some('"')) => {
                escaped = true;
                continue;
            }
            ('\'' | '"', None) => {
                quote = Some(c);
                continue;
            }
            (_, Some(open)) if open == c => {
                quote = None;
                continue;
            }
            _ => {}
        }
        if let Some(word) = words.last_mut() {
            word.push(c);
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_as_a_command_gets_it() {
        for (line, expected) in [
            ("injector ", vec!["injector", ""]),
            ("injector  run -e inject=fs", vec!["injector", "run", "-e", "inject=fs"]),
            ("sudo x --net 'tcp dport 54", vec!["sudo", "x", "--net", "tcp dport 54"]),
            (r#"x "a \"b" c\ d"#, vec!["x", r#"a "b"#, "c d"]),
            ("", vec![""]),
        ] {
            assert_eq!(words(line), expected, "{line}");
        }
    }
}
