//! A FUSE file system that is mounted nowhere: a mount of its own, without a place in any namespace, so that
//! nobody comes across it and it is gone with the last descriptor. And the kernel's switch that ends it.

use std::{
    fs::File,
    io,
    os::fd::{AsRawFd, OwnedFd},
};

use rustix::{
    fs::{Mode, OFlags, fstat, minor, openat},
    mount::{
        FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsconfig_set_string, fsmount, fsopen,
    },
};

use crate::kernel::sleep::step::{OPEN_DEVICE, Step, at};

/// The file in it.
const FILE: &str = "slots";

/// A file system that nobody serves yet.
pub(in super::super) struct Session {
    /// Where its server reads requests. Once the last descriptor is closed, the kernel ends them all.
    pub(super) device: OwnedFd,
    mount: OwnedFd,
}

impl Session {
    /// Makes it. Needs `CAP_SYS_ADMIN`.
    pub(in super::super) fn new() -> Result<Self, Step> {
        let flags = FsOpenFlags::FSOPEN_CLOEXEC;
        // First: it loads the module, which makes the device.
        let context = fsopen("fuse", flags).map_err(at("open the file system type fuse"))?;
        let modes = OFlags::RDWR | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let device = rustix::fs::open("/dev/fuse", modes, Mode::empty()).map_err(at(OPEN_DEVICE))?;
        let number = device.as_raw_fd().to_string();
        for (key, value) in [
            ("source", "injector"),
            ("fd", number.as_str()),
            ("rootmode", "40000"),
            ("user_id", "0"),
            ("group_id", "0"),
        ] {
            fsconfig_set_string(&context, key, value).map_err(at("set up a FUSE file system"))?;
        }
        fsconfig_create(&context).map_err(at("set up a FUSE file system"))?;
        let mount = detached(&context).map_err(at("mount a FUSE file system"))?;
        Ok(Self { device, mount })
    }

    /// Opens its file, once it is served; without the device, so that a server that dies is noticed.
    pub(super) fn open(self) -> Result<File, Step> {
        let Self { device, mount } = self;
        drop(device);
        let file = openat(&mount, FILE, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty());
        file.map(File::from).map_err(at("open a file of a FUSE file system"))
    }
}

/// A mount that has no place.
fn detached(context: &OwnedFd) -> rustix::io::Result<OwnedFd> {
    fsmount(context, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty())
}

/// Where one writes to have the kernel end all requests of `file`'s file system, whatever its server does
/// (fs/fuse/control.c, `fuse_conn_abort_write`).
pub(super) fn abort_switch(file: &File) -> Result<OwnedFd, Step> {
    let what = at("open the switch that ends a FUSE file system");
    let open = || -> rustix::io::Result<OwnedFd> {
        let connection = minor(fstat(file)?.st_dev);
        let context = fsopen("fusectl", FsOpenFlags::FSOPEN_CLOEXEC)?;
        fsconfig_create(&context)?;
        let mount = detached(&context)?;
        openat(&mount, format!("{connection}/abort"), OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())
    };
    open().map_err(what)
}

/// Flips it.
pub(super) fn abort(switch: &OwnedFd) -> io::Result<()> {
    rustix::io::write(switch, b"1").map(drop).map_err(io::Error::from)
}
