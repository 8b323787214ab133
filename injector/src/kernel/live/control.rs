//! How a live plan is asked for something from anywhere on the machine: by two maps that are found by
//! their numbers, as the plan itself is. No socket and no file, so nothing is left behind, and neither
//! another mount nor another network namespace is in the way. Who may open a map by its number is root.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
};

use aya_obj::generated::bpf_map_type::{BPF_MAP_TYPE_ARRAY, BPF_MAP_TYPE_QUEUE};
use bytemuck::{Pod, Zeroable};

use crate::kernel::bpf::sys;

/// Bytes of a message.
pub const MESSAGE: usize = 32 << 10;

/// Answers that are kept for whoever has asked.
const ANSWERS: u32 = 4;

/// What stands before the text of a message.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
struct Head {
    /// Who asks: a number that nobody else has.
    ticket: u64,
    /// Bytes of text.
    length: u32,
    /// Explicit padding.
    _pad: u32,
}

const VALUE: usize = size_of::<Head>() + MESSAGE;

/// A text that goes one way or the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Who asks.
    pub ticket: u64,
    /// What.
    pub text: String,
}

/// The control channel of a plan, its owner's or another's view of it.
#[derive(Debug)]
pub struct ControlChannel {
    /// One request at a time: the kernel puts it in and takes it out whole, or not at all.
    requests: OwnedFd,
    answers: OwnedFd,
    /// Where the next answer goes.
    next: u32,
}

impl ControlChannel {
    /// Makes one.
    ///
    /// # Errors
    /// bpf(2)'s: a right is missing, or there is no memory or descriptor.
    pub fn make() -> io::Result<Self> {
        let shape = sys::MapShape {
            value_size: u32::try_from(VALUE).unwrap_or(u32::MAX),
            name: "injector_ctl",
            ..sys::MapShape::default()
        };
        let queue = BPF_MAP_TYPE_QUEUE as u32;
        let requests = sys::create_map(&sys::MapShape { kind: queue, max_entries: 1, ..shape })?;
        let array = BPF_MAP_TYPE_ARRAY as u32;
        let shape = sys::MapShape { kind: array, key_size: 4, max_entries: ANSWERS, ..shape };
        let answers = sys::create_map(&shape)?;
        Ok(Self { requests, answers, next: 0 })
    }

    /// Another's, by the numbers that its plan names.
    pub(crate) fn open(requests: u32, answers: u32) -> io::Result<Self> {
        Ok(Self { requests: sys::open_map(requests)?, answers: sys::open_map(answers)?, next: 0 })
    }

    /// The numbers of the maps: requests, answers.
    ///
    /// # Errors
    /// bpf(2)'s, if the kernel cannot tell them.
    pub fn numbers(&self) -> io::Result<(u32, u32)> {
        Ok((sys::map_id(self.requests.as_fd())?, sys::map_id(self.answers.as_fd())?))
    }

    /// Asks; false if somebody else is just about to.
    ///
    /// # Errors
    /// The message is longer than [`MESSAGE`], or bpf(2) fails.
    pub fn ask(&self, message: &Message) -> io::Result<bool> {
        sys::push(self.requests.as_fd(), &message.bytes()?)
    }

    /// Takes a request out: the owner to do it, or who has asked to withdraw it.
    ///
    /// # Errors
    /// bpf(2)'s, but not that the queue is empty.
    pub fn take(&self) -> io::Result<Option<Message>> {
        let mut value = vec![0; VALUE];
        Ok(sys::pop(self.requests.as_fd(), &mut value)?.then(|| Message::read(&value)))
    }

    /// Answers a request.
    ///
    /// # Errors
    /// The message is longer than [`MESSAGE`], or bpf(2) fails.
    pub fn answer(&mut self, message: &Message) -> io::Result<()> {
        let place = self.next % ANSWERS;
        self.next = self.next.wrapping_add(1);
        sys::update(self.answers.as_fd(), &place.to_ne_bytes(), &message.bytes()?)
    }

    /// The answer to the request with that ticket, once it is there.
    ///
    /// # Errors
    /// bpf(2)'s.
    pub fn answer_to(&self, ticket: u64) -> io::Result<Option<String>> {
        let mut value = vec![0; VALUE];
        for place in 0..ANSWERS {
            sys::lookup_settled(self.answers.as_fd(), &place.to_ne_bytes(), &mut value)?;
            let message = Message::read(&value);
            if message.ticket == ticket {
                return Ok(Some(message.text));
            }
        }
        Ok(None)
    }
}

impl Message {
    fn bytes(&self) -> io::Result<Vec<u8>> {
        if self.text.len() > MESSAGE {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let length = u32::try_from(self.text.len()).unwrap_or(u32::MAX);
        let mut bytes = bytemuck::bytes_of(&Head { ticket: self.ticket, length, _pad: 0 }).to_vec();
        bytes.extend_from_slice(self.text.as_bytes());
        bytes.resize(VALUE, 0);
        Ok(bytes)
    }

    fn read(bytes: &[u8]) -> Self {
        let (head, text) = bytes.split_at(size_of::<Head>());
        let head: Head = bytemuck::pod_read_unaligned(head);
        let text = &text[..(head.length as usize).min(text.len())];
        Self { ticket: head.ticket, text: String::from_utf8_lossy(text).into_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_survives_the_map() {
        let message = Message { ticket: 7, text: "fsync:error=EIO ä".into() };
        assert_eq!(Message::read(&message.bytes().unwrap()), message);
        assert_eq!(Message::read(&vec![0; VALUE]).ticket, 0);
        let long = Message { ticket: 7, text: "x".repeat(MESSAGE + 1) };
        assert!(long.bytes().is_err());
    }
}
