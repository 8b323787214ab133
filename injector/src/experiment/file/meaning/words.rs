//! Values with a form of their own: rates, shares, sizes, statuses.

use std::ops::RangeInclusive;

use crate::{
    experiment::file::{
        cause::Cause,
        form::Text,
        meaning::reader::{Reader, refusal},
    },
    spec::{bytes, nanoseconds},
};

/// A number from 0 on without a sign.
fn decimal(text: &str) -> Option<f64> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    text.parse().ok().filter(|number: &f64| plain && number.is_finite())
}

impl Reader<'_> {
    /// A text that has to be `what`.
    fn value_of<T>(
        &mut self,
        text: &Text,
        what: &'static str,
        hint: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        self.parsed(text, |text| {
            parse(text).ok_or_else(|| {
                refusal(None, Cause::Value { text: text.to_owned(), what, hint: hint.to_owned() })
            })
        })
    }

    /// `20/s`, `600/m` or `0.5/s` per second.
    pub(super) fn rate(&mut self, text: &Text) -> Option<f64> {
        self.value_of(text, "rate", "write a number per time, such as 20/s or 600/m", |text| {
            let (number, unit) = text.split_once('/')?;
            let seconds = match unit.trim() {
                "s" => 1.0,
                "m" => 60.0,
                "h" => 3600.0,
                _ => return None,
            };
            decimal(number.trim()).map(|number| number / seconds).filter(|rate| (1e-4..=1e6).contains(rate))
        })
    }

    /// A percentage between 0 and 100, without these, as a fraction.
    pub(super) fn share(&mut self, text: &Text) -> Option<f64> {
        self.value_of(text, "share", "write a percentage between 0% and 100%, such as 99.5%", |text| {
            decimal(text.strip_suffix('%')?)
                .map(|percent| percent / 100.0)
                .filter(|share| *share > 0.0 && *share < 1.0)
        })
    }

    /// A percentage of one processor, as processors.
    pub(super) fn processors(&mut self, text: &Text) -> Option<f64> {
        self.value_of(
            text,
            "part of a processor",
            "write a percentage, such as 50%, or 200% for two processors",
            |text| {
                decimal(text.strip_suffix('%')?)
                    .map(|percent| percent / 100.0)
                    .filter(|part| (0.01..=4096.0).contains(part))
            },
        )
    }

    /// A size with its unit.
    pub(super) fn size(&mut self, text: &Text) -> Option<u64> {
        self.value_of(text, "size", "write a number with its unit, such as 64M or 512kb", |text| {
            bytes(text).filter(|bytes| *bytes > 0)
        })
    }

    /// One status of HTTP, or a range.
    pub(super) fn status(&mut self, text: &Text) -> Option<RangeInclusive<u16>> {
        self.value_of(text, "status", "write a status, such as 200, or a range, such as 200-299", |text| {
            let (first, last) = text.split_once('-').unwrap_or((text, text));
            let status = |text: &str| {
                let digits = text.bytes().all(|byte| byte.is_ascii_digit());
                text.parse().ok().filter(|status| digits && (100..=599).contains(status))
            };
            let (first, last): (u16, u16) = (status(first.trim())?, status(last.trim())?);
            (first <= last).then_some(first..=last)
        })
    }

    /// A number with the unit of a rule: `20%`, `400ms`, `1mbit`, `7`. It is what rules take, which is seen when they are read.
    pub(super) fn quantity(&mut self, text: &Text) -> Option<String> {
        self.value_of(text, "number", "write a number with its unit, such as 5% or 200ms", |text| {
            let digits = text.bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b'.').count();
            decimal(&text[..digits])?;
            (digits > 0 && text[digits..].chars().all(|c| c.is_alphabetic() || c == '%'))
                .then(|| text.to_owned())
        })
    }

    /// A time from the start of a list, which may be zero.
    pub(super) fn moment(&mut self, text: &Text) -> Option<std::time::Duration> {
        if nanoseconds(text.value.trim()) == Some(0) {
            return Some(std::time::Duration::ZERO);
        }
        self.duration(text)
    }
}
