//! Bytes that come in pieces, cut into lines.

/// A line that is longer is passed over.
const LONGEST: usize = 1 << 20;

/// What has come of a line so far.
#[derive(Debug, Default)]
pub(in crate::experiment) struct Lines {
    begun: Vec<u8>,
    /// The line that comes is too long, up to its end.
    passing_over: bool,
}

impl Lines {
    /// Takes a piece, and gives each line that is complete by it to `line`, without its end.
    pub(in crate::experiment) fn take(&mut self, piece: &[u8], mut line: impl FnMut(&[u8])) {
        for part in piece.split_inclusive(|&byte| byte == b'\n') {
            let ends = part.ends_with(b"\n");
            if !self.passing_over {
                self.begun.extend_from_slice(part);
            }
            if ends && !self.passing_over {
                let text = self.begun.strip_suffix(b"\n").unwrap_or_default();
                line(text.strip_suffix(b"\r").unwrap_or(text));
            }
            self.passing_over = !ends && (self.passing_over || self.begun.len() > LONGEST);
            if ends || self.passing_over {
                self.begun.clear();
            }
        }
    }

    /// Forgets what has begun.
    pub(in crate::experiment) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_whole_however_they_come() {
        let text = b"one\ntwo\r\n\nthree\nfour";
        for size in 1..text.len() {
            let (mut lines, mut found) = (Lines::default(), Vec::new());
            for piece in text.chunks(size) {
                lines.take(piece, |line| found.push(String::from_utf8(line.into()).unwrap()));
            }
            assert_eq!(found, ["one", "two", "", "three"]);
        }
    }

    #[test]
    fn a_line_without_end_takes_no_memory() {
        let (mut lines, mut found) = (Lines::default(), Vec::new());
        for _ in 0..40 {
            lines.take(&vec![b'x'; 100_000], |line| found.push(line.to_vec()));
            assert!(lines.begun.len() <= LONGEST + 100_000);
        }
        lines.take(b"x\nnext\n", |line| found.push(line.to_vec()));
        assert_eq!(found, [b"next"]);
    }
}
