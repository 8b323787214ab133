//! The ABIs through which a program of one machine can call its kernel, and a system call as one of
//! them numbers it. The same name has other numbers under other ABIs (read is 0 on x86-64, 3 on i386),
//! so a name alone never identifies a call to the kernel side; a [`Call`] does.

use std::fmt;

/// The architectures that injector knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Machine {
    /// x86-64, with i386 and x32 as further ABIs.
    X86_64,
    /// 64-bit Arm, with AArch32 as a further ABI.
    Arm64,
}

impl Machine {
    /// The machine that this program was built for.
    #[cfg(target_arch = "x86_64")]
    pub const HOST: Self = Self::X86_64;
    /// The machine that this program was built for.
    #[cfg(target_arch = "aarch64")]
    pub const HOST: Self = Self::Arm64;

    /// All ABIs of this machine, the native one first, in the order of strace's personalities.
    pub const fn abis(self) -> &'static [Abi] {
        match self {
            Self::X86_64 => &[Abi::X86_64, Abi::I386, Abi::X32],
            Self::Arm64 => &[Abi::Arm64, Abi::Arm],
        }
    }
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
compile_error!("injector knows the system calls of x86_64 and aarch64; add a table for this machine");

/// One way to call the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Abi {
    /// Native 64-bit calls of x86-64.
    X86_64,
    /// 32-bit calls of x86 (`int 0x80`, `sysenter`), also those that a 64-bit program makes that way.
    I386,
    /// 64-bit calls of x86-64 with 32-bit pointers; their numbers carry [`Abi::X32_BIT`].
    X32,
    /// Native calls of arm64.
    Arm64,
    /// 32-bit calls on arm64.
    Arm,
}

impl Abi {
    /// Marks the number of an x32 call (`__X32_SYSCALL_BIT`, arch/x86/include/uapi/asm/unistd.h).
    pub const X32_BIT: u32 = 0x4000_0000;

    /// What the kernel side can tell apart at a call's entry: 0 for a 64-bit entry (x32 comes that way
    /// too and differs by its number), 1 for a 32-bit one.
    pub const fn index(self) -> u32 {
        match self {
            Self::X86_64 | Self::X32 | Self::Arm64 => 0,
            Self::I386 | Self::Arm => 1,
        }
    }

    /// The machine that has this ABI.
    pub const fn machine(self) -> Machine {
        match self {
            Self::X86_64 | Self::I386 | Self::X32 => Machine::X86_64,
            Self::Arm64 | Self::Arm => Machine::Arm64,
        }
    }

    /// strace's word behind the `@`: `64`, `32` or `x32`.
    pub const fn designator(self) -> &'static str {
        match self {
            Self::X86_64 | Self::Arm64 => "64",
            Self::I386 | Self::Arm => "32",
            Self::X32 => "x32",
        }
    }

    /// The name by which reports and the event log call this ABI; also its name in the table's file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::I386 => "i386",
            Self::X32 => "x32",
            Self::Arm64 => "arm64",
            Self::Arm => "arm",
        }
    }

    /// The ABI with this [`Abi::name`].
    pub(super) fn from_name(name: &str) -> Option<Self> {
        [Self::X86_64, Self::I386, Self::X32, Self::Arm64, Self::Arm]
            .into_iter()
            .find(|abi| abi.name() == name)
    }

    /// The number that a program of this ABI puts into its register for call `number` of the table.
    pub(super) const fn register(self, number: u32) -> u32 {
        match self {
            Self::X32 => number | Self::X32_BIT,
            _ => number,
        }
    }
}

impl fmt::Display for Abi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A system call of one ABI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Call {
    /// The ABI that numbers it.
    pub abi: Abi,
    /// Its number, as the program puts it into the register: with [`Abi::X32_BIT`] for x32.
    pub number: u32,
}
