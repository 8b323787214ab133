//! What this kernel can do in place of what a rule asks for: the rule that comes nearest, to be typed as it stands.

use std::{fmt, time::Duration};

use crate::{
    operations,
    plan::backend::{Backend, BackendKind, Verdicts},
    spec::{
        self,
        delay::Delay,
        effect::CallResult,
        errno::Errno,
        model::{Rule, RuleKind, SyscallRule},
        operation::OperationRule,
    },
    syscalls,
};

/// Calls that pass no security hook, with the operation whose failure programs meet in the same way: what these say of
/// a file is that its data did not reach the disk.
const NEAREST: [(&str, &str); 2] =
    [("fsync fdatasync sync_file_range msync close", "write"), ("readahead fadvise64 lseek", "read")];

/// A rule that this kernel can have, near to one that it cannot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instead {
    /// What it does.
    what: &'static str,
    /// The option that takes it.
    pub option: &'static str,
    /// The rule, as that option takes it.
    pub rule: String,
}

impl fmt::Display for Instead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, option, rule } = self;
        write!(f, "this kernel can {what}: {option} '{rule}'")
    }
}

/// What comes nearest to `rule`, which `call` kept from being had; `None` if nothing comes near.
pub(super) fn of_call(rule: &Rule, call: &str, backends: &[&dyn Backend]) -> Option<Instead> {
    let RuleKind::Syscall(spec) = &rule.kind else { return None };
    if let Some(delay) = spec.effect.delay_enter.or(spec.effect.delay_exit) {
        return Some(pause(delay));
    }
    let hooks = backends.iter().find(|backend| backend.kind() == BackendKind::Hook)?;
    spec.effect.result.as_ref()?;
    let mut entries = spec.calls.iter().filter_map(|&call| syscalls::get(call));
    let entry = entries.find(|entry| entry.name == call)?;
    if hooks.sites(entry, Verdicts::of(-i64::from(libc::EIO))).is_ok() {
        let what = "have it fail before it runs, with most errnos";
        return Some(Instead { what, option: "-e", rule: format!("inject={call}:error=EIO") });
    }
    let (_, name) = NEAREST.iter().find(|(calls, _)| calls.split(' ').any(|known| known == call))?;
    hooks.operation_sites(operations::get(name)?).ok()?;
    // With all the words that it has in common with the rule, or else with the error alone.
    let words = rule.text.split_once(':').map(|(_, words)| format!("{name}:{words}"));
    let error = error(spec).map(|error| format!("{name}:error={error}"));
    let rule = words.into_iter().chain(error).find(|text| spec::operation(text).is_ok())?;
    Some(Instead { what: "fail what comes nearest", option: "--io", rule })
}

/// The same for a rule on an operation before which nobody can wait.
pub(super) fn of_delay(rule: &OperationRule) -> Option<Instead> {
    rule.delay.map(pause)
}

/// The same for a rule whose error no security hook may return.
pub(super) fn of_error(rule: &OperationRule) -> Option<Instead> {
    let error = Errno::new(u16::try_from(libc::EIO).ok()?)?;
    let rule = OperationRule { error: Some(error), ..rule.clone() }.to_string();
    Some(Instead { what: "fail it with most errnos", option: "--io", rule })
}

/// Whole processes stand still where single calls cannot wait: as long as one of them would, a tenth of the time.
fn pause(delay: Delay) -> Instead {
    let rule = match delay {
        Delay::Forever => "pause".into(),
        Delay::For { time, .. } => {
            let length = time.max(Duration::from_millis(1));
            let every = (10 * length).max(Duration::from_millis(100));
            let [length, every] = [length, every].map(|time| Delay::For { time, jitter: Duration::ZERO });
            format!("pause:for={length}:every={every}")
        }
    };
    Instead { what: "have all processes of a target stand still", option: "--process", rule }
}

/// The first error that a rule gives its calls.
fn error(spec: &SyscallRule) -> Option<Errno> {
    match spec.effect.result.as_ref()? {
        CallResult::Errors(errors) => errors.first().map(|&(error, _)| error),
        CallResult::Value(_) => None,
    }
}
