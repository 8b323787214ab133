//! A text with its parameters filled in, which still knows where each part of it stands in the file's text.

use std::ops::Range;

/// What a text says when names in it have their values.
#[derive(Clone, Debug, Default)]
pub(super) struct Filled {
    pub(super) text: String,
    /// Stretches of `text`, the stretches of what was written that they come from, and whether they are the same.
    parts: Vec<(Range<usize>, Range<usize>, bool)>,
}

impl Filled {
    /// Adds what stands for itself, or for `what is written` at that place.
    pub(super) fn push(&mut self, text: &str, written: Range<usize>, same: bool) {
        let start = self.text.len();
        self.text.push_str(text);
        self.parts.push((start..self.text.len(), written, same));
    }

    /// A text without names.
    pub(super) fn plain(text: &str) -> Self {
        let mut this = Self::default();
        this.push(text, 0..text.len(), true);
        this
    }

    /// Is it what was written?
    pub(super) fn is_same(&self) -> bool {
        self.parts.iter().all(|(.., same)| *same)
    }

    /// Where a part of the text is in what was written.
    pub(super) fn written(&self, span: &Range<usize>) -> Range<usize> {
        let find = |offset: usize, end: bool| {
            let inside = |(part, ..): &&(Range<usize>, Range<usize>, bool)| {
                if end { part.start < offset && offset <= part.end } else { part.contains(&offset) }
            };
            self.parts.iter().find(inside).map(|(part, written, same)| match (same, end) {
                (true, _) => written.start + (offset - part.start),
                (false, true) => written.end,
                (false, false) => written.start,
            })
        };
        let all = self.parts.last().map_or(0, |(_, written, _)| written.end);
        let start = find(span.start, false).unwrap_or(all);
        let end = if span.is_empty() { start } else { find(span.end, true).unwrap_or(all) };
        start..end.max(start)
    }
}
