//! Which tests run on one kernel only: those that say the same on every one, since what they look at is decided in
//! user space or by the same BPF instructions. What depends on the kernel (how programs are attached, what the
//! verifier takes, what is left behind) runs on all.

use crate::kernel::Name;

/// A suite, a module of it (empty for all), and its kernel: for decisions about packets the oldest, whose verifier
/// follows a loop's body once and has been wrong about what it then took for constants.
const ONE_KERNEL: [(&str, &str, Name); 8] = [
    ("changes", "terminal::", Name::Debian612),
    ("commands", "", Name::Debian612),
    ("packets", "choices::", Name::Debian61),
    ("packets", "models::", Name::Debian61),
    ("packets", "names::", Name::Debian61),
    ("packets", "netem::", Name::Debian61),
    ("refusals", "rules::", Name::Debian612),
    ("reports", "", Name::FaultInjection),
];

/// All that runs on arm64 beside kernels of the host's own kind, where everything would take too long.
const SMOKE: &str = "smoke";

/// What libtest is to leave out of `suite` on `kernel`, if these `kernels` are tested; `None` for all of it. A kernel
/// that is asked for alone runs everything.
pub(super) fn left_out(suite: &str, kernel: Name, kernels: &[Name]) -> Option<Vec<&'static str>> {
    let elsewhere =
        |place: &&(&str, &str, Name)| place.0 == suite && place.2 != kernel && kernels.contains(&place.2);
    let beside = Name::ALL.iter().any(|native| kernels.contains(native));
    if beside && (suite == SMOKE) == Name::ALL.contains(&kernel) {
        return None;
    }
    let modules: Vec<_> = ONE_KERNEL.iter().filter(elsewhere).map(|place| place.1).collect();
    if modules.contains(&"") { None } else { Some(modules) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suite_runs_whole_or_in_part_or_elsewhere() {
        let all = Name::ALL;
        assert_eq!(left_out("commands", Name::Debian612, &all), Some(vec![]));
        assert_eq!(left_out("commands", Name::Debian61, &all), None);
        assert_eq!(left_out("refusals", Name::Debian61, &all), Some(vec!["rules::"]));
        assert_eq!(left_out("calls", Name::Debian61, &all), Some(vec![]));
        assert_eq!(left_out("commands", Name::Debian61, &[Name::Debian61]), Some(vec![]));
    }

    #[test]
    fn arm64_runs_all_only_when_it_is_asked_for() {
        let arm = Name::Debian612Arm64;
        let all = [Name::Debian612, arm];
        assert_eq!(left_out("calls", arm, &all), None);
        assert_eq!(left_out("smoke", arm, &all), Some(vec![]));
        assert_eq!(left_out("smoke", Name::Debian612, &all), None);
        assert_eq!(left_out("calls", arm, &[arm]), Some(vec![]));
        assert_eq!(left_out("smoke", arm, &[arm]), Some(vec![]));
    }
}
