//! Rules on system calls, in strace's words, and on processes. docs/rules.md has the same at more length.

use crate::cli::manual::Section;

pub(super) fn sections() -> Vec<Section> {
    vec![
        Section::new(
            "Rules",
            &[
                "A rule says which events of a target meet a fault, when, and what happens to them. All rules of a \
                 command line count, up to 64, in the order given. `injector check RULE` says what one means.",
            ],
            &[
                ("-e inject=SET:ACTIONS", "system calls, in strace's words"),
                ("-e fault=SET[:ACTIONS]", "the same for errors alone; ENOSYS if no error is named"),
                ("--syscall SET:ACTIONS", "the same without `inject=`"),
                (
                    "--io OP:ACTIONS",
                    "operations on files and sockets, see `injector help io`; -e io=… is the same",
                ),
                ("--net 'MATCH : NETEM'", "packets, see `injector help net`; -e net=… is the same"),
                ("--process ACTION", "processes; -e process=… is the same"),
            ],
        ),
        Section::new(
            "Which calls",
            &["SET is one or more of these, separated by commas."],
            &[
                ("openat", "the call of that name, under every ABI of the machine"),
                ("257", "the call of that number, of each ABI that has it"),
                ("%file", "a class, such as %file %desc %network %process %memory %signal %ipc"),
                ("/^open", "every call whose name matches the regular expression"),
                ("openat@32", "the call under one ABI only: @64, @32, on x86-64 also @x32"),
                ("?statx", "an unknown name is no error"),
                ("!read,write", "every call but these"),
                ("all", "every call"),
            ],
        ),
        Section::new(
            "What happens",
            &["ACTIONS are separated by colons, in any order. At least one of these is needed."],
            &EFFECTS,
        ),
        Section::new(
            "Which of the calls",
            &["A call that does not meet all of these is no match."],
            &FILTERS,
        ),
        Section::new(
            "When",
            &[
                "All rules but those on packets have these words. A match counts for each thread and call unless scope= \
               says otherwise.",
            ],
            &TRIGGERS,
        ),
        Section::new(
            "Processes",
            &[
                "--process takes one of the first two, with any of the others behind it, separated by colons. when=, \
               prob= and times= count rounds.",
            ],
            &PROCESSES,
        ),
        Section::examples(&[
            "injector run -e inject=fsync,fdatasync:error=EIO:when=3 -- ./server",
            "injector run -e 'inject=write:error=ENOSPC:count>65536' -- ./server",
            "injector run -e inject=rename:error=ENOENT:on=success:times=1 -- ./server",
            "injector attach --unit redis -e inject=openat:error=EMFILE:prob=5% --for 2m",
            "injector attach --pid 4711 -e 'inject=read:delay_enter=20ms~5ms:path=/data/**'",
            "injector attach --cgroup /app --process pause:for=2s:every=10s",
        ]),
    ]
}

/// What happens to a call.
pub(in crate::cli) const EFFECTS: [(&str, &str); 11] = [
    ("error=EIO", "the call does not run; its caller gets this errno, by name or number"),
    ("error=EIO*3/ENOSPC", "one of these, drawn from the seed; EIO three times as often"),
    ("retval=N", "the call does not run and returns N; 0 needs a kernel with `kprobe`"),
    ("signal=SIGUSR1", "the thread gets this signal"),
    ("delay_enter=20ms", "the thread sleeps before the call; `forever` for as long as the rule lasts"),
    ("delay_exit=20ms", "the thread sleeps when the call has run"),
    ("delay_enter=20ms~5ms", "the same with jitter: from 15 to 25 ms, drawn for each call"),
    ("distribution=normal", "how jitter spreads: uniform, normal, pareto, paretonormal, or a file"),
    ("at=exit", "the call runs, and its caller gets another result"),
    ("on=success", "the same, only for calls that came to no error"),
    ("on=failure", "the same, only for calls that came to one"),
];

/// Which calls of a set are meant.
pub(in crate::cli) const FILTERS: [(&str, &str); 9] = [
    ("path=/srv/**", "the file that the call is about; may be given several times, any is enough"),
    ("peer=10.0.0.0/8", "the peer of the socket that it is about"),
    ("port=5432", "the peer's port or the socket's own; a list, with ranges"),
    ("comm=redis*", "the thread's name, as in /proc/PID/comm, or how it begins"),
    ("count>4096", "an argument by its name; = != < <= > >= compare"),
    ("arg2>4096", "an argument by its place, from 0"),
    ("fd=3", "any argument that is a descriptor"),
    ("flags&O_CREAT", "one of these bits is set"),
    ("flags&O_ACCMODE=O_WRONLY", "under this mask the bits are these; != for \"are not\""),
];

/// Which matches become faults.
pub(in crate::cli) const TRIGGERS: [(&str, &str); 7] = [
    ("when=3", "only the third match, counted from 1"),
    ("when=3+", "from the third on"),
    ("when=3+2", "the third, then every second one"),
    ("when=3..9", "the third to the ninth; when=3..9+2 every second one of them"),
    ("prob=5%", "each match with this probability; a fraction needs its point (0.05)"),
    ("times=N", "at most N faults in all"),
    ("scope=process", "all threads of a process count together; `rule` for all of the rule"),
];

/// The words of rules on processes.
pub(in crate::cli) const PROCESSES: [(&str, &str); 6] = [
    ("pause", "all processes of a target stand still"),
    ("kill SIGTERM", "each process gets this signal"),
    ("for=2s", "how long a pause lasts; as long as the rule if not given"),
    ("after=5s", "when the first round comes; at once if not given"),
    ("every=10s", "from round to round; one round only if not given"),
    ("comm=worker*", "kill only: processes of this name"),
];
