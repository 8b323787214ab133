//! Containers: named from the host, and from a sidecar that has only the rights of the documentation. Podman with crun.

mod names;
mod podman;
mod sidecar;

use anyhow::Result;
use injector_tests::residue::{Census, Exceptions};

/// One pool for all of it: a container takes seconds to start in an emulated machine.
#[test]
fn containers_by_name_and_from_a_sidecar() -> Result<()> {
    podman::make_storage()?;
    let census = Census::take()?;
    let pool = podman::Pool::start()?;
    sidecar::has_the_rights_of_the_documentation(&pool)?;
    names::a_server_through_three_restarts(&pool)?;
    names::many_and_none(&pool.third)?;
    drop(pool);
    census.gone(Exceptions::None)?;
    Ok(())
}
