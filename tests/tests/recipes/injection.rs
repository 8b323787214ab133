//! Recipes that need a kernel with error injection, and are refused by stock Debian's.

use anyhow::{Result, ensure};
use injector_tests::{cgroup::Scratch, guest::Kernel};

use crate::{
    document::Recipe,
    trial::{self, End, Trial},
};

pub(crate) const TRIALS: [Trial; 3] = [
    Trial {
        symptom: "fsync fails",
        program: "echo ready; read go; ! dd if=/dev/zero of=record count=1 conv=fsync status=none",
        says: &["fsync failed for 'record': Input/output error"],
        end: End::Good,
    },
    Trial {
        symptom: "Slow disk",
        program: r#"exec perl -MTime::HiRes=time -e '
            open $file, ">", "slow"; syswrite STDOUT, "ready\n"; <STDIN>; $start = time;
            syswrite $file, "x" for 1 .. 50; exit(time - $start < 50 * 0.01)'"#,
        says: &[],
        end: End::Good,
    },
    Trial {
        symptom: "Hanging disk",
        program: "echo ready; read go; dd if=/dev/zero of=hanging count=1 conv=fsync status=none",
        says: &[],
        end: End::AfterThePlan,
    },
];

#[test]
fn recipes_do_what_they_say() -> Result<()> {
    if Kernel::running()?.injects_calls() {
        return trial::all(&TRIALS);
    }
    let scratch = Scratch::new()?;
    scratch.make("system.slice/refused.service")?;
    for trial in &TRIALS {
        let refused = trial::injector(&Recipe::of(trial.symptom)?, "refused")?.expect(3)?;
        ensure!(refused.stderr.contains("CONFIG_FUNCTION_ERROR_INJECTION"), "{}", refused.stderr);
    }
    Ok(())
}
