//! Makes a running Linux program meet the failures of real life, from the kernel: system calls that fail or stall, files
//! that return EIO, packets that are lost, late, doubled, damaged or refused. For one cgroup or process tree that runs
//! already; the program is neither restarted nor changed, and nothing stays when the fault ends, however it ends.
//!
//! An [`Injector`](engine::Injector) is told rules and targets, and makes a [`Plan`](plan::Plan) of them for this kernel,
//! or says what the kernel lacks. Applied, the plan is a [`Guard`](engine::Guard): as long as it lives, the rules act.
//! Dropping it, or the death of the process, ends them. Root is needed, and Linux 5.19 or later with BTF and version 2
//! cgroups.
//!
//! ```no_run
//! use std::{error::Error, time::Duration};
//!
//! use injector::{
//!     engine::{Injector, Start},
//!     plan::Options,
//!     target::Target,
//! };
//!
//! async fn a_bad_disk_for_redis() -> Result<(), Box<dyn Error>> {
//!     let injector = Injector::new()?
//!         .rule("inject=fsync,fdatasync:error=EIO:prob=5%".parse()?)
//!         .rule("io=write:error=ENOSPC:path=/var/lib/redis/**:when=100+".parse()?)
//!         .target(Target::cgroup("/system.slice/redis.service")?);
//!     let plan = injector.plan(Options::default().seed(42).records().duration(Duration::from_secs(30)))?;
//!     let mut guard = injector.apply(plan, Start::Now)?;
//!     let end = guard.wait(|record| println!("{record:?}")).await?;
//!     let report = guard.finish(true, |_| ())?;
//!     println!("{end:?}: {} faults", report.rules.iter().map(|rule| rule.fired).sum::<u64>());
//!     Ok(())
//! }
//! ```
//!
//! | module | what it has |
//! |---|---|
//! | [`spec`] | rules: their text, read and printed; [`spec::build`] makes them without text |
//! | [`target`] | whom they mean |
//! | [`plan`] | what this kernel makes of them, as data |
//! | [`engine`] | applying a plan, changing, watching and ending it; [`engine::control`] for the plans of others |
//! | [`blocking`] | the same for programs without an async runtime |
//! | [`child`] | a plan in a process of its own, for programs with several threads |
//! | [`faults`] | the layers of faults, each behind the trait [`Fault`](faults::fault::Fault) |
//! | [`policy`] | what may be touched on this machine |
//! | [`kernel`] | the programs in the kernel, and what they are attached to |

#![warn(clippy::missing_errors_doc)]

pub mod blocking;
pub mod child;
pub mod clock;
pub mod distribution;
pub mod engine;
#[cfg(feature = "experiment")]
pub mod experiment;
pub mod faults;
pub mod kernel;
pub mod operations;
pub mod plan;
pub mod policy;
pub mod printable;
mod readable;
pub mod resolver;
pub mod spec;
pub mod syscalls;
pub mod target;

/// The examples of that page are compiled as well.
#[cfg(doctest)]
#[doc = include_str!("../../docs/library.md")]
mod library_page {}
