//! Command lines for each subcommand, with what they do: the end of its help, and a section of its manual page.

use clap::builder::{StyledStr, styling::Styles};
use std::fmt::Write as _;

/// A command line, and what it does in half a sentence.
#[derive(Clone, Copy, Debug)]
pub(super) struct Example {
    pub(super) command: &'static str,
    pub(super) does: &'static str,
}

const fn example(command: &'static str, does: &'static str) -> Example {
    Example { command, does }
}

/// Those of a subcommand; of the program itself for an empty name.
pub(super) fn of(name: &str) -> &'static [Example] {
    match name {
        "" => &PROGRAM,
        "run" => &RUN,
        "attach" => &ATTACH,
        "check" => &CHECK,
        "doctor" => &DOCTOR,
        "experiment" => &EXPERIMENT,
        "ps" => &PS,
        "change" => &CHANGE,
        "pause" | "resume" => &PAUSE,
        "stop" => &STOP,
        "help" => &HELP,
        "completions" => &COMPLETIONS,
        "man" => &MAN,
        _ => &[],
    }
}

/// The same as the end of the help.
pub(super) fn text(name: &str) -> StyledStr {
    let (mut text, header) = (StyledStr::new(), *Styles::styled().get_header());
    // Writing to it does not fail.
    let _ = write!(text, "{header}Examples:{header:#}");
    for Example { command, does } in of(name) {
        let _ = write!(text, "\n  {command}\n      {does}");
    }
    text
}

const PROGRAM: [Example; 5] = [
    example(
        "injector run -e inject=fsync:error=EIO:when=3 -- ./server",
        "the third fsync of each thread fails",
    ),
    example(
        "injector attach --unit redis --io 'write:error=ENOSPC:path=**/*.aof' --for 30s",
        "a full disk for one systemd unit, for half a minute",
    ),
    example(
        "injector attach --container web --net 'tcp dport 5432 : delay 200ms' --for 30s",
        "a slow database for one container",
    ),
    example("injector doctor", "says what this kernel can do"),
    example("injector help recipes", "has a command for each of the usual failures"),
];

const RUN: [Example; 6] = [
    example(
        "injector run -e inject=fsync:error=EIO:when=3 -- ./server",
        "the third fsync of each thread fails",
    ),
    example(
        "injector run --io 'write:error=ENOSPC:path=/var/lib/**' -- ./server",
        "writing to these files fails, whichever call or interface it comes by",
    ),
    example(
        "injector run --net 'tcp dport 5432 : delay 200ms' -- ./server",
        "what the command sends to PostgreSQL is late",
    ),
    example(
        "injector run --process pause:for=2s:every=10s -- ./server",
        "the command stands still now and then",
    ),
    example(
        "injector run -e inject=read:error=EIO:prob=1% --seed 42 -- ./server",
        "the same faults on every run",
    ),
    example(
        "injector run --expect-fired -e inject=connect:error=ECONNREFUSED -- make test",
        "exit code 125 if no connection was made",
    ),
];

const ATTACH: [Example; 7] = [
    example(
        "injector attach --unit redis --io 'write:error=ENOSPC:path=**/*.aof' --for 30s",
        "a full disk for one systemd unit",
    ),
    example(
        "injector attach --container web --net 'tcp dport 5432 : delay 200ms'",
        "a slow database for one container, for five minutes",
    ),
    example("injector attach --pod shop/web --net 'loss 10%'", "a bad network for one pod"),
    example(
        "injector attach --cgroup /app -e inject=openat:error=EMFILE:prob=5%",
        "opening files fails now and then for all in a cgroup",
    ),
    example(
        "injector attach --pid 4711 --process pause:for=2s:every=10s",
        "a process and its descendants stand still now and then",
    ),
    example(
        "injector attach --label app=web --percent 30% --net 'tcp dport 6379 : reject'",
        "connections are refused to a third of the containers with that label",
    ),
    example(
        "injector attach --cgroup /app --detach --name disk-full --io write:error=ENOSPC",
        "goes on in the background; `injector stop disk-full` ends it",
    ),
];

const CHECK: [Example; 3] = [
    example("injector check inject=fsync,fdatasync:error=EIO:when=3", "says what the rule means"),
    example("injector check 'net=tcp dport 5432 : delay 200ms 50ms'", "the same for packets"),
    example("injector check --io write:error=ENOSPC:path=/srv/**", "a rule as `run` and `attach` take it"),
];

const DOCTOR: [Example; 3] = [
    example("injector doctor", "says in three lines what this kernel can do"),
    example("injector doctor -v", "says why something does not work, and what to do"),
    example(
        "injector doctor --rule inject=fsync:error=EIO",
        "says how this rule can be had, or what instead",
    ),
];

const EXPERIMENT: [Example; 3] = [
    example(
        "injector experiment check etcd-leader.yaml",
        "says what the file means, and whether it can be run here",
    ),
    example(
        "injector experiment check --file-only --set cut=30s etcd-leader.yaml",
        "the same without root and without asking this kernel, with a parameter",
    ),
    example(
        "injector experiment schema > experiment.schema.json",
        "for an editor that completes keys as you type",
    ),
];

const PS: [Example; 2] =
    [example("injector ps", "lists live plans"), example("injector ps --json", "the same for programs")];

const CHANGE: [Example; 2] = [
    example(
        "injector change 0d24 --net 'tcp dport 5432 : delay 400ms'",
        "these are all rules of the plan from now on; its counters go on",
    ),
    example("injector change disk-full --for 5m", "the plan ends in five minutes"),
];

const PAUSE: [Example; 2] = [
    example("injector pause 0d24 --rule 1", "switches one rule off"),
    example("injector resume 0d24", "switches all rules on again"),
];

const STOP: [Example; 2] =
    [example("injector stop 0d24", "ends a plan"), example("injector stop --all", "ends all of them")];

const HELP: [Example; 2] = [
    example("injector help net", "has the words of rules on packets"),
    example("injector help attach", "is the same as injector attach --help"),
];

const COMPLETIONS: [Example; 3] = [
    example("source <(injector completions bash)", "in ~/.bashrc; zsh takes the same with its own name"),
    example("injector completions fish > ~/.config/fish/completions/injector.fish", "for fish"),
    example("injector completions zsh > /usr/share/zsh/site-functions/_injector", "for all users of zsh"),
];

const MAN: [Example; 3] = [
    example("injector man run | man -l -", "shows the page of a subcommand"),
    example("injector man rules | man -l -", "shows injector-rules(7)"),
    example("injector man --into /usr/local/share/man", "writes all pages where man(1) finds them"),
];
