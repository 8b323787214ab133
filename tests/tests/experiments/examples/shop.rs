//! A slow inventory behind a checkout with and without its circuit breaker.

use anyhow::{Result, ensure};
use injector::experiment::{journal::Phase, judge::Truth};

use super::controls;

#[test]
fn a_circuit_breaker_keeps_a_shop_open() -> Result<()> {
    let common = [("shop", env!("CARGO_BIN_EXE_shop")), ("rate", "12/s"), ("rise", "3s"), ("slow", "12s")];
    let [held, not_held, watched] = controls("retry-storm.yaml", &common, &[("breaker", "off")])?;
    for ended in [&held, &not_held] {
        ensure!(ended.fired("inventory-late") > 0);
    }
    ensure!(watched.fired("inventory-late") == 0);
    // With the breaker the inventory is asked less, without it more than it is sold.
    ensure!(held.figures("opened", Phase::During)?.max >= Some(1.0));
    ensure!(held.condition("calls max")?.measured < not_held.condition("calls max")?.measured);
    ensure!(not_held.condition("calls max")?.truth == Truth::False);
    ensure!(not_held.condition("buyers errors")?.truth == Truth::False);
    Ok(())
}
