//! Units of systemd: their names, and whether one is installed that does not run.

use std::path::{Path, PathBuf};

/// Kinds of units that have a cgroup.
const SUFFIXES: [&str; 6] = [".service", ".scope", ".slice", ".socket", ".mount", ".swap"];

/// Where units are (systemd.unit(5)).
const FOLDERS: [&str; 8] = [
    "etc/systemd/system",
    "run/systemd/system",
    "run/systemd/transient",
    "run/systemd/generator",
    "usr/local/lib/systemd/system",
    "usr/lib/systemd/system",
    "lib/systemd/system",
    "run/systemd/generator.late",
];

/// The whole name: that of a service if nothing else is said, as for systemctl.
pub(super) fn whole(name: &str) -> String {
    let is_pattern = name.starts_with('/') && name.ends_with('/');
    let complete = is_pattern || SUFFIXES.iter().any(|suffix| name.ends_with(suffix));
    if complete { name.to_owned() } else { format!("{name}.service") }
}

/// Is it a unit's cgroup?
pub(super) fn is_one(name: &str) -> bool {
    SUFFIXES.iter().any(|suffix| name.ends_with(suffix))
}

/// Does the cgroup belong to a user's own manager, whose units `systemctl --user` knows?
pub(super) fn is_users(path: &Path) -> bool {
    path.parent().is_some_and(|parent| {
        parent.iter().filter_map(|part| part.to_str()).any(|part| part.starts_with("user@"))
    })
}

/// The file of a unit that may not run; that of its template for an instance.
pub(super) fn installed(roots: &[PathBuf], unit: &str) -> Option<PathBuf> {
    let template =
        unit.split_once('@').and_then(|(name, rest)| Some(format!("{name}@{}", &rest[rest.rfind('.')?..])));
    let names = [Some(unit.to_owned()), template];
    let files = roots.iter().flat_map(|root| FOLDERS.map(|folder| root.join(folder)));
    let mut files = files.flat_map(|folder| names.clone().into_iter().flatten().map(move |n| folder.join(n)));
    files.find(|file| file.exists() || file.is_symlink())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn names_as_systemctl_takes_them() {
        for (name, unit) in [
            ("redis", "redis.service"),
            ("redis.service", "redis.service"),
            ("user.slice", "user.slice"),
            ("web@1", "web@1.service"),
            ("web@*", "web@*.service"),
            ("/^web/", "/^web/"),
        ] {
            assert_eq!(whole(name), unit);
        }
    }

    #[test]
    fn a_unit_that_does_not_run() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("usr/lib/systemd/system");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("web@.service"), "").unwrap();
        let roots = [root.path().to_owned()];
        assert!(installed(&roots, "web@7.service").is_some());
        assert!(installed(&roots, "web.service").is_none());
    }

    #[test]
    fn units_of_users() {
        assert!(is_users(Path::new("/user.slice/user-7.slice/user@7.service/app.slice/dbus.service")));
        assert!(!is_users(Path::new("/user.slice/user-7.slice/user@7.service")));
        assert!(!is_users(Path::new("/system.slice/dbus.service")));
    }
}
