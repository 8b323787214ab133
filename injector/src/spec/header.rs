//! What a rule asks of a packet's headers besides addresses and ports: `length 1000-` and `flags syn/syn,ack`.

use std::fmt;

use crate::spec::{error::Located, nearest::nearest, problem::PacketProblem, word::Word};

/// Bytes of the shortest packet, an IPv4 header alone.
const SHORTEST: u32 = 20;
/// Bytes of the longest packet: an IPv6 header and what its 16 bits of length can tell (RFC 8200, 3).
const LONGEST: u32 = 65_535 + 40;

/// The bytes of a packet from its IP header on, as the header tells them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lengths {
    /// The least length, bytes.
    pub first: u32,
    /// The greatest length, bytes.
    pub last: u32,
}

impl Lengths {
    /// Those of any packet.
    pub const ALL: Self = Self { first: 0, last: LONGEST };

    /// Reads `1000`, `100-200` or `1000-`.
    pub(super) fn parse(word: Word<'_>) -> Result<Self, Located> {
        let number = |part: Word<'_>| {
            let bytes =
                part.decimal::<u32>().ok_or_else(|| word.problem(PacketProblem::Length(word.text.into())))?;
            if bytes > LONGEST { Err(word.problem(PacketProblem::LengthTooLong(bytes))) } else { Ok(bytes) }
        };
        let (first, last) = match word.split_once("-") {
            None => (number(word)?, number(word)?),
            Some((first, last)) if last.text.is_empty() => (number(first)?, LONGEST),
            Some((first, last)) => (number(first)?, number(last)?),
        };
        if last < first {
            return Err(word.problem(PacketProblem::LengthOrder(word.text.into())));
        }
        if last < SHORTEST {
            return Err(word.problem(PacketProblem::LengthTooShort(word.text.into())));
        }
        Ok(Self { first, last })
    }

    /// Is every packet of `other` one of these?
    pub(super) const fn cover(self, other: Self) -> bool {
        self.first <= if other.first < SHORTEST { SHORTEST } else { other.first } && other.last <= self.last
    }
}

impl fmt::Display for Lengths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { first, last } = self;
        match *last {
            last if last == *first => write!(f, "{first}"),
            LONGEST => write!(f, "{first}-"),
            last => write!(f, "{first}-{last}"),
        }
    }
}

/// The flags of TCP's header by their bits (RFC 9293, 3.1), in nft's words (nft(8), TCP header expression).
const FLAGS: [(&str, u8); 8] = [
    ("fin", 0x01),
    ("syn", 0x02),
    ("rst", 0x04),
    ("psh", 0x08),
    ("ack", 0x10),
    ("urg", 0x20),
    ("ecn", 0x40),
    ("cwr", 0x80),
];

/// Flags of TCP, as nft writes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flags {
    /// Those that are set; never none.
    pub set: u8,
    /// Of which: the others among them are not set. `None` where any one of `set` is enough.
    pub of: Option<u8>,
}

impl Flags {
    /// Reads `syn`, `syn,fin` (any of them) or `syn/syn,ack` (of these exactly those).
    pub(super) fn parse(word: Word<'_>) -> Result<Self, Located> {
        let Some((set, of)) = word.split_once("/") else { return Ok(Self { set: list(word)?, of: None }) };
        if set.text.is_empty() || of.text.is_empty() {
            return Err(word.problem(PacketProblem::FlagsOutside(word.text.into())));
        }
        let (set, of) = (list(set)?, list(of)?);
        if set & !of != 0 {
            return Err(word.problem(PacketProblem::FlagsOutside(word.text.into())));
        }
        Ok(Self { set, of: Some(of) })
    }
}

impl fmt::Display for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = |bits: u8| {
            let set = FLAGS.iter().filter(|(_, bit)| bits & bit != 0);
            set.map(|(name, _)| *name).collect::<Vec<_>>().join(",")
        };
        f.write_str(&names(self.set))?;
        self.of.map_or(Ok(()), |of| write!(f, "/{}", names(of)))
    }
}

fn list(word: Word<'_>) -> Result<u8, Located> {
    word.whole_pieces("syn,ack")?.try_fold(0, |all, name| {
        let known = FLAGS.iter().find(|(known, _)| *known == name.text);
        let (_, bit) = known.ok_or_else(|| {
            let near = nearest(name.text, FLAGS.map(|(known, _)| known));
            name.problem(PacketProblem::UnknownFlag { word: name.text.into(), near })
        })?;
        Ok(all | bit)
    })
}
