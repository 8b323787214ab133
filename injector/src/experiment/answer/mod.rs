//! What an operation or a look got, and what the file makes of it: whether it is as expected, and its number. Pure.

mod expect;
mod number;
#[cfg(test)]
mod tests;

pub use self::{
    expect::judge,
    number::{Rates, number},
};
pub use crate::experiment::failure::Ending;

/// The longest body or output that is read.
pub const LONGEST: usize = 16 << 20;

/// What came back.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    /// How it came.
    pub ending: Ending,
    /// The body, the output, the content, the line.
    pub text: Vec<u8>,
    /// What a command said on its standard error, the beginning of it.
    pub complaint: Vec<u8>,
    /// The number that an answer of this kind has of itself.
    pub natural: Option<f64>,
}

impl Answer {
    /// A text that has no more to it.
    pub fn plain(text: impl Into<Vec<u8>>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }

    /// A number, which is also the text.
    pub fn of_number(number: f64) -> Self {
        Self { text: number.to_string().into(), natural: Some(number), ..Self::default() }
    }

    /// What its text is called.
    const fn noun(&self) -> &'static str {
        match self.ending {
            Ending::Http(_) => "body",
            Ending::Exit(_) | Ending::Signal(_) => "output",
            Ending::Plain => "answer",
        }
    }
}
