//! The language of rules as tables: what is written, and what it means. `injector help`, the manual page
//! injector-rules(7) and the completions are made from them.

pub(super) mod io;
pub(super) mod net;
pub(super) mod page;
mod recipes;
pub(super) mod rules;
#[cfg(test)]
mod tests;
pub(super) mod text;

/// What `injector help` knows besides the subcommands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Topic {
    /// Rules on calls and processes.
    Rules,
    /// Rules on packets.
    Net,
    /// Rules on operations.
    Io,
    /// Commands by symptom.
    Recipes,
}

impl Topic {
    /// All of them.
    pub(super) const ALL: [Self; 4] = [Self::Rules, Self::Net, Self::Io, Self::Recipes];

    /// The word for it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Rules => "rules",
            Self::Net => "net",
            Self::Io => "io",
            Self::Recipes => "recipes",
        }
    }

    /// Other words for what it has.
    pub(super) const fn aliases(self) -> &'static [&'static str] {
        match self {
            Self::Rules => &["rule", "calls", "syscall", "syscalls", "process", "processes"],
            Self::Net => &["network", "packets", "dns"],
            Self::Io => &["operations", "files"],
            Self::Recipes => &["recipe", "examples"],
        }
    }

    /// Does `word` mean it?
    pub(super) fn is_called(self, word: &str) -> bool {
        self.name() == word || self.aliases().contains(&word)
    }

    /// What it is about, in a line.
    pub(super) const fn about(self) -> &'static str {
        match self {
            Self::Rules => "Rules on system calls and on processes; when a rule fires",
            Self::Net => "Rules on packets, connections and names",
            Self::Io => "Rules on operations, such as reads of certain files",
            Self::Recipes => "A command for each of the usual failures",
        }
    }

    /// Its text.
    pub(super) fn sections(self) -> Vec<Section> {
        match self {
            Self::Rules => rules::sections(),
            Self::Net => net::sections(),
            Self::Io => io::sections(),
            Self::Recipes => recipes::sections(),
        }
    }
}

/// Some words of the language, with what there is to say of them together.
#[derive(Debug, Default)]
pub(super) struct Section {
    pub(super) heading: &'static str,
    /// Paragraphs. A line may end anywhere in them.
    pub(super) text: Vec<&'static str>,
    pub(super) entries: Vec<Entry>,
    /// To be typed as they stand.
    pub(super) commands: Vec<&'static str>,
}

/// What is written, and what it means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) written: &'static str,
    pub(super) means: &'static str,
}

impl Section {
    fn new(heading: &'static str, text: &[&'static str], entries: &[(&'static str, &'static str)]) -> Self {
        let entries = entries.iter().map(|&(written, means)| Entry { written, means }).collect();
        Self { heading, text: text.to_vec(), entries, ..Self::default() }
    }

    fn examples(commands: &[&'static str]) -> Self {
        Self { heading: "Examples", commands: commands.to_vec(), ..Self::default() }
    }
}
