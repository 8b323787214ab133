//! Lists of ports: `80,443,8000-8080`.

use std::ops::RangeInclusive;

use crate::spec::{error::Located, problem::AddressProblem, word::Word};

/// Reads a list, which has no spaces in it.
pub(super) fn parse(list: Word<'_>) -> Result<Vec<RangeInclusive<u16>>, Located> {
    list.whole_pieces("80,443,8000-8080")?.map(range).collect()
}

fn range(word: Word<'_>) -> Result<RangeInclusive<u16>, Located> {
    let port = |number: Word<'_>| match number.decimal::<u16>() {
        Some(0) => Err(word.problem(AddressProblem::PortZero)),
        Some(port) => Ok(port),
        None => Err(word.problem(AddressProblem::Port(word.text.into()))),
    };
    let (low, high) = word.split_once("-").unwrap_or((word, word));
    let (low, high) = (port(low)?, port(high)?);
    if high < low {
        return Err(word.problem(AddressProblem::PortOrder(word.text.into())));
    }
    Ok(low..=high)
}
