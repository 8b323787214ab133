//! Whole lines into a file, even if it takes only some of them.

use std::{
    fs::File,
    io::{self, Seek as _, Write as _},
};

/// Bytes that are written at a time, about: between two writes others learn how far it is.
const PIECE: usize = 256 << 10;

/// Writes `lines`, each with its end, and tells how many more are written. A line that was written in part is cut
/// off again where the file allows it.
pub(super) fn write_lines(file: &mut File, lines: &[u8], mut progress: impl FnMut(u64)) -> io::Result<()> {
    let mut rest = lines;
    // Bytes of the line that was written in part.
    let mut part = 0;
    while !rest.is_empty() {
        match file.write(&rest[..piece(rest)]) {
            Ok(0) => {
                cut(file, part);
                return Err(io::ErrorKind::WriteZero.into());
            }
            Ok(length) => {
                let (written, left) = rest.split_at(length);
                let count = written.split(|&byte| byte == b'\n').count() - 1;
                part = match written.iter().rposition(|&byte| byte == b'\n') {
                    Some(end) => length - end - 1,
                    None => part + length,
                };
                rest = left;
                progress(count as u64);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                cut(file, part);
                return Err(error);
            }
        }
    }
    Ok(())
}

/// As many bytes as are whole lines and not too many; a line at least.
fn piece(lines: &[u8]) -> usize {
    let end = |part: &[u8]| part.iter().rposition(|&byte| byte == b'\n');
    let room = lines.len().min(PIECE);
    end(&lines[..room]).map_or(room, |end| end + 1)
}

/// Takes the beginning of a line away, if nobody else has written behind it. A pipe or a device cannot be cut.
fn cut(file: &mut File, part: usize) {
    if part > 0
        && let (Ok(end), Ok(metadata)) = (file.stream_position(), file.metadata())
        && metadata.is_file()
        && metadata.len() == end
    {
        // What cannot be taken away stays.
        let _ = file.set_len(end - part as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_written_whole_in_pieces() {
        let line = [vec![b'x'; 999], vec![b'\n']].concat();
        let lines = line.repeat(1000);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let mut steps = Vec::new();
        write_lines(&mut File::create(&path).unwrap(), &lines, |more| steps.push(more)).unwrap();
        assert_eq!(steps, [262, 262, 262, 214]);
        assert_eq!(std::fs::read(path).unwrap(), lines);
    }
}
