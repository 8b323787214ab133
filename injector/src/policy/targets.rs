//! What a policy says of a target.

use crate::policy::{Policy, PolicyError, Subject};

impl Policy {
    /// May rules be put on a target?
    ///
    /// # Errors
    /// [`PolicyError::Denied`] or [`PolicyError::NotAllowed`].
    pub fn check_target(&self, subject: &Subject) -> Result<(), PolicyError> {
        for pattern in &self.cgroups.deny {
            let covered = subject.cgroups.iter().find(|name| pattern.covers(name));
            let held = || subject.below.iter().find(|name| pattern.means(name));
            if let Some(cgroup) = covered.or_else(held) {
                let (target, cgroup, pattern) = (subject.target.clone(), cgroup.clone(), pattern.to_string());
                return Err(PolicyError::Denied { target, cgroup, pattern });
            }
        }
        let Some(allowed) = &self.cgroups.allow else { return Ok(()) };
        let outside = subject.cgroups.iter().find(|name| !allowed.iter().any(|pattern| pattern.covers(name)));
        match outside {
            Some(cgroup) => {
                Err(PolicyError::NotAllowed { target: subject.target.clone(), cgroup: cgroup.clone() })
            }
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn what_is_allowed_and_not_denied() {
        let text =
            "[cgroups]\nallow = [\"/system.slice/web-*\", \"/pods\"]\ndeny = [\"/pods/system\", \"*-db\"]";
        let policy = Policy::parse(text).unwrap();
        for (cgroups, below, part) in [
            (&["/system.slice/web-1"][..], &[][..], ""),
            (&["/system.slice/web-1/worker"], &[], ""),
            (&["/pods/one"], &["/pods/one/a"], ""),
            // All of them have to be allowed.
            (&["/pods/one", "/user.slice"], &[], "no pattern of `allow`"),
            (&["/system.slice"], &["/system.slice/web-1"], "no pattern of `allow`"),
            // A target is everything below it, too.
            (&["/pods"], &["/pods/one", "/pods/system"], "`/pods/system`"),
            (&["/pods/system/dns"], &[], "`/pods/system`"),
            (&["/system.slice/web-db"], &[], "`*-db`"),
        ] {
            let paths = |names: &[&str]| names.iter().map(PathBuf::from).collect();
            let subject = Subject { cgroups: paths(cgroups), below: paths(below), ..Subject::default() };
            let said = policy.check_target(&subject).err().map(|error| error.to_string()).unwrap_or_default();
            assert_eq!(said.is_empty(), part.is_empty(), "{cgroups:?} {below:?}: {said}");
            assert!(said.contains(part), "{cgroups:?} {below:?}: {said}");
            assert!(Policy::default().check_target(&subject).is_ok());
        }
    }
}
