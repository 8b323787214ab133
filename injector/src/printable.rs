//! Foreign text on a terminal: names of processes, cgroups, files and hosts, and the user's own words, can hold
//! escape sequences, line ends that imitate our messages, or marks that turn the direction of writing. Whatever a person
//! reads goes through here; JSON and the log have such text as it is.

use std::fmt::{self, Write as _};

/// Shows a text in one line, with whatever is not to be seen written as `\x1b` or `\u{202e}`.
#[derive(Clone, Copy, Debug)]
pub struct Printable<T>(pub T);

impl<T: fmt::Display> fmt::Display for Printable<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(Escaping(f), "{}", self.0)
    }
}

/// Passes on what can be seen, and escapes the rest.
struct Escaping<'a, 'b>(&'a mut fmt::Formatter<'b>);

impl fmt::Write for Escaping<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text;
        while let Some((at, unseen)) = rest.char_indices().find(|&(_, c)| is_unseen(c)) {
            self.0.write_str(&rest[..at])?;
            match unseen {
                '\n' => self.0.write_str("\\n")?,
                '\r' => self.0.write_str("\\r")?,
                '\t' => self.0.write_str("\\t")?,
                c if c.is_ascii() => write!(self.0, "\\x{:02x}", u32::from(c))?,
                c => write!(self.0, "\\u{{{:x}}}", u32::from(c))?,
            }
            rest = &rest[at + unseen.len_utf8()..];
        }
        self.0.write_str(rest)
    }
}

/// Longer words of a message are cut, in bytes.
const LONGEST_WORD: usize = 400;
/// The same of lines, for texts that have blanks.
const LONGEST_LINE: usize = 4000;
/// What is left of either at both ends.
const AROUND: usize = 60;

/// A message without the middle of what is too long in it. Whatever we say can hold a word of the user's, of any
/// length: a rule, a path, an option. So this stands where messages are printed, not where they are made.
pub fn abridged(message: &str) -> String {
    let lines = message.split('\n').map(|line| {
        let words: Vec<_> = line.split(' ').map(|word| without_middle(word, LONGEST_WORD, AROUND)).collect();
        without_middle(&words.join(" "), LONGEST_LINE, LONGEST_LINE / 4)
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// `text`, if it is longer than `longest`, without all but `around` bytes at both ends.
pub fn without_middle(text: &str, longest: usize, around: usize) -> String {
    if text.len() <= longest {
        return text.to_owned();
    }
    let head = &text[..text.floor_char_boundary(around)];
    let tail = &text[text.ceil_char_boundary(text.len() - around)..];
    format!("{head}…{tail}")
}

/// Several lines of ours with foreign text among them, each [`abridged`]. Those behind the first are indented, so that
/// a line end in a name cannot begin a message of ours.
pub fn lines(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for (number, line) in abridged(text.trim_end_matches('\n')).split('\n').enumerate() {
        if number > 0 {
            shown.push_str(if line.starts_with(' ') { "\n" } else { "\n " });
        }
        // Writing to a String does not fail.
        let _ = write!(shown, "{}", Printable(line));
    }
    shown
}

/// JSON with the same characters written as JSON itself can write them, so that it means the same. They stand in
/// strings only.
pub fn json(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if c == '\n' || !is_unseen(c) {
            shown.push(c);
            continue;
        }
        let mut units = [0; 2];
        for unit in c.encode_utf16(&mut units) {
            let _ = write!(shown, "\\u{unit:04x}");
        }
    }
    shown
}

/// Does a terminal do something else with it than to show it? Control characters; what marks the direction of
/// writing (Unicode Standard Annex 9); other line ends; what has no width; tags.
fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_not_to_be_seen_is_named() {
        for (text, shown) in [
            ("/app/ä 漢 \\w", "/app/ä 漢 \\w"),
            ("\x1b[2J\x07\x7f", "\\x1b[2J\\x07\\x7f"),
            ("a\ninjector: plan", "a\\ninjector: plan"),
            ("\u{9b}31m \u{202e}x\u{2069}\u{200b}", "\\u{9b}31m \\u{202e}x\\u{2069}\\u{200b}"),
        ] {
            assert_eq!(Printable(text).to_string(), shown);
        }
    }

    #[test]
    fn what_is_too_long_is_cut_in_the_middle() {
        let word = "ö".repeat(50_000);
        let message = format!("the rule `{word}` names close, which is dangerous: {word}\n  {word}");
        let shown = lines(&message);
        assert!(shown.len() < 600, "{shown}");
        assert!(shown.contains("ö` names close, which is dangerous: ö"), "{shown}");
        assert_eq!(lines(&message.replace(&word, "x")), message.replace(&word, "x"));
        let blanks = "to be ".repeat(20_000);
        assert!(lines(&blanks).len() < LONGEST_LINE);
    }

    #[test]
    fn no_line_but_the_first_begins_at_the_left() {
        assert_eq!(lines("no rule\n  fsnc\n  ^^^^\n"), "no rule\n  fsnc\n  ^^^^");
        assert_eq!(lines("x\x1b\ninjector: error"), "x\\x1b\n injector: error");
    }

    proptest! {
        #[test]
        fn nothing_unseen_is_left(text in any::<String>()) {
            prop_assert!(!Printable(&text).to_string().chars().any(is_unseen));
            prop_assert!(!lines(&text).chars().any(|c| c != '\n' && is_unseen(c)));
        }

        #[test]
        fn json_means_the_same(text in any::<String>()) {
            let written = serde_json::to_string_pretty(&[&text]).unwrap();
            let shown = json(&written);
            prop_assert!(!shown.chars().any(|c| c != '\n' && is_unseen(c)));
            prop_assert_eq!(serde_json::from_str::<Vec<String>>(&shown).unwrap(), [text]);
        }
    }
}
