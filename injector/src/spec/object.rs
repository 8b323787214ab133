//! Which files and sockets a rule means: `path=GLOB`, `peer=NET`, `port=LIST`. One vocabulary for rules on
//! calls and for rules on operations.

use std::{fmt, ops::RangeInclusive};

use injector_common::glob::{self, Glob};
use ipnet::IpNet;

use crate::{
    spec::{
        address::{network, shown},
        error::Located,
        nearest::Near,
        operation::OperationProblem,
        ports,
        problem::{AddressPlace, WordProblem},
        word::{Word, once},
    },
    syscalls::Entry,
};

/// Which objects; any, if nothing is said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Objects {
    /// Which files; `None` for any, and for sockets.
    pub paths: Option<Paths>,
    /// With which peer; `None` for any, and for files.
    pub peer: Option<IpNet>,
    /// The peer's port or the socket's own; empty for any.
    pub ports: Vec<RangeInclusive<u16>>,
}

impl Objects {
    /// Does it mean certain sockets?
    pub fn of_sockets(&self) -> bool {
        self.peer.is_some() || !self.ports.is_empty()
    }

    /// Does it mean certain files or sockets, rather than any?
    pub fn chosen(&self) -> bool {
        self.paths.is_some() || self.of_sockets()
    }
}

/// How it is found out what a call is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// It does not matter.
    Any,
    /// By one of these arguments, which are descriptors.
    Descriptors([u16; 2]),
    /// At the security hook that the call passes, which knows where a path leads to and whom an address means.
    Hook,
    /// It is about no such thing.
    None,
}

/// Calls that name a peer, or the socket's own address to be, in user memory.
const ADDRESSED: [&str; 4] = ["connect", "bind", "sendto", "sendmsg"];

impl Objects {
    /// How it is found out whether `call` is about one of them.
    pub fn lookup(&self, call: &Entry) -> Lookup {
        if !self.chosen() {
            return Lookup::Any;
        }
        // A range of descriptors can be of many files.
        if call.name == "close_range" {
            return Lookup::None;
        }
        if self.paths.is_some() && call.is_in("file") || self.of_sockets() && ADDRESSED.contains(&call.name) {
            return Lookup::Hook;
        }
        let mut open = (0..).zip(&call.parameters).filter(|(_, parameter)| parameter.is_open_file());
        match (open.next(), open.next()) {
            (Some((first, _)), second) => Lookup::Descriptors([first, second.map_or(first, |(nth, _)| nth)]),
            (None, _) => Lookup::None,
        }
    }
}

impl fmt::Display for Objects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for pattern in self.paths.iter().flat_map(Paths::patterns) {
            write!(f, ":path={pattern}")?;
        }
        match self.peer {
            Some(net) if net.addr().is_ipv6() => write!(f, ":peer=[{}]", shown(net))?,
            Some(net) => write!(f, ":peer={}", shown(net))?,
            None => {}
        }
        for (range, at) in self.ports.iter().zip(0..) {
            let (low, high) = (range.start(), range.end());
            write!(f, "{}{low}", if at == 0 { ":port=" } else { "," })?;
            if low != high {
                write!(f, "-{high}")?;
            }
        }
        Ok(())
    }
}

/// Patterns of paths: what was written, and the automaton made of all of them.
#[derive(Clone, PartialEq, Eq)]
pub struct Paths {
    patterns: Vec<String>,
    glob: Box<Glob>,
}

impl Paths {
    /// As they were written.
    pub fn patterns(&self) -> impl Iterator<Item = &str> {
        self.patterns.iter().map(String::as_str)
    }

    /// What the kernel side runs.
    pub fn glob(&self) -> &Glob {
        &self.glob
    }
}

impl fmt::Debug for Paths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Paths").field(&self.patterns).finish()
    }
}

/// The words with an example each.
pub(super) const WORDS: [(&str, &str); 3] = [
    ("path", "path=/var/lib/*.db"),
    ("peer", "peer=10.0.0.0/8` or `peer=[fd00::/8]"),
    ("port", "port=80,8000-8080"),
];

/// The words as far as they were read.
#[derive(Default)]
pub(super) struct Chosen<'a> {
    paths: Vec<Word<'a>>,
    peer: Option<IpNet>,
    ports: Option<Vec<RangeInclusive<u16>>>,
    /// The names of the words, each where it was written first.
    pub(super) names: Vec<Word<'a>>,
}

