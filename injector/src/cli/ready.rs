//! Whoever waits for the rules to be in place is told: by a descriptor that was handed to us (`--ready-fd`), or as the
//! service manager that started us wants it (sd_notify(3)).

use std::{
    io,
    os::fd::{FromRawFd as _, OwnedFd, RawFd},
    str::FromStr,
    sync::Arc,
};

use nix::{
    fcntl::{FcntlArg, FdFlag, fcntl},
    unistd,
};
use sd_notify::NotifyState;

use crate::cli::output;

/// A descriptor that was open when this program began, ours from now on.
#[derive(Clone, Debug)]
pub(super) struct ReadyFd(Arc<OwnedFd>);

impl FromStr for ReadyFd {
    type Err = String;

    /// To be called before this program opens anything: what is open under that number is the caller's.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number: RawFd = text.parse().ok().filter(|&number| number >= 0).ok_or("it must be a number")?;
        if number == 0 || number == 2 {
            return Err("it must be 1 or above 2: this program uses 0 and 2 itself".into());
        }
        // SAFETY: nothing in this program has opened a descriptor yet, so whoever started it meant this one for it.
        let descriptor = unsafe { OwnedFd::from_raw_fd(number) };
        match fcntl(&descriptor, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)) {
            Ok(_) => Ok(Self(Arc::new(descriptor))),
            Err(error) => {
                // Nothing is open there, and so nothing is to be closed.
                std::mem::forget(descriptor);
                Err(format!("nothing is open under that number: {}", io::Error::from(error)))
            }
        }
    }
}

/// Tells that the rules of the plan with this id are in place. That nobody listens any more is no reason to end.
pub(super) fn tell(descriptor: Option<ReadyFd>, id: &str) {
    let Some(ReadyFd(descriptor)) = descriptor else { return };
    match unistd::write(&*descriptor, format!("{id}\n").as_bytes()).map_err(io::Error::from) {
        Err(error) if !output::is_gone(&error) => {
            output::note(format_args!("warning: cannot write to the descriptor of --ready-fd: {error}"));
        }
        _ => {}
    }
}

/// Tells the service manager the same, if there is one that waits for it.
pub(super) fn notify(id: &str, targets: &[String]) {
    let status = format!("plan {id} on {}", targets.join(", "));
    if let Err(error) = sd_notify::notify(false, &[NotifyState::Ready, NotifyState::Status(&status)]) {
        output::note(format_args!("warning: cannot tell the service manager ($NOTIFY_SOCKET): {error}"));
    }
}
