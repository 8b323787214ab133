//! stderr where lines are drawn on it in place: whatever else is written goes by way of [`aside`], above them, and
//! nobody who keeps a plan alive waits for a terminal that takes nothing.

use std::{
    io::{self, Write},
    os::fd::{AsFd as _, BorrowedFd},
    sync::{Mutex, PoisonError},
};

use console::Term;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// The lines that are on the terminal, the cursor below them; none where nothing is shown.
///
/// There, at the start of a line, what the terminal itself writes when Ctrl-C is typed moves nothing.
static SCREEN: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Writes something else to the terminal: the lines make room for it and come back.
pub(super) fn aside<T>(write: impl FnOnce() -> T) -> T {
    let lines = SCREEN.lock().unwrap_or_else(PoisonError::into_inner);
    erase(&lines);
    let result = write();
    draw(&lines);
    result
}

/// Leaves other lines on the screen.
pub(super) fn replace(new: Vec<String>) {
    let mut lines = SCREEN.lock().unwrap_or_else(PoisonError::into_inner);
    erase(&lines);
    draw(&new);
    *lines = new;
}

fn erase(lines: &[String]) {
    if !lines.is_empty() {
        let terminal = Term::buffered_stderr();
        // A terminal that has hung up is no reason to fail.
        let _ = terminal
            .move_cursor_up(lines.len())
            .and_then(|()| terminal.write_str("\r"))
            .and_then(|()| terminal.clear_to_end_of_screen())
            .and_then(|()| terminal.flush());
    }
}

fn draw(lines: &[String]) {
    if !lines.is_empty() {
        let _ = io::stderr().write_all((lines.join("\n") + "\n").as_bytes());
    }
}

/// Does stderr take more at once? A terminal that was stopped (Ctrl-S) does not, nor a pipe that nobody reads; whoever
/// keeps a plan alive does not wait for either.
pub(super) fn takes_more() -> bool {
    has_room(io::stderr().as_fd())
}

fn has_room(stream: BorrowedFd<'_>) -> bool {
    has_room_within(stream, PollTimeout::ZERO)
}

fn has_room_within(stream: BorrowedFd<'_>, patience: PollTimeout) -> bool {
    let mut polled = [PollFd::new(stream, PollFlags::POLLOUT)];
    // One that cannot be asked is one that does not block.
    poll(&mut polled, patience).map_or(true, |count| count > 0)
}

/// Writes all of `text` to stderr, and gives up where it takes nothing for as long as `patience`.
///
/// A pipe that says it has room takes this much without a wait (fs/pipe.c, `pipe_poll`: a free page).
pub(super) fn write_patiently(text: &[u8], patience: PollTimeout) -> io::Result<()> {
    const PIECE: usize = 4096;
    let mut stderr = io::stderr().lock();
    for piece in text.chunks(PIECE) {
        if !has_room_within(stderr.as_fd(), patience) {
            return Err(io::ErrorKind::TimedOut.into());
        }
        stderr.write_all(piece)?;
    }
    Ok(())
}

/// stderr for the lines of a log, which come in one piece each.
pub(super) struct Aside;

impl Write for Aside {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A line that nobody reads is dropped: whoever writes it may keep a plan alive.
        if takes_more() { aside(|| io::stderr().write(bytes)) } else { Ok(bytes.len()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_that_is_full_is_not_waited_for() {
        let (reader, mut writer) = io::pipe().unwrap();
        assert!(has_room(writer.as_fd()));
        rustix::io::ioctl_fionbio(&writer, true).unwrap();
        while writer.write(&[0; 4096]).is_ok() {}
        assert!(!has_room(writer.as_fd()));
        drop(reader);
        assert!(has_room(writer.as_fd()), "it fails at once");
    }
}
