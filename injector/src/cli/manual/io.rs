//! Rules on operations: their words, and the operations as the program's own table has them. docs/io.md has the same at
//! more length.

use injector::operations;

use crate::cli::manual::{Entry, Section};

pub(super) fn sections() -> Vec<Section> {
    let operations = operations::TABLE.iter();
    let operations = operations.map(|operation| Entry { written: operation.name, means: operation.covers });
    vec![
        Section::new(
            "Rules on operations",
            &[
                "--io 'OP[,OP…]:ACTIONS' means what is done rather than which call does it: a read by io_uring, sendfile, \
               splice or AIO is a read as well. It works on every kernel that injector runs on, also on those that \
               cannot fail any system call.",
            ],
            &[],
        ),
        Section {
            entries: operations.collect(),
            ..Section::new("Operations", &["`injector doctor -v` says which of them this kernel has."], &[])
        },
        Section::new("What happens", &[], &EFFECTS),
        Section::new(
            "Which of them",
            &["when=, prob=, times= and scope= are as for system calls: `injector help rules`."],
            &FILTERS,
        ),
        Section::new(
            "Patterns of paths",
            &[
                "A path is the one that the kernel finds, not the text that the program wrote. A pattern without a / at its \
               beginning matches behind any folder.",
            ],
            &[
                ("*", "any characters but /"),
                ("**", "any characters, / too"),
                ("?", "one byte but /"),
                ("[a-z] [!a-z]", "one byte of these, or another one; never /"),
            ],
        ),
        Section::examples(&[
            "injector run --io 'write:error=ENOSPC:path=/var/lib/**:when=100+' -- ./server",
            "injector attach --unit redis --io 'write:error=ENOSPC:path=**/*.aof' --for 30s",
            "injector attach --container db --io 'read,write:error=EIO:path=/var/lib/**:prob=1%'",
            "injector attach --cgroup /app --io 'connect:error=ECONNREFUSED:port=5432'",
        ]),
    ]
}

/// What happens to an operation.
pub(in crate::cli) const EFFECTS: [(&str, &str); 4] = [
    ("error=ERRNO", "it is not done; the caller gets this errno, 1 to 511 but for ECHILD and ESTALE"),
    ("delay=TIME", "the thread waits before it; `forever` for as long as the rule lasts"),
    ("delay=20ms~5ms", "the same with jitter: from 15 to 25 ms"),
    ("distribution=normal", "how jitter spreads: uniform, normal, pareto, paretonormal, or a file"),
];

/// Which operations are meant.
pub(in crate::cli) const FILTERS: [(&str, &str); 4] = [
    ("path=GLOB", "the file's path; may be given several times, any is enough"),
    ("peer=NET", "the socket's peer: an address or a network"),
    ("port=LIST", "the peer's port or the socket's own: 80, 80,443, 8000-8080"),
    ("comm=NAME", "the thread's name, or with a * at the end how it begins"),
];
