//! How a load came to its end.

/// How a load ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ended {
    /// How many operations there were.
    pub made: u64,
    /// The command that should run all the while ended before it was told to: `exit 1`, `signal KILL`, or why it never
    /// began.
    pub died: Option<String>,
    /// Lines of the command that came later than any operation may take. Their samples count for the time when they came.
    pub late_lines: u64,
    /// Lines of the command that say nothing of an operation.
    pub other_lines: u64,
}
