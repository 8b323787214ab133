//! What a call or an operation is about: the path of a file, or the ends of a socket.

pub mod matching;
pub mod object;
pub mod path;
pub mod seen;
pub mod socket;
