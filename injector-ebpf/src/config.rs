//! What the loader fixes before the programs are loaded: the configuration of the plan, and where the running kernel has
//! the fields that are read. All of it is constant to the verifier, which drops the branches that it excludes.

use injector_common::config::Config;

/// Fixed when the plan is loaded. Read by [`fixed`], never directly: the compiler knows only the
/// zeroes that stand here.
#[unsafe(no_mangle)]
#[unsafe(link_section = ".rodata.config")]
// SAFETY: Config is plain data.
pub static CONFIG: Config = unsafe { core::mem::zeroed() };

/// Reads a field of [`CONFIG`] as the loader wrote it. The map is frozen, so the verifier takes the value
/// for a constant and drops the branches that it excludes.
#[inline(always)]
pub fn fixed<T: Copy>(field: &T) -> T {
    // SAFETY: a reference; volatile, since the value is not the one in the source.
    unsafe { core::ptr::read_volatile(field) }
}

/// A field of the configuration.
macro_rules! config {
    ($($field:tt)+) => { $crate::config::fixed(&$crate::config::CONFIG.$($field)+) };
}
pub(crate) use config;

/// A field behind a pointer to one of the structures of [`injector_common::config::ObjectOffsets`].
macro_rules! field {
    ($base:expr, $field:ident) => {
        $crate::task::probe(
            $base as *const core::ffi::c_void,
            $crate::config::config!(objects.$field) as usize,
        )
    };
}
pub(crate) use field;

/// An offset of a kernel structure's field, see [`injector_common::config::Offsets`].
macro_rules! offset {
    ($($field:tt)+) => { $crate::config::config!(offsets.$($field)+) as usize };
}
pub(crate) use offset;

/// Does a rule of the plan need this? Where none does, the verifier drops what would do it.
#[inline(always)]
pub fn uses(feature: u32) -> bool {
    config!(features) & feature != 0
}
