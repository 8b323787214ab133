//! What can be wrong with what a rule says of its packets, each with its remedy.

use thiserror::Error;

use crate::spec::nearest::{Near, hint_or, or};

/// Why a text describes no packets.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
#[expect(missing_docs, reason = "each message is the documentation of its variant")]
pub enum PacketProblem {
    #[error("it does not say what is to happen to the packets")]
    NoNetFault,
    #[error("a `:` is missing before `{0}`")]
    NoColon(String),
    #[error("`{word}` is not a word that describes packets")]
    UnknownMatch { word: String, near: Option<Near> },
    #[error("`{0}` describes packets, and belongs before the `:`")]
    MatchBehind(String),
    #[error("`{0}` is not a length in bytes or a range of lengths")]
    Length(String),
    #[error("no packet has {0} bytes")]
    LengthTooLong(u32),
    #[error("`{0}` is shorter than any packet")]
    LengthTooShort(String),
    #[error("the range of lengths `{0}` ends before it starts")]
    LengthOrder(String),
    #[error("`{word}` is not a flag of TCP")]
    UnknownFlag { word: String, near: Option<String> },
    #[error("`{0}` asks for other flags than those after the `/`, so it can never hold")]
    FlagsOutside(String),
    #[error("`not` stands before nothing that it could negate")]
    NotNothing,
    #[error("`{0}` leaves no packet that the rule could mean")]
    NothingLeft(String),
}

impl PacketProblem {
    /// What to do about it.
    pub fn hint(&self) -> String {
        const LOSS: &str = "write `loss 10%`, or `partition` where nothing is to pass";
        match self {
            Self::NoNetFault => format!("{LOSS}, behind a `:`"),
            Self::NoColon(_) | Self::MatchBehind(_) => {
                "write `MATCH : NETEM`, such as `tcp port 80 : loss 10%`".into()
            }
            Self::UnknownMatch { near, .. } => hint_or(
                near.as_ref(),
                "the words are egress, ingress, both, tcp, udp, icmp, from, to, port, sport, dport, length, flags and not",
            ),
            Self::Length(_) | Self::LengthTooLong(_) | Self::LengthTooShort(_) => {
                "write bytes with the IP header, 20 to 65575, such as `length 1000-` or `length 100-200`"
                    .into()
            }
            Self::LengthOrder(_) => "write the shorter length first".into(),
            Self::UnknownFlag { near, .. } => or(
                near.as_ref(),
                "the flags are fin, syn, rst, psh, ack, urg, ecn and cwr; `flags syn/syn,ack` means SYN without ACK",
            ),
            Self::FlagsOutside(_) => "write `flags syn/syn,ack` for SYN without ACK".into(),
            Self::NotNothing => "write it in front of the word that it negates, as in `not port 22`".into(),
            Self::NothingLeft(_) => "leave it out, or write what is meant instead".into(),
        }
    }
}
