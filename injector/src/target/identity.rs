//! Whom a command runs as, where that is another user than the injector's own: `run --user`, as strace's `-u`.

use std::{env, ffi::CString, io};

use nix::unistd::{Gid, Uid, User, getgrouplist, setgid, setgroups, setuid};

use crate::printable::Printable;

/// A user of this machine, with the groups that a login would have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    uid: Uid,
    gid: Gid,
    groups: Vec<Gid>,
}

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// Nobody has this name or number.
    #[error("there is no user {}", Printable(.0))]
    Unknown(String),
    /// No user was named, and sudo does not say either who called it.
    #[error("no user was named, and $SUDO_UID, which would name the one who typed sudo, is not set")]
    Nobody,
    /// The machine's list of users cannot be read.
    #[error("cannot look up the user {}: {source}", Printable(.name))]
    Lookup {
        /// The name or number.
        name: String,
        /// Why.
        source: io::Error,
    },
}

impl IdentityError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Unknown(_) => "name one that `getent passwd` lists, or its number",
            Self::Nobody => "name one, as in --user=www-data",
            Self::Lookup { .. } => "give the user's number",
        }
    }
}

impl Identity {
    /// The user with this name or number.
    ///
    /// # Errors
    /// There is no such user, or the list of users cannot be read.
    pub fn of(name: &str) -> Result<Self, IdentityError> {
        let failed = |errno: nix::Error| IdentityError::Lookup { name: name.into(), source: errno.into() };
        let user = match name.parse() {
            Ok(number) => User::from_uid(Uid::from_raw(number)),
            Err(_) => User::from_name(name),
        };
        let user = user.map_err(failed)?.ok_or_else(|| IdentityError::Unknown(name.into()))?;
        let login = CString::new(user.name).map_err(|_| IdentityError::Unknown(name.into()))?;
        let groups = getgrouplist(&login, user.gid).map_err(failed)?;
        Ok(Self { uid: user.uid, gid: user.gid, groups })
    }

    /// The user who called sudo, by `$SUDO_UID`.
    ///
    /// # Errors
    /// sudo was not called, or as for [`Self::of`].
    pub fn of_sudo() -> Result<Self, IdentityError> {
        env::var("SUDO_UID").map_err(|_| IdentityError::Nobody).and_then(|number| Self::of(&number))
    }

    /// The numbers of the user and of the group that files of theirs have.
    #[cfg(feature = "experiment")]
    pub(crate) fn numbers(&self) -> (u32, u32) {
        (self.uid.as_raw(), self.gid.as_raw())
    }

    /// Makes the calling process that user for good. Allocates nothing, so that it may be called between fork and exec.
    pub(crate) fn take(&self) -> io::Result<()> {
        setgroups(&self.groups)?;
        setgid(self.gid)?;
        Ok(setuid(self.uid)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_known_by_name_and_number() {
        let root = Identity::of("root").unwrap();
        assert_eq!(root, Identity::of("0").unwrap());
        assert_eq!((root.uid.as_raw(), root.groups.contains(&Gid::from_raw(0))), (0, true));
        assert!(matches!(Identity::of("no such user"), Err(IdentityError::Unknown(_))));
    }
}
