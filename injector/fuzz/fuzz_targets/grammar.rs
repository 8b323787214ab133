//! Any text for any of the rules' grammars: it is read or refused, never a panic. What was read prints as
//! a text that reads back as the same; what is refused has a message, a hint, and a mark inside the text.
#![no_main]

use injector::{
    spec::{self, SpecError, model::Rule, units},
    syscalls::Machine,
};
use libfuzzer_sys::{Corpus, fuzz_target};

type Grammar = fn(&str) -> Result<Rule, SpecError>;

fuzz_target!(|bytes: &[u8]| -> Corpus {
    let Some((&first, text)) = bytes.split_first() else { return Corpus::Reject };
    let Ok(text) = std::str::from_utf8(text) else { return Corpus::Reject };
    let grammars: [(Grammar, Grammar); 7] = [
        (|text| spec::expression(text, Machine::X86_64), |text| spec::syscall(text, Machine::X86_64)),
        (|text| spec::syscall(text, Machine::X86_64), |text| spec::syscall(text, Machine::X86_64)),
        (|text| spec::syscall(text, Machine::Arm64), |text| spec::syscall(text, Machine::Arm64)),
        (spec::net, spec::net),
        (spec::operation, spec::operation),
        (spec::process, spec::process),
        (duration, spec::net),
    ];
    let (read, read_back) = grammars[usize::from(first) % grammars.len()];
    match read(text) {
        Ok(rule) => {
            let printed = rule.kind.to_string();
            let again = read_back(&printed).map(|again| again.kind);
            assert!(again.as_ref().is_ok_and(|kind| *kind == rule.kind), "{printed}: {again:?}");
        }
        Err(error) => refused(&error),
    }
    Corpus::Keep
});

/// A duration is no rule; what is not one is refused as a rule is.
fn duration(text: &str) -> Result<Rule, SpecError> {
    units::duration(text)?;
    spec::net("loss 1%")
}

fn refused(error: &SpecError) {
    assert!(!error.to_string().is_empty() && !error.hint().is_empty());
    assert!(error.text().get(error.span()).is_some(), "{error:?}");
    assert_eq!(error.caret().to_string().lines().count(), 2, "{error:?}");
}
