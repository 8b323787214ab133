//! Which tests do not run on every kernel: those that say the same on several, since what they look at is decided in
//! user space or by the same BPF instructions, or since the kernels have the same source. What depends on the kernel
//! (how programs are attached, what the verifier takes, what is left behind) runs on all that differ in it.

use crate::kernel::Name::{self, Debian61, Debian612, Debian612Arm64, FaultInjection};

/// A suite, a module of it (empty for all), and its kernels.
///
/// Decisions about packets are made on the oldest, whose verifier follows a loop's body once and has been wrong about
/// what it then took for constants; answers and what is told to user space on one of the others.
///
/// The freezer and signals are the same code on all of them, so rules on processes run on one.
///
/// Our kernel with error injection is Debian's 6.12 with other options. Where packets, security hooks or cgroups are
/// met, the two run the same code, so there one of them stands for both: ours where calls fail as well.
const PLACES: [(&str, &str, &[Name]); 35] = [
    ("changes", "terminal::", &[FaultInjection]),
    ("changes", "", &[FaultInjection, Debian61]),
    ("child", "", &[FaultInjection, Debian612]),
    ("commands", "", &[Debian612]),
    ("containers", "", &[Debian612]),
    ("decisions", "", &[FaultInjection, Debian61]),
    ("endings", "", &[FaultInjection, Debian61]),
    ("experiments", "", &[FaultInjection]),
    ("library", "", &[Debian612]),
    ("monitor", "", &[FaultInjection, Debian61]),
    ("operations", "", &[Debian612, Debian61]),
    ("output", "", &[Debian612]),
    ("packets", "bridge::", &[Debian61]),
    ("packets", "choices::", &[Debian61]),
    ("packets", "delays::", &[Debian612]),
    ("packets", "elsewhere::", &[Debian612]),
    ("packets", "losses::", &[Debian612]),
    ("packets", "models::", &[Debian61]),
    ("packets", "names::", &[Debian61]),
    ("packets", "netem::", &[Debian61]),
    ("packets", "padding::", &[Debian612]),
    ("packets", "pauses::", &[Debian612]),
    ("packets", "refusals::", &[Debian61]),
    ("packets", "rejects::", &[Debian612]),
    ("packets", "session::", &[Debian612]),
    ("packets", "", &[Debian612, Debian61]),
    ("privileges", "", &[Debian612, Debian61]),
    ("processes", "", &[Debian61]),
    ("recipes", "stock::", &[Debian612]),
    ("recipes", "", &[FaultInjection, Debian612]),
    ("refusals", "policy::", &[Debian612]),
    ("refusals", "rules::", &[Debian612]),
    ("reports", "", &[FaultInjection]),
    ("scripts", "", &[Debian612]),
    ("targets", "", &[FaultInjection, Debian61]),
];

/// The suites that take minutes, the longest first.
const LONG: [&str; 4] = ["packets", "endings", "changes", "delays"];

/// The suites whose services keep real time, which they cannot beside other guests on the same processors.
pub(super) const ALONE: [&str; 1] = ["experiments"];

/// All that runs on arm64 beside other kernels, where everything would take too long.
pub(super) const SMOKE: &str = "smoke";
/// Where only that suite runs beside other kernels.
const SHORT: [Name; 1] = [Debian612Arm64];

/// What libtest is to leave out of `suite` on `kernel`, if these `kernels` are tested; `None` for all of it. A kernel
/// that is asked for alone runs everything.
pub(super) fn left_out(suite: &str, kernel: Name, kernels: &[Name]) -> Option<Vec<&'static str>> {
    let elsewhere = |(of, _, places): &&(&str, &str, &[Name])| {
        *of == suite && !places.contains(&kernel) && places.iter().any(|place| kernels.contains(place))
    };
    if !only_short(kernels) && (suite == SMOKE) != SHORT.contains(&kernel) {
        return None;
    }
    let modules: Vec<_> = PLACES.iter().filter(elsewhere).map(|place| place.1).collect();
    if modules.contains(&"") { None } else { Some(modules) }
}

/// How soon `suite` must begin, lowest first.
pub(super) fn rank(suite: &str) -> usize {
    LONG.iter().position(|long| *long == suite).unwrap_or(LONG.len())
}

/// Whether these kernels are all such that run everything only when no other one is tested.
pub(super) fn only_short(kernels: &[Name]) -> bool {
    kernels.iter().all(|kernel| SHORT.contains(kernel))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suite_runs_whole_or_in_part_or_elsewhere() {
        let all = Name::ALL;
        assert_eq!(left_out("commands", Debian612, &all), Some(vec![]));
        assert_eq!(left_out("commands", Debian61, &all), None);
        assert_eq!(left_out("refusals", Debian61, &all), Some(vec!["policy::", "rules::"]));
        assert_eq!(left_out("packets", FaultInjection, &all), None);
        assert_eq!(left_out("packets", FaultInjection, &[FaultInjection]), Some(vec![]));
        let elsewhere = ["delays", "elsewhere", "losses", "padding", "pauses", "rejects", "session"];
        let left_out_on_6_1 = left_out("packets", Debian61, &all).unwrap_or_default();
        assert!(left_out_on_6_1.iter().map(|module| module.trim_end_matches("::")).eq(elsewhere));
        assert_eq!(left_out("calls", Debian61, &all), Some(vec![]));
        assert_eq!(left_out("commands", Debian61, &[Debian61]), Some(vec![]));
    }

    #[test]
    fn arm64_runs_all_only_when_it_is_asked_for() {
        let (arm, all) = (Debian612Arm64, Name::ALL);
        assert_eq!(left_out("calls", arm, &all), None);
        assert_eq!(left_out("smoke", arm, &all), Some(vec![]));
        assert_eq!(left_out("smoke", Debian612, &all), None);
        assert_eq!(left_out("smoke", Debian612, &[Debian612]), None);
        assert_eq!(left_out("calls", arm, &[arm]), Some(vec![]));
        assert_eq!(left_out("smoke", arm, &[arm]), Some(vec![]));
    }
}
