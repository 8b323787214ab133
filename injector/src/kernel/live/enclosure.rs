//! What goes with a request to a live plan and is too long for a message: the tables of distributions, in a map of
//! whoever asks. It is found by its number, and gone when whoever made it is.

use std::{
    io,
    os::fd::{AsFd as _, OwnedFd},
};

use aya_obj::generated::bpf_map_type::BPF_MAP_TYPE_ARRAY;
use injector_common::delay::{TABLE_SIZE, Table};

use crate::kernel::bpf::sys;

/// Its name in the kernel.
const NAME: &str = "injector_tables";

/// Tables on their way to a plan.
#[derive(Debug)]
pub struct Enclosure(OwnedFd);

impl Enclosure {
    /// Puts them into a map; there is at least one.
    ///
    /// # Errors
    /// bpf(2)'s: a right is missing, or there is no memory or descriptor.
    pub fn make<'a>(tables: impl ExactSizeIterator<Item = &'a Table>) -> io::Result<Self> {
        let shape = sys::MapShape {
            name: NAME,
            kind: BPF_MAP_TYPE_ARRAY as u32,
            key_size: 4,
            value_size: u32::try_from(size_of::<Table>()).unwrap_or(u32::MAX),
            max_entries: u32::try_from(tables.len()).unwrap_or(u32::MAX),
            ..sys::MapShape::default()
        };
        let map = sys::create_map(&shape)?;
        for (place, table) in (0u32..).zip(tables) {
            sys::update(map.as_fd(), &place.to_ne_bytes(), bytemuck::cast_slice(table))?;
        }
        Ok(Self(map))
    }

    /// Its number.
    ///
    /// # Errors
    /// bpf(2)'s, if the kernel cannot tell it.
    pub fn number(&self) -> io::Result<u32> {
        sys::map_id(self.0.as_fd())
    }

    /// The first `count` tables of the one with this number.
    ///
    /// # Errors
    /// bpf(2)'s: `NotFound` if the map has gone or has fewer tables; `InvalidData` if it is a map of
    /// something else.
    pub fn read(number: u32, count: usize) -> io::Result<Vec<Box<Table>>> {
        let map = sys::open_map(number)?;
        let (name, size) = sys::map_name(map.as_fd())?;
        if name != NAME || size as usize != size_of::<Table>() {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let read = |place: u32| {
            let mut table = Box::new([0; TABLE_SIZE]);
            let bytes: &mut [u8] = bytemuck::cast_slice_mut(&mut table[..]);
            sys::lookup(map.as_fd(), &place.to_ne_bytes(), bytes)?;
            Ok(table)
        };
        (0..).take(count).map(read).collect()
    }
}
