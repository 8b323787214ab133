//! Files that are read, and files that are refused.

mod examples;
mod limits;
mod refused;
mod schema;

pub(in crate::experiment) use self::examples::EXAMPLES;
