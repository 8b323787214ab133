//! Options and verbs that people bring along from strace, Docker and others, and what they are called here.

use clap::error::{ContextKind, ContextValue, ErrorKind};

/// What was typed (`-o`, `list`), and what to type.
const WORDS: [(&str, &str); 57] = [
    ("-e", "write `injector run -e … -- COMMAND`, or `injector attach --pid PID -e …` for what runs already"),
    (
        "--io",
        "write `injector run --io … -- COMMAND`, or `injector attach --pid PID --io …` for what runs already",
    ),
    (
        "--net",
        "write `injector run --net … -- COMMAND`, or `injector attach --pid PID --net …` for what runs already",
    ),
    ("-p", "`run` starts a command: write `injector attach --pid PID` for a process that runs already"),
    ("--pid", "`run` starts a command: write `injector attach --pid PID` for a process that runs already"),
    ("-o", "write `--log FILE` for a line per injection"),
    ("-P", "choose files in the rule, as in `-e inject=openat:error=EIO:path=/srv/**`"),
    ("--inject", "write `-e inject=SET:error=ERRNO`"),
    ("--fault", "write `-e fault=SET:error=ERRNO`"),
    ("--duration", "write `--for TIME`, such as `--for 30s`"),
    ("--timeout", "write `--for TIME`, such as `--for 30s`"),
    ("--max-delay", "write `--max-call-delay TIME` for calls, `--max-packet-delay TIME` for packets"),
    ("--cgroup", "`run` starts a command: write `injector attach --cgroup PATH` for what runs already"),
    (
        "--container",
        "`run` starts a command: write `injector attach --container NAME` for one that runs already",
    ),
    (
        "--host",
        "say what a host means where the plan begins: `injector attach --host …`; it holds for changes as well",
    ),
    ("--prepare", "prepare rules where the plan begins: `injector attach --prepare …`"),
    ("--rule", "name all rules that the plan is to have from then on: those that you repeat go on"),
    ("--all", "name one plan; `injector ps` lists them, and `injector stop --all` ends them all"),
    ("unpause", "write `injector resume ID`"),
    ("continue", "write `injector resume ID`"),
    ("--unit", "`run` starts a command: write `injector attach --unit NAME` for one that runs already"),
    (
        "--pod",
        "`run` starts a command: write `injector attach --pod NAMESPACE/NAME` for one that runs already",
    ),
    (
        "--label",
        "`run` starts a command: write `injector attach --label KEY=VALUE` for containers that run already",
    ),
    ("--namespace", "write `attach --pod NAMESPACE/NAME`"),
    ("-n", "write `attach --pod NAMESPACE/NAME`"),
    ("-l", "write `attach --label KEY=VALUE`"),
    ("--selector", "write `attach --label KEY=VALUE`"),
    ("--prob", INSIDE),
    ("--probability", INSIDE),
    ("--error", INSIDE),
    ("--errno", INSIDE),
    ("--delay", INSIDE),
    ("--loss", INSIDE),
    ("--path", INSIDE),
    ("--port", INSIDE),
    ("--when", INSIDE),
    ("--times", INSIDE),
    ("status", "write `injector ps` for a list of live plans"),
    ("show", "write `injector ps` for a list of live plans"),
    ("log", "write `--log FILE` for a line per injection, where the plan begins"),
    ("logs", "write `--log FILE` for a line per injection, where the plan begins"),
    ("report", "write `--report FILE` where the plan begins; `injector ps` has the counters of live plans"),
    ("kill", "write `injector stop ID` to end a plan, `--process 'kill SIGNAL'` as a rule on processes"),
    ("end", "write `injector stop ID`"),
    ("rm", "write `injector stop ID`"),
    ("remove", "write `injector stop ID`"),
    ("delete", "write `injector stop ID`"),
    ("clean", "write `injector recover`"),
    ("cleanup", "write `injector recover`"),
    ("explain", "write `injector check RULE`"),
    ("update", "write `injector change ID` with all rules that the plan is to have from then on"),
    ("inject", STARTS),
    ("exec", STARTS),
    ("list", "write `injector ps` for a list of live plans"),
    ("ls", "write `injector ps` for a list of live plans"),
    ("start", STARTS),
    ("version", "write `injector --version`"),
];

const STARTS: &str =
    "write `injector run -- COMMAND` to start a command, `injector attach` for what runs already";

/// Words of rules; a plan has many, so an option could not say which is meant.
const INSIDE: &str = "write it inside the rule, as in `-e inject=fsync:error=EIO:prob=5%`; `injector help rules` has the \
                      words, and `injector change` takes whole rules";

