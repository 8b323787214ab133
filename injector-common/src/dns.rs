//! Questions for names, and answers to them in the server's stead (RFC 1035): what is a question, how its name is
//! read, and what makes an answer of it. The question stays as it is; all that changes is in the header, and the two
//! ends change places. Which names a rule means is in [`crate::name`].

use crate::{
    packet::Packet,
    reject::{IMPOSSIBLE, Layout, SILENCE},
};

/// Bytes of the header.
pub const HEADER: usize = 12;
/// Where the server listens.
pub const PORT: u16 = 53;

/// The server could not do it.
pub const SERVFAIL: u32 = 2;
/// There is no such name.
pub const NXDOMAIN: u32 = 3;
/// The server does not want to.
pub const REFUSED: u32 = 5;
/// No answer at all: what else a rule can ask for.
pub const TIMEOUT: u32 = 16;

/// An answer with a code, beside those of [`crate::reject`]; the code is in the bits below.
pub const ANSWER: u32 = 0x100;

/// Is it a question, a single one, as every client sends it?
#[inline(always)]
#[must_use]
pub const fn is_question(header: &[u8; HEADER]) -> bool {
    /// QR, and the kind of request, which is 0 for a query.
    const KIND: u8 = 0xf8;
    let [_, _, flags, _, questions @ .., _, _, _, _] = *header;
    flags & KIND == 0 && matches!(questions, [0, 1, 0, 0])
}

/// The flags of the answer, from those of the question.
#[inline(always)]
#[must_use]
pub const fn flags(question: [u8; 2], code: u32) -> [u8; 2] {
    const RESPONSE: u8 = 0x80;
    const RECURSION_DESIRED: u8 = 0x01;
    const RECURSION_AVAILABLE: u8 = 0x80;
    const CHECKING_DISABLED: u8 = 0x10;
    let [first, second] = question;
    [
        RESPONSE | first & RECURSION_DESIRED,
        RECURSION_AVAILABLE | second & CHECKING_DISABLED | (code & 0xf) as u8,
    ]
}

/// How a question is answered by a rule that asks for `asked`, a code or [`TIMEOUT`]: as in
/// [`crate::reject::answer`].
#[inline(always)]
#[must_use]
pub const fn answer(asked: u32, packet: &Packet, layout: &Layout) -> u32 {
    if asked == TIMEOUT {
        SILENCE
    } else if layout.known() && layout.plain(packet.family) && layout.marks == 0 {
        ANSWER | asked
    } else {
        IMPOSSIBLE
    }
}

/// How far a name has been read.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Walk {
    /// Bytes of this label that are still to come.
    pub left: u32,
    /// Has there been a label? Not 0 if so.
    pub within: u32,
}

/// What a byte of a name was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The length of the first label.
    Begin,
    /// The next byte of the name as it is written: small letters (RFC 4343), dots between the labels.
    Letter(u8),
    /// The name ends here.
    End,
    /// It is no name, or one that points elsewhere, which no question needs.
    Stray,
}

impl Walk {
    /// Before the first byte.
    pub const BEGIN: Self = Self { left: 0, within: 0 };

    /// Takes one more byte.
    #[inline(always)]
    pub const fn eat(&mut self, byte: u8) -> Step {
        if self.left > 0 {
            self.left -= 1;
            return Step::Letter(written(byte));
        }
        match byte {
            0 => Step::End,
            1..=63 => {
                self.left = byte as u32;
                let first = self.within == 0;
                self.within = 1;
                if first { Step::Begin } else { Step::Letter(b'.') }
            }
            _ => Step::Stray,
        }
    }
}

