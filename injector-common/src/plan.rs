//! How a live plan introduces itself: a map that any injector on the machine can find by its name, with
//! no file that could be stale. What `ps` lists is what is loaded.

use bytemuck::{Pod, Zeroable};

/// The map's name, cut to the kernel's 15 characters.
pub const MAP_NAME: &str = "injector_plan";

/// The first bytes of the map's value.
pub const MAGIC: u64 = u64::from_be_bytes(*b"injector");

/// The version of this layout, and of those that it leads to: [`crate::shared::Shared`] and
/// [`crate::counters::Counters`]. An injector reads plans of its own version only, because the kernel copies as many
/// bytes as the writer's layout has, whatever room the reader has.
pub const SCHEMA: u32 = 3;

/// Bytes of text behind the header.
pub const TEXT: usize = 8192;

/// The header of the map's only value. The text follows: lines of `key=value`, see the user side.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct PlanHeader {
    /// [`MAGIC`].
    pub magic: u64,
    /// [`SCHEMA`].
    pub schema: u32,
    /// The injector's process number, in its own namespace.
    pub pid: u32,
    /// The plan.
    pub plan: u64,
    /// When it was applied, `CLOCK_BOOTTIME` nanoseconds.
    pub started: u64,
    /// The inode of the injector's pid namespace: tells whether `pid` means something to a reader.
    pub pid_namespace: u64,
    /// The kernel's id of the map with [`crate::shared::Shared`].
    pub shared_map: u32,
    /// The kernel's id of the map with the counters.
    pub counters_map: u32,
    /// The kernel's id of the map by which the plan takes requests.
    pub requests_map: u32,
    /// The kernel's id of the map with its answers.
    pub answers_map: u32,
    /// How often the plan was changed.
    pub revision: u32,
    /// Rule numbers given out so far: entries of the counters that mean something.
    pub rules: u32,
    /// Bytes of text in use.
    pub text: u32,
    /// Explicit padding.
    pub _pad: u32,
}

const _: () = assert!(size_of::<PlanHeader>() == 72);