impl<'a> Chosen<'a> {
    /// Reads the value of one of [`WORDS`].
    pub(super) fn read(&mut self, word: Word<'a>, name: Word<'a>, value: Word<'a>) -> Result<(), Located> {
        if let Some(first) = self.names.iter().find(|first| (first.text == "path") != (name.text == "path")) {
            return Err(word.problem(WordProblem::Contradiction {
                first: format!("{}=", first.text),
                second: format!("{}=", name.text),
                remedy: "what has a path has no peer and no port: write two rules".into(),
            }));
        }
        self.names.push(name);
        match name.text {
            "path" => {
                glob::compile(&[value.text.as_bytes()])
                    .map_err(|error| value.problem(OperationProblem::Path(error)))?;
                if let Some(problem) = matches_nothing(value.text) {
                    return Err(value.problem(problem));
                }
                self.paths.push(value);
                Ok(())
            }
            "peer" => once(&mut self.peer, peer(value)?, word),
            _ => once(&mut self.ports, ports::parse(value)?, word),
        }
    }

    /// What a number by itself behind `peer=` may be: in `peer=10.0.0.7:80` the `:` begins the next word.
    pub(super) fn port_of_peer(&self, word: Word<'_>) -> Option<Near> {
        let behind = self.names.last().is_some_and(|name| name.text == "peer");
        let port = word.decimal::<u16>().filter(|_| behind)?;
        Some(format!("port={port}").into())
    }

    /// All of them together.
    pub(super) fn finish(self) -> Result<Objects, Located> {
        let patterns: Vec<_> = self.paths.iter().map(|word| word.text.as_bytes()).collect();
        let paths = match self.paths.last() {
            None => None,
            Some(last) => {
                let glob =
                    glob::compile(&patterns).map_err(|_| last.problem(OperationProblem::PathsTooLong))?;
                let patterns = self.paths.iter().map(|word| word.text.to_owned()).collect();
                Some(Paths { patterns, glob: Box::new(glob) })
            }
        };
        Ok(Objects { paths, peer: self.peer, ports: self.ports.unwrap_or_default() })
    }
}

/// Why a pattern can match no path, as the kernel has paths: absolute, each component once, no quotes around them.
fn matches_nothing(pattern: &str) -> Option<OperationProblem> {
    let no_path = |why, instead: String| Some(OperationProblem::NoPath { why, instead });
    if let [quote @ (b'"' | b'\''), inner @ .., last] = pattern.as_bytes()
        && quote == last
        && !inner.is_empty()
    {
        let inner = &pattern[1..pattern.len() - 1];
        return no_path("the quotes would be part of it", format!("leave them out: `path={inner}`"));
    }
    if let Some(inner) = pattern.strip_prefix("~/") {
        return no_path(
            "the shell leaves a `~` inside a word as it is",
            format!("write `path=$HOME/{inner}` where the shell sees it, not in single quotes"),
        );
    }
    // A list of ports has commas, so people try them here.
    if let Some(at) = bare_comma(pattern) {
        let (first, rest) = pattern.split_at(at);
        let instead = format!("path={first}:path={}", &rest[1..]);
        return Some(OperationProblem::BareComma { instead });
    }
    if pattern.len() > 1 && pattern.ends_with('/') {
        let folder = pattern.trim_end_matches('/');
        return no_path("no path ends in `/`", format!("write `{folder}/**` for all that is in the folder"));
    }
    let mut components = pattern.split('/').skip(usize::from(pattern.starts_with('/')));
    let mut whole = Vec::new();
    for part in components.clone() {
        match part {
            "" | "." => {}
            ".." => _ = whole.pop(),
            part => whole.push(part),
        }
    }
    components.find(|part| matches!(*part, "" | "." | "..") && pattern != "/").and_then(|_| {
        let root = if pattern.starts_with('/') { "/" } else { "" };
        no_path(
            "no path has an empty component, a `.` or a `..`",
            format!("write `{root}{}`", whole.join("/")),
        )
    })
}

/// Where a comma stands that is neither escaped nor one of several characters in brackets.
fn bare_comma(pattern: &str) -> Option<usize> {
    let (mut escaped, mut inside) = (false, false);
    pattern.find(|c: char| {
        let bare = c == ',' && !escaped && !inside;
        inside = if escaped { inside } else { c == '[' || inside && c != ']' };
        escaped = c == '\\' && !escaped;
        bare
    })
}

/// A network; one of IPv6 stands in brackets: `[::1]`, `[fd00::/8]` or `[fd00::]/8`.
fn peer(value: Word<'_>) -> Result<IpNet, Located> {
    if !value.text.starts_with('[') {
        return network(value);
    }
    let plain = value.text.replacen(['[', ']'], "", 2);
    network(Word::whole(&plain)).map_err(|located| value.problem(located.at(AddressPlace::Peer).problem))
}
