//! Which distribution this machine has, as far as the names of packages go: its own name, or that of the one that it is
//! made from, by os-release(5).

use std::fs;

/// A distribution whose names we know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Distribution {
    Debian,
    Ubuntu,
    Fedora,
    Arch,
}

impl Distribution {
    /// This machine's.
    pub(crate) fn here() -> Option<Self> {
        let text =
            fs::read_to_string("/etc/os-release").or_else(|_| fs::read_to_string("/usr/lib/os-release"));
        Self::of(&text.ok()?)
    }

    /// What an os-release file tells.
    fn of(text: &str) -> Option<Self> {
        let value = |name: &str| {
            let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='))?;
            Some(value.trim_matches(['"', '\'']))
        };
        let kin = value("ID_LIKE").unwrap_or_default().split_whitespace();
        value("ID").into_iter().chain(kin).find_map(|name| match name {
            "debian" => Some(Self::Debian),
            "ubuntu" => Some(Self::Ubuntu),
            "fedora" => Some(Self::Fedora),
            "arch" => Some(Self::Arch),
            _ => None,
        })
    }

    /// The command that installs packages, before their names.
    pub(crate) const fn install(self) -> &'static str {
        match self {
            Self::Debian | Self::Ubuntu => "apt-get install --no-install-recommends",
            Self::Fedora => "dnf install",
            Self::Arch => "pacman -S --needed",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Distribution::{self, Arch, Debian, Fedora, Ubuntu};

    #[test]
    fn a_derivative_counts_as_what_it_is_made_from() {
        let of = Distribution::of;
        assert_eq!(of("NAME=\"Debian GNU/Linux\"\nID=debian\n"), Some(Debian));
        assert_eq!(of("ID=ubuntu\nID_LIKE=debian\n"), Some(Ubuntu));
        assert_eq!(of("ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n"), Some(Ubuntu));
        assert_eq!(of("ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n"), Some(Fedora));
        assert_eq!(of("ID=arch\n"), Some(Arch));
        assert_eq!(of("ID=alpine\n"), None);
    }
}