/// What to do about a command line that was not understood, where its words are somebody else's.
pub(super) fn hint(error: &clap::Error) -> Option<String> {
    let said = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        _ => None,
    };
    match error.kind() {
        ErrorKind::UnknownArgument => {
            let word = said(ContextKind::InvalidArg)?;
            if !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit()) {
                return Some(format!("name a process by `--pid {word}`"));
            }
            let name = word.split('=').next().unwrap_or(word);
            known(name)
        }
        ErrorKind::MissingRequiredArgument => match error.get(ContextKind::InvalidArg) {
            Some(ContextValue::Strings(missing)) if missing.iter().any(|name| name.contains("COMMAND")) => {
                Some("name the command, as in `injector run -e inject=fsync:error=EIO -- ./server`".into())
            }
            Some(ContextValue::Strings(missing)) if missing.iter().any(|name| name.contains("ID")) => {
                Some("name a plan; `injector ps` lists them".into())
            }
            _ => None,
        },
        ErrorKind::InvalidValue if said(ContextKind::InvalidArg)?.contains("SUBJECT") => Some(
            "name a topic, or a subcommand such as `run`; more is in docs, and `injector help recipes` has a command \
             for each of the usual failures"
                .into(),
        ),
        ErrorKind::InvalidSubcommand => known(said(ContextKind::InvalidSubcommand)?),
        ErrorKind::ValueValidation if said(ContextKind::InvalidArg)?.contains("--pid") => {
            let value = said(ContextKind::InvalidValue)?;
            let numbers: Vec<_> = value.split([' ', ',']).filter(|part| !part.is_empty()).collect();
            Some(if numbers.iter().all(|part| part.bytes().all(|byte| byte.is_ascii_digit())) {
                format!("write `--pid {}`", numbers.join(" --pid "))
            } else {
                format!("give the number of the process, as `pidof {value}` or `pgrep {value}` prints it")
            })
        }
        _ => None,
    }
}

/// Takes out what clap thinks was meant, which is whatever is spelt alike, where a hint of ours knows better.
pub(super) fn drop_suggestions(error: &mut clap::Error) {
    for kind in [
        ContextKind::SuggestedArg,
        ContextKind::SuggestedSubcommand,
        ContextKind::SuggestedValue,
        ContextKind::Suggested,
        // It shows the suggestion as well.
        ContextKind::Usage,
    ] {
        error.remove(kind);
    }
}

fn known(word: &str) -> Option<String> {
    WORDS.iter().find(|(theirs, _)| *theirs == word).map(|(_, ours)| (*ours).to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::{super::Cli, drop_suggestions, hint};

    fn hint_for(line: &str) -> Option<String> {
        let words = std::iter::once("injector").chain(line.split('|'));
        hint(&Cli::try_parse_from(words).err()?)
    }

    #[test]
    fn what_people_type_elsewhere_gets_a_hint() {
        for (line, expected) in [
            ("-e|inject=fsync:error=EIO|true", "injector run -e"),
            ("--net|loss 1%|true", "injector run --net"),
            ("--io|read:error=EIO|true", "injector run --io"),
            ("run|-p|4711", "attach --pid"),
            ("run|-o|F|--|true", "--log FILE"),
            ("run|-P|/x|--|true", "path="),
            ("run|--inject=read:error=EIO|--|true", "-e inject="),
            ("attach|-p|12 13|-e|inject=read:error=EIO", "--pid 12 --pid 13"),
            ("attach|-p|redis-server|-e|inject=read:error=EIO", "pidof redis-server"),
            ("run|--unit|redis|--|true", "attach --unit"),
            ("run|--container|web|--|true", "attach --container"),
            ("attach|-n|prod", "--pod NAMESPACE/NAME"),
            ("attach|--duration|1s", "--for TIME"),
            ("run|--max-delay=1s|--|true", "--max-call-delay"),
            ("attach|107", "--pid 107"),
            ("change|1a|--host|db=10.0.0.5", "attach --host"),
            ("change|1a|--prepare|io=read:error=EIO", "attach --prepare"),
            ("pause|--all", "name one plan"),
            ("unpause|1a", "injector resume"),
            ("list", "injector ps"),
            ("status", "injector ps"),
            ("kill|1a", "injector stop"),
            ("change|1a|--prob|50%", "inside the rule"),
            ("help|nosuch", "help recipes"),
            ("run", "injector run -e"),
            ("run|-e|inject=read:error=EIO", "-- ./server"),
            ("stop", "injector ps"),
            ("change", "injector ps"),
        ] {
            let said = hint_for(line).unwrap_or_default();
            assert!(said.contains(expected), "{line}: {said}");
        }
        assert_eq!(hint_for("run|--teapot|--|true"), None);
    }
    #[test]
    fn what_is_spelt_alike_is_not_suggested_beside_it() {
        let mut error = Cli::try_parse_from(["injector", "run", "--max-delay=1s", "--", "true"]).unwrap_err();
        assert!(error.to_string().contains("--max-packet-delay"), "clap suggests it no more: {error}");
        drop_suggestions(&mut error);
        assert!(!error.to_string().contains("--max-packet-delay"), "{error}");
    }
}
