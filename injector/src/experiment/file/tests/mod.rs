//! Files that are read, and files that are refused.

mod examples;
