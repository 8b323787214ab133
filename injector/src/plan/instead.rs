//! What this kernel can do in place of what a rule asks for: the rule that comes nearest, to be typed as it stands.

use crate::{
    operations,
    plan::backend::{Backend, BackendKind, Verdicts},
    spec::{
        self,
        effect::CallResult,
        errno::Errno,
        model::{Rule, RuleKind, SyscallRule},
    },
    syscalls,
};

/// Calls that pass no security hook, with the operation whose failure programs meet in the same way: what these say of
/// a file is that its data did not reach the disk.
const NEAREST: [(&str, &str); 2] =
    [("fsync fdatasync sync_file_range msync close", "write"), ("readahead fadvise64 lseek", "read")];

/// An option with a rule in place of `rule`, which `call` kept from being had; `None` if nothing comes near.
pub(super) fn instead(rule: &Rule, call: &str, backends: &[&dyn Backend]) -> Option<String> {
    let RuleKind::Syscall(spec) = &rule.kind else { return None };
    let hooks = backends.iter().find(|backend| backend.kind() == BackendKind::Hook)?;
    spec.effect.result.as_ref()?;
    let mut entries = spec.calls.iter().filter_map(|&call| syscalls::get(call));
    let entry = entries.find(|entry| entry.name == call)?;
    if hooks.sites(entry, Verdicts::of(-i64::from(libc::EIO))).is_ok() {
        return Some(format!(
            "this kernel can have it fail before it runs, with most errnos: -e inject={call}:error=EIO"
        ));
    }
    let (_, name) = NEAREST.iter().find(|(calls, _)| calls.split(' ').any(|known| known == call))?;
    hooks.operation_sites(operations::get(name)?).ok()?;
    // With all the words that it has in common with the rule, or else with the error alone.
    let words = rule.text.split_once(':').map(|(_, words)| format!("{name}:{words}"));
    let error = error(spec).map(|error| format!("{name}:error={error}"));
    let text = words.into_iter().chain(error).find(|text| spec::operation(text).is_ok())?;
    Some(format!("this kernel can fail what comes nearest: --io '{text}'"))
}

/// The first error that a rule gives its calls.
fn error(spec: &SyscallRule) -> Option<Errno> {
    match spec.effect.result.as_ref()? {
        CallResult::Errors(errors) => errors.first().map(|&(error, _)| error),
        CallResult::Value(_) => None,
    }
}
