//! Redis without its disk: with `always` it gives up, with `everysec` it forgets.

use anyhow::{Result, ensure};
use injector::experiment::{journal::Phase, judge::Truth};

use super::controls;

#[test]
fn redis_says_yes_to_nothing_that_is_not_on_the_disk() -> Result<()> {
    let common = [("rate", "4/s"), ("gone", "6s")];
    let [held, not_held, watched] = controls("redis-disk.yaml", &common, &[("fsync", "everysec")])?;
    ensure!(
        held.fired("disk-gone") > 0 && not_held.fired("disk-gone") > 0 && watched.fired("disk-gone") == 0
    );
    ensure!(held.figures("gave-up", Phase::During)?.good >= 1);
    ensure!(held.log("redis")?.contains("Can't recover from AOF write error"));
    let lost = not_held.condition("lost value")?;
    ensure!(lost.truth == Truth::False && lost.measured >= Some(1.0), "{lost:?}");
    ensure!(not_held.log("redis")?.contains("No space left on device"));
    Ok(())
}
