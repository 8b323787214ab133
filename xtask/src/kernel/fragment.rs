//! Kconfig fragments: which options a text selects. Two fragments that select the same options make
//! the same kernel, whatever their order and comments.

use std::collections::BTreeMap;

/// Options by name, without `CONFIG_`; an option that is off has the value `n`. The last line about
/// an option counts, as in the kernel's `merge_config.sh`.
#[derive(Debug, PartialEq, Eq, Clone)]
pub(super) struct Fragment(BTreeMap<String, String>);

impl Fragment {
    pub(super) fn parse(text: &str) -> Self {
        let mut options = BTreeMap::new();
        for line in text.lines().map(str::trim) {
            let (name, value) = if let Some(off) = line.strip_prefix("# CONFIG_") {
                let Some(name) = off.strip_suffix(" is not set") else { continue };
                (name, "n")
            } else if let Some((name, value)) =
                line.strip_prefix("CONFIG_").and_then(|line| line.split_once('='))
            {
                (name, value)
            } else {
                continue;
            };
            options.insert(name.to_owned(), value.to_owned());
        }
        Self(options)
    }

    /// One line an option, sorted: equal for equal fragments, so that it can be hashed.
    pub(super) fn canonical(&self) -> String {
        let lines: Vec<String> =
            self.0.iter().map(|(name, value)| format!("CONFIG_{name}={value}")).collect();
        lines.join("\n")
    }

    /// The options that `config`, the kernel's own, has otherwise than we asked for.
    pub(super) fn unmet(&self, config: &Self) -> Vec<String> {
        let has = |name: &String| config.0.get(name).map_or("n", String::as_str);
        let wrong = self.0.iter().filter(|(name, value)| has(name) != value.as_str());
        wrong.map(|(name, value)| format!("CONFIG_{name}={value} (is {})", has(name))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::Fragment;

    #[test]
    fn order_comments_and_repetition_do_not_matter() {
        let one = Fragment::parse(
            "# why\nCONFIG_BPF=y\nCONFIG_VT=n\nCONFIG_LSM=\"bpf\"\nCONFIG_LSM=\"landlock,bpf\"\n",
        );
        let other = Fragment::parse("CONFIG_LSM=\"landlock,bpf\"\n# CONFIG_VT is not set\n\nCONFIG_BPF=y\n");
        assert_eq!(one, other);
        assert_eq!(one.canonical(), other.canonical());
        assert_ne!(one, Fragment::parse("CONFIG_BPF=y\n"));
    }

    #[test]
    fn what_the_kernel_did_not_take_is_listed() {
        let wanted = Fragment::parse("CONFIG_A=y\nCONFIG_B=n\nCONFIG_C=y\n");
        let got = Fragment::parse("CONFIG_A=y\n# CONFIG_C is not set\n");
        assert_eq!(wanted.unmet(&got), ["CONFIG_C=y (is n)"]);
    }
}
