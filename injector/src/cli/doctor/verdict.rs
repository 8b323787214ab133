//! The doctor's verdict in three lines: whether injector works on this kernel, what it can do here, and what it cannot; or
//! what is in the way, and what to do.

use injector::plan::unsupported::{Fault, Mechanism, Unsupported};

use crate::cli::{color, output};

/// What keeps everything from working.
#[derive(Debug)]
pub(super) struct Obstacle {
    why: String,
    remedy: String,
    pub(super) fault: Fault,
}

impl Obstacle {
    pub(super) fn of(cause: &Unsupported) -> Self {
        Self { why: cause.to_string(), remedy: cause.remedy.clone(), fault: cause.fault }
    }

    pub(super) fn of_limit(why: &str, remedy: &str) -> Self {
        Self { why: why.into(), remedy: remedy.into(), fault: Fault::Machine }
    }
}

/// What there is to say.
pub(super) struct Verdict<'a> {
    /// Its version.
    pub(super) kernel: &'a str,
    pub(super) results: &'a [(Mechanism, Result<(), Unsupported>)],
    pub(super) obstacle: Option<&'a Obstacle>,
}

impl Verdict<'_> {
    /// Three lines, each a few words wide at its beginning.
    pub(super) fn text(&self) -> String {
        let kernel = format!("kernel {} on {}", self.kernel, std::env::consts::ARCH);
        let (can, cannot) = self.abilities();
        let lines = match self.obstacle {
            Some(Obstacle { why, remedy, .. }) => [
                format!("{kernel}: {}", color::bad("no rule can be had")),
                format!("why:     {}", output::shown(why.trim())),
                format!("do:      {remedy}"),
            ],
            None if cannot.is_empty() => [
                format!("{kernel}: {}", color::good("all rules can be had")),
                format!("can:     {}", can.join("; ")),
                "cannot:  nothing of it".into(),
            ],
            None => [
                format!("{kernel}: {}", color::good("rules can be had, with some limits")),
                format!("can:     {}", can.join("; ")),
                format!("cannot:  {}; `injector doctor -v` says why", cannot.join("; ")),
            ],
        };
        lines.map(|line| line + "\n").concat()
    }

    fn works(&self, mechanism: Mechanism) -> bool {
        self.results.iter().any(|(known, result)| *known == mechanism && result.is_ok())
    }

    /// What can be done, and what cannot, in the words of rules.
    fn abilities(&self) -> (Vec<&'static str>, Vec<&'static str>) {
        use Mechanism as M;
        let devices = self.works(M::Tcx) || self.works(M::Clsact);
        let (mut can, mut cannot) = self.on_calls();
        let parts = [
            (self.works(M::CgroupIngress) && devices, "loss of packets (--net)"),
            (devices && self.works(M::DelayLine), "delays of packets"),
            (self.works(M::CgroupConnect), "connect="),
            (self.works(M::Sockets), "packets of process trees (--net with --pid)"),
        ];
        if parts.iter().all(|(works, _)| *works) {
            can.push("packets (--net)");
        } else {
            for (works, part) in parts {
                if works { &mut can } else { &mut cannot }.push(part);
            }
        }
        let processes = self.works(M::Freezer) && self.works(M::Pidfd);
        if processes { &mut can } else { &mut cannot }.push("pauses and signals (--process)");
        if !self.works(M::CgroupV2) {
            cannot.push("targets other than --pid");
        }
        (can, cannot)
    }

    /// The same of calls and operations.
    fn on_calls(&self) -> (Vec<&'static str>, Vec<&'static str>) {
        use Mechanism as M;
        let (any, hooks) = (self.works(M::FmodRet) || self.works(M::Kprobe), self.works(M::Hook));
        let (any_delay, some_delays) = (self.works(M::CallDelay), self.works(M::CallDelayHook));
        let (mut can, mut cannot) = (Vec::new(), Vec::new());
        if hooks { &mut can } else { &mut cannot }.push("errors of operations (--io)");
        match (any, hooks) {
            (true, _) => can.push("errors of any call"),
            (false, true) => can.push("errors of some 80 calls"),
            (false, false) => cannot.push("errors of calls"),
        }
        match (any_delay, some_delays) {
            (true, true) => can.push("delays"),
            (true, false) => {
                can.push("delays of any call");
                cannot.push("delays of operations");
            }
            (false, true) => can.push("delays of some of these"),
            (false, false) => cannot.push("delays of calls"),
        }
        match (!any && hooks, !any_delay && some_delays) {
            (true, true) => cannot.push("errors and delays of other calls, such as fsync"),
            (true, false) => cannot.push("errors of other calls, such as fsync"),
            (false, true) => cannot.push("delays of other calls, such as fsync"),
            (false, false) => {}
        }
        let values = [(self.works(M::Kprobe), "retval=0"), (self.works(M::Kretprobe), "at=exit")];
        if any {
            for (works, value) in values {
                if works { &mut can } else { &mut cannot }.push(value);
            }
        } else {
            cannot.extend(["retval=", "at=exit"]);
        }
        (can, cannot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(missing: &[Mechanism]) -> String {
        let result = |mechanism| {
            let cause = Unsupported::missing(mechanism, "it is not there", "get it");
            (mechanism, if missing.contains(&mechanism) { Err(cause) } else { Ok(()) })
        };
        Verdict { kernel: "6.12", results: &Mechanism::ALL.map(result), obstacle: None }.text()
    }

    #[test]
    fn what_works_is_told_in_three_lines() {
        use Mechanism as M;
        let all = text(&[]);
        assert!(all.contains("all rules can be had") && all.contains("delays; retval=0"), "{all}");
        let debian = text(&[M::FmodRet, M::Kprobe, M::Kretprobe, M::CallDelay]);
        assert!(
            debian.contains("can:     errors of operations (--io); errors of some 80 calls; delays of some of these; packets (--net)"),
            "{debian}"
        );
        assert!(
            debian.contains("cannot:  errors and delays of other calls, such as fsync; retval=; at=exit;"),
            "{debian}"
        );
        for said in [all, debian, text(&Mechanism::ALL)] {
            assert_eq!(said.lines().count(), 3, "{said}");
        }
    }

    #[test]
    fn what_is_in_the_way_is_told_in_three_lines() {
        let obstacle = Obstacle::of_limit("too few", "raise it");
        let said = Verdict { kernel: "6.12", results: &[], obstacle: Some(&obstacle) }.text();
        let lines: Vec<_> = said.lines().collect();
        assert_eq!(lines[1..], ["why:     too few", "do:      raise it"]);
    }
}
