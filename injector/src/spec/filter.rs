//! Which calls of a set a rule means: by their arguments (`count>4096`, `flags&O_CREAT`, `fd=3`), by the name
//! of the thread (`comm=`), and by what they are about ([`super::object`]).

use std::fmt;

use injector_common::argument::ArgTest;

use crate::{
    spec::{comm::Comm, constant, error::Located, object::Objects, problem::FilterProblem, word::Word},
    syscalls::Entry,
};

/// What is asked of a call and its thread, all of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Of the arguments.
    pub tests: Vec<Test>,
    /// Of the thread's name.
    pub comm: Option<Comm>,
    /// Of the file or the socket.
    pub objects: Objects,
}

/// A predicate on an argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Test {
    /// Which argument.
    pub subject: Subject,
    /// What is asked.
    pub relation: Relation,
    /// What stands behind it, as it was written.
    operand: String,
    /// Taken from the argument first.
    mask: u64,
    value: u64,
}

/// Which argument of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// By its place, from 0.
    Nth(u8),
    /// By its name in the kernel's source.
    Named(String),
    /// Any that is a descriptor.
    Descriptor,
}

/// How the argument and the value are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// `=`
    Equal,
    /// `!=`
    Unequal,
    /// `<`
    Below,
    /// `<=`
    AtMost,
    /// `>`
    Above,
    /// `>=`
    AtLeast,
    /// `&`: one of these bits is set.
    AnyBit,
    /// `&MASK=`: these bits are so.
    Masked,
    /// `&MASK!=`: these bits are not so.
    NotMasked,
}

impl Relation {
    /// Two letters come before their first one.
    const SIGNS: [(&str, Self); 7] = [
        ("!=", Self::Unequal),
        ("<=", Self::AtMost),
        (">=", Self::AtLeast),
        ("=", Self::Equal),
        ("<", Self::Below),
        (">", Self::Above),
        ("&", Self::AnyBit),
    ];

    /// What stands between the argument and the operand. A mask is part of the operand.
    pub(super) fn sign(self) -> &'static str {
        match self {
            Self::Masked | Self::NotMasked => "&",
            other => Self::SIGNS.iter().find(|(_, known)| *known == other).map_or("", |(sign, _)| sign),
        }
    }
}

impl Test {
    /// Does the word look like a predicate? `name=` is one for an argument only.
    pub(super) fn is_one(word: &str) -> bool {
        let end = word.find(['=', '!', '<', '>', '&']).unwrap_or(word.len());
        let name = &word[..end];
        name == "fd" || nth(name).is_some() || !word[end..].starts_with('=') && end < word.len()
    }

    /// Reads a predicate.
    pub(super) fn parse(word: Word<'_>) -> Result<Self, Located> {
        let end = word.text.find(['=', '!', '<', '>', '&']).unwrap_or(word.text.len());
        let (name, rest) = word.split_at(end);
        let subject = match name.text {
            "" => return Err(word.problem(FilterProblem::NoArgument)),
            "fd" => Subject::Descriptor,
            name => nth(name).map_or_else(|| Subject::Named(name.into()), Subject::Nth),
        };
        let sign = Relation::SIGNS.iter().find(|(sign, _)| rest.text.starts_with(sign));
        let Some((sign, relation)) = sign else {
            return Err(rest.problem(FilterProblem::NoRelation(word.text.into())));
        };
        let (_, operand) = rest.split_at(sign.len());
        if *relation == Relation::Equal && operand.text.starts_with('=') {
            let instead = format!("{}={}", name.text, operand.text.trim_start_matches('='));
            return Err(rest.problem(FilterProblem::DoubledEquals { instead }));
        }
        if ["&&", "||", " and ", " or "].iter().any(|joint| word.text.contains(joint)) {
            return Err(word.problem(FilterProblem::TwoTests(word.text.into())));
        }
        let (mut relation, text) = (*relation, operand.text.to_owned());
        let (mut mask, mut value) = (u64::MAX, 0);
        if relation == Relation::AnyBit {
            let (bits, then) = match (operand.split_once("!="), operand.split_once("=")) {
                (Some((bits, value)), _) => (bits, Some((Relation::NotMasked, value))),
                (None, Some((bits, value))) => (bits, Some((Relation::Masked, value))),
                (None, None) => (operand, None),
            };
            mask = constant::parse(bits)?;
            if let Some((masked, bits_so)) = then {
                (relation, value) = (masked, constant::parse(bits_so)?);
                if value & !mask != 0 {
                    return Err(word.problem(FilterProblem::OutsideMask(word.text.into())));
                }
            } else if mask == 0 {
                return Err(word.problem(FilterProblem::NoBits(word.text.into())));
            }
        } else {
            value = constant::parse(operand)?;
        }
        Ok(Self { subject, relation, operand: text, mask, value })
    }

    /// What is to be asked of `call`; `None` if it has no such argument, or none that could be so.
    pub fn of(&self, call: &Entry) -> Option<ArgTest> {
        let holds = |nth: &usize| match &self.subject {
            Subject::Nth(wanted) => *nth == usize::from(*wanted),
            Subject::Named(name) => call.parameters[*nth].name == name,
            Subject::Descriptor => call.parameters[*nth].is_descriptor(),
        };
        let mut found = (0..call.parameters.len()).filter(holds);
        let first = found.next()?;
        let second = found.next().unwrap_or(first);
        let parameter = call.parameters[first];
        let width = u64::MAX >> (64 - u32::from(parameter.width));
        let bias = if parameter.signed { 1 << (parameter.width - 1) } else { 0 };
        // What a value of the user's is among all values of the type, from the least one on.
        let value = (self.value & width) ^ bias;
        let range = |low: u64, high: u64| (width, bias, low, high.wrapping_sub(low), false);
        let masked = |invert| (self.mask & width, 0, self.value & width, 0, invert);
        let (mask, bias, low, span, invert) = match self.relation {
            Relation::Equal => range(value, value),
            Relation::Unequal => (width, bias, value, 0, true),
            // Less than the least: outside of everything.
            Relation::Below if value == 0 => (width, 0, 0, width, true),
            Relation::Below => range(0, value - 1),
            Relation::AtMost => range(0, value),
            Relation::Above if value == width => (width, 0, 0, width, true),
            Relation::Above => range(value + 1, width),
            Relation::AtLeast => range(value, width),
            Relation::AnyBit => (self.mask & width, 0, 0, 0, true),
            Relation::Masked => masked(false),
            Relation::NotMasked => masked(true),
        };
        let (first, second) = (u16::try_from(first).ok()?, u16::try_from(second).ok()?);
        Some(ArgTest { mask, bias, low, span, invert: u32::from(invert), first, second })
    }
}

/// `arg0` to `arg5`.
fn nth(name: &str) -> Option<u8> {
    let digit = name.strip_prefix("arg")?;
    digit.parse().ok().filter(|_| digit.len() == 1)
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.subject {
            Subject::Nth(nth) => write!(f, "arg{nth}")?,
            Subject::Named(name) => f.write_str(name)?,
            Subject::Descriptor => f.write_str("fd")?,
        }
        write!(f, "{}{}", self.relation.sign(), self.operand)
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for test in &self.tests {
            write!(f, ":{test}")?;
        }
        if let Some(comm) = &self.comm {
            write!(f, ":comm={comm}")?;
        }
        self.objects.fmt(f)
    }
}
