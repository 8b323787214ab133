//! What `--version` says: the version, and the commit that the program was built from. `cargo xtask` tells the commit,
//! or build.rs from what cargo writes into a package; a plain `cargo build` of a checkout names none.

use std::sync::LazyLock;

/// As in `0.1.0 (671cc303393a)`.
pub(super) fn version() -> &'static str {
    static VERSION: LazyLock<String> = LazyLock::new(|| {
        let version = env!("CARGO_PKG_VERSION");
        option_env!("INJECTOR_COMMIT")
            .map_or_else(|| version.to_owned(), |commit| format!("{version} ({commit})"))
    });
    &VERSION
}
