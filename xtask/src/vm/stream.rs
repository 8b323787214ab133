//! A guest's output on its way to the caller. The guest ends each stream with a mark, because a
//! console port has no end of file while the machine runs; the mark is taken off again here.

use std::io::{Read, Write};

/// Where a guest's output goes, apart from the files in the run's folder, which always get it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Streams {
    /// To our own stdout and stderr, as it comes.
    Inherit,
    /// Only into the outcome.
    Capture,
}

/// Copies `from` to `to` until the mark or the end; gives what was copied.
pub(super) fn copy(mut from: impl Read, mark: &[u8], mut to: Vec<Box<dyn Write>>) -> Vec<u8> {
    let mut all = Vec::new();
    let mut sent = 0;
    let mut chunk = vec![0; 1 << 16];
    loop {
        let length = match from.read(&mut chunk) {
            Ok(0) => break,
            Ok(length) => length,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(_) => break,
        };
        all.extend_from_slice(&chunk[..length]);
        if all.ends_with(mark) {
            all.truncate(all.len() - mark.len());
            break;
        }
        // What may be the beginning of the mark waits.
        let held = (1..mark.len().min(all.len() + 1)).rev().find(|held| all.ends_with(&mark[..*held]));
        let end = (all.len() - held.unwrap_or(0)).max(sent);
        pass_on(&all[sent..end], &mut to);
        sent = end;
    }
    pass_on(&all[sent.min(all.len())..], &mut to);
    all
}

/// A reader that went away (`| head`) must not stop the guest: what cannot be written is dropped.
fn pass_on(bytes: &[u8], to: &mut Vec<Box<dyn Write>>) {
    if !bytes.is_empty() {
        to.retain_mut(|sink| sink.write_all(bytes).and_then(|()| sink.flush()).is_ok());
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::copy;

    /// Gives one byte at a time, as the worst of consoles.
    struct Slow<'a>(&'a [u8]);

    impl Read for Slow<'_> {
        fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
            let Some((first, rest)) = self.0.split_first() else { return Ok(0) };
            into[0] = *first;
            self.0 = rest;
            Ok(1)
        }
    }

    #[test]
    fn the_mark_ends_the_stream_and_is_not_part_of_it() {
        assert_eq!(copy(&b"hello\nENDED"[..], b"ENDED", vec![]), b"hello\n");
        assert_eq!(copy(Slow(b"ENENDED and more"), b"ENDED", vec![]), b"EN");
    }

    #[test]
    fn a_stream_that_breaks_off_is_kept_whole() {
        assert_eq!(copy(Slow(b"half EN"), b"ENDED", vec![]), b"half EN");
    }
}
