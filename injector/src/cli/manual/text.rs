//! A topic as a terminal shows it.

use std::{fmt::Write as _, io::IsTerminal as _};

use console::Term;

use crate::cli::{
    color,
    manual::{Section, Topic},
};

/// The widest that prose is set, columns: what clap keeps to as well.
const WIDEST: usize = 100;
/// Where meanings begin, columns, unless all that is written is shorter.
const FARTHEST: usize = 28;

/// The whole topic, as wide as stdout is.
pub(in crate::cli) fn of(topic: Topic) -> String {
    let columns = if std::io::stdout().is_terminal() { usize::from(Term::stdout().size().1) } else { 80 };
    let mut text = format!("{}\n", topic.about());
    for section in topic.sections() {
        let _ = write!(text, "\n{}\n", of_section(&section, columns.clamp(40, WIDEST)));
    }
    text
}

fn of_section(section: &Section, columns: usize) -> String {
    let mut lines = vec![color::title(section.heading)];
    for paragraph in &section.text {
        lines.extend(wrapped(paragraph, columns - 2).iter().map(|line| format!("  {line}")));
    }
    let longest = section.entries.iter().map(|entry| width(entry.written)).filter(|&width| width <= FARTHEST);
    let indent = longest.max().unwrap_or(FARTHEST) + 4;
    for entry in &section.entries {
        let mut meaning = wrapped(entry.means, columns.saturating_sub(indent).max(20)).into_iter();
        let room = indent.checked_sub(width(entry.written) + 4).map(|room| " ".repeat(room + 2));
        let written = color::typed(entry.written);
        match room {
            Some(room) => lines.push(format!("  {written}{room}{}", meaning.next().unwrap_or_default())),
            None => lines.push(format!("  {written}")),
        }
        lines.extend(meaning.map(|line| format!("{}{line}", " ".repeat(indent))));
    }
    lines.extend(section.commands.iter().map(|command| format!("  {}", color::typed(command))));
    lines.join("\n")
}

fn width(text: &str) -> usize {
    console::measure_text_width(text)
}

/// A paragraph in lines of so many columns; a longer word has one for itself.
fn wrapped(paragraph: &str, columns: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in paragraph.split_whitespace() {
        match lines.last_mut().filter(|line| width(line) + 1 + width(word) <= columns) {
            Some(line) => {
                line.push(' ');
                line.push_str(word);
            }
            None => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::wrapped;

    #[test]
    fn lines_keep_to_their_width() {
        assert_eq!(wrapped("one two\nthree", 7), ["one two", "three"]);
        assert_eq!(wrapped("incomprehensible it is", 5), ["incomprehensible", "it is"]);
        assert!(wrapped("", 5).is_empty());
    }
}
