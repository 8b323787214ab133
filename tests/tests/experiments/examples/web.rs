//! The tutorial's web server, which dies and comes back.

use anyhow::{Result, ensure};
use injector::experiment::judge::Truth;

use super::controls;

/// What visitors of the tutorial do in the end; here the server takes longer to come back.
const TWICE: &str = "curl --silent --fail --retry 15 --retry-all-errors --retry-delay 1";

#[test]
fn visitors_who_try_again_do_not_notice() -> Result<()> {
    let common = [("rate", "1/s"), ("curl", TWICE)];
    let [held, not_held, watched] = controls("web-dies.yaml", &common, &[("curl", "curl --silent --fail")])?;
    ensure!(held.fired("death") == 1 && not_held.fired("death") == 1 && watched.fired("death") == 0);
    ensure!(not_held.condition("visitors errors")?.truth == Truth::False);
    Ok(())
}