/// A byte of a label as names have it. A dot or a zero in a label is neither the end of one nor of the name: both
/// become something that no name of a rule has.
const fn written(byte: u8) -> u8 {
    match byte {
        0 | b'.' => b'/',
        other => other.to_ascii_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    /// A name as it is on the wire.
    fn wire(labels: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for label in labels {
            bytes.push(u8::try_from(label.len()).unwrap());
            bytes.extend(label);
        }
        bytes.push(0);
        bytes
    }

    /// The text of a name, and how many bytes were read; `None` if it is none.
    fn read(bytes: &[u8]) -> Option<(Vec<u8>, usize)> {
        let (mut walk, mut text) = (Walk::BEGIN, Vec::new());
        for (at, &byte) in bytes.iter().enumerate() {
            match walk.eat(byte) {
                Step::Begin => {}
                Step::Letter(letter) => text.push(letter),
                Step::End => return Some((text, at + 1)),
                Step::Stray => return None,
            }
        }
        None
    }

    #[test]
    fn what_is_no_name_is_not_read() {
        for bytes in [&b"\x03www"[..], b"\x03www\xc0\x0c", b"\xc0\x0c", b"\x40a\0", b"", b"\x05ab\0"] {
            assert_eq!(read(bytes), None, "{bytes:?}");
        }
        assert_eq!(read(b"\0"), Some((vec![], 1)));
        assert_eq!(read(b"\x05a.\0Bc\x02eX\0\0\x01"), Some((b"a//bc.ex".to_vec(), 10)));
    }

    #[test]
    fn questions_and_answers() {
        assert!(is_question(&[1, 2, 1, 0x20, 0, 1, 0, 0, 0, 0, 0, 1]));
        for other in [
            [1, 2, 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0],
            [1, 2, 0x28, 0, 0, 1, 0, 0, 0, 0, 0, 0],
            [1, 2, 1, 0, 0, 2, 0, 0, 0, 0, 0, 0],
            [1, 2, 1, 0, 1, 1, 0, 0, 0, 0, 0, 0],
            [1, 2, 1, 0, 0, 1, 0, 1, 0, 0, 0, 0],
        ] {
            assert!(!is_question(&other), "{other:?}");
        }
        assert_eq!(flags([0x01, 0x20], NXDOMAIN), [0x81, 0x83]);
        assert_eq!(flags([0x00, 0x10], SERVFAIL), [0x80, 0x92]);
        assert_eq!(flags([0x01, 0x00], REFUSED), [0x81, 0x85]);
    }

    #[test]
    fn what_cannot_be_turned_around_is_left_alone() {
        let packet = Packet { protocol: 17, family: 4, ..Packet::default() };
        let layout = Layout { link: 14, transport: 20, detail: 0, marks: 0 };
        assert_eq!(answer(NXDOMAIN, &packet, &layout), ANSWER | NXDOMAIN);
        assert_eq!(answer(TIMEOUT, &packet, &Layout { link: 99, ..layout }), SILENCE);
        for other in
            [Layout { link: 99, ..layout }, Layout { transport: 24, ..layout }, Layout { marks: 1, ..layout }]
        {
            assert_eq!(answer(NXDOMAIN, &packet, &other), IMPOSSIBLE);
        }
    }

    proptest! {
        #[test]
        fn names_are_read_as_they_are_written(
            labels in vec(vec(any::<u8>(), 1..=63), 0..5), behind in vec(any::<u8>(), 0..9),
        ) {
            let mut bytes = wire(&labels);
            let length = bytes.len();
            bytes.extend(behind);
            let letter = |&byte: &u8| match byte {
                0 | b'.' => b'/',
                other => other.to_ascii_lowercase(),
            };
            let text: Vec<Vec<u8>> = labels.iter().map(|label| label.iter().map(letter).collect()).collect();
            prop_assert_eq!(read(&bytes), Some((text.join(&b'.'), length)));
            prop_assert_eq!(read(&bytes[..length - 1]), None);
        }

        #[test]
        fn a_text_is_shorter_than_its_name(bytes in vec(0_u8..9, 0..300)) {
            if let Some((text, length)) = read(&bytes) {
                prop_assert!(text.len() + 2 <= length.max(2));
            }
        }
    }
}
