//! Rules that are none: wrong names, wrong numbers, wrong units, rules that could never match.

use anyhow::{Result, ensure};
use injector_tests::injector::Injector;

use crate::{nothing_left, parts, refused};

#[test]
fn an_unknown_system_call() -> Result<()> {
    nothing_left(|| {
        refused(
            &["-e", "inject=fsyn:error=EIO"],
            2,
            &parts("inject=fsyn:error=EIO", "`fsyn` is not a system call", "did you mean `fsync`?"),
        )?;
        // As any of a list, and by the other spelling of the option.
        refused(
            &["--syscall", "read,wirte:error=EIO"],
            2,
            &parts("read,wirte:error=EIO", "`wirte` is not a system call", "did you mean `write`?"),
        )?;
        refused(
            &["-e", "fault=99999:error=EIO"],
            2,
            &parts("fault=99999", "has the number 99999", "name the call"),
        )
    })
}

#[test]
fn an_unknown_class_pattern_or_abi() -> Result<()> {
    nothing_left(|| {
        refused(
            &["-e", "inject=%netwrk:error=EIO"],
            2,
            &parts("inject=%netwrk:error=EIO", "`%netwrk` is not a class", "did you mean `%network`?"),
        )?;
        refused(
            &["-e", "inject=/^nosuch:error=EIO"],
            2,
            &parts("/^nosuch", "no system call matches", "anywhere in a name"),
        )?;
        refused(
            &["-e", "inject=/re(ad:error=EIO"],
            2,
            &parts("/re(ad", "is not valid", "regular expression"),
        )?;
        refused(&["-e", "inject=read@16:error=EIO"], 2, &parts("read@16", "`@16` is not an ABI", "`@64`"))
    })
}

#[test]
fn an_unknown_errno() -> Result<()> {
    nothing_left(|| {
        refused(
            &["-e", "inject=read:error=EIOO"],
            2,
            &parts("inject=read:error=EIOO", "EIOO is not an errno", "did you mean `EIO`?"),
        )?;
        refused(
            &["-e", "inject=read:error=4096"],
            2,
            &parts("error=4096", "4096 is not the number of an error", "4095"),
        )?;
        refused(
            &["-e", "inject=read:error=0"],
            2,
            &parts("error=0", "0 is not the number of an error", "1 to 4095"),
        )
    })
}

#[test]
fn an_unknown_or_missing_unit() -> Result<()> {
    nothing_left(|| {
        refused(&["-e", "inject=read:error=EIO:prob=5"], 2, &parts("prob=5", "has no unit", "`5%`"))?;
        refused(
            &["-e", "inject=read:error=EIO:prob=5percent"],
            2,
            &parts("prob=5percent", "not a probability", "`5%`"),
        )?;
        refused(
            &["-e", "inject=read:error=EIO:prob=101%"],
            2,
            &parts("prob=101%", "not a probability", "from 0 to 1"),
        )?;
        refused(&["--net", "tcp : loss 10"], 2, &parts("tcp : loss 10", "has no `%`", "`loss 10%`"))?;
        refused(&["--for", "30", "-e", "inject=read:error=EIO"], 2, &parts("30", "no unit", "`30s`"))?;
        refused(
            &["--for", "30 parsecs", "-e", "inject=read:error=EIO"],
            2,
            &parts("30 parsecs", "not a duration", "30s"),
        )
    })
}

#[test]
fn a_when_that_is_none() -> Result<()> {
    nothing_left(|| {
        refused(
            &["-e", "inject=read:error=EIO:when=0"],
            2,
            &parts("inject=read:error=EIO:when=0", "counted from 1", "`when=3` for the third match"),
        )?;
        refused(
            &["-e", "inject=read:error=EIO:when=3+0"],
            2,
            &parts("when=3+0", "step of 0", "when=3..9+2"),
        )?;
        refused(
            &["-e", "inject=read:error=EIO:when=70000"],
            2,
            &parts("when=70000", "70000 is above", "when=3+"),
        )?;
        refused(
            &["-e", "inject=read:error=EIO:when=third"],
            2,
            &parts("when=third", "first[..last][+[step]]", "when=3"),
        )
    })
}

#[test]
fn a_rule_that_can_never_match_or_fire() -> Result<()> {
    nothing_left(|| {
        refused(
            &["-e", "inject=none:error=EIO"],
            2,
            &parts("inject=none", "can never match", "at least one call"),
        )?;
        refused(
            &["-e", "inject=read:error=EIO:when=9..3"],
            2,
            &parts("when=9..3", "can never fire", "when=3..9"),
        )?;
        refused(
            &["-e", "inject=read:error=EIO:prob=0%"],
            2,
            &parts("prob=0%", "can never fire", "above zero"),
        )?;
        refused(
            &["-e", "inject=read:error=EIO:times=0"],
            2,
            &parts("times=0", "can never fire", "from 1 on"),
        )?;
        refused(
            &["--net", "to 10.0.0.1/8 : partition"],
            2,
            &parts("10.0.0.1/8", "outside its prefix", "10.0.0.0/8"),
        )?;
        refused(
            &["--net", "udp port 0 : partition"],
            2,
            &parts("udp port 0", "never on the wire", "from 1 to 65535"),
        )
    })
}

#[test]
fn a_rule_that_says_nothing_or_the_wrong_thing() -> Result<()> {
    nothing_left(|| {
        refused(
            &["-e", "inject=read"],
            2,
            &parts("inject=read", "does not say what is to happen", ":error=ERRNO"),
        )?;
        refused(&["-e", "inject=read:eror=EIO"], 2, &parts("eror=EIO", "`eror` is not a word", "error="))?;
        refused(
            &["-e", "inject=read:syscall=write"],
            2,
            &parts("syscall=write", "cannot be done", "retval="),
        )?;
        refused(
            &["-e", "injetc=read:error=EIO"],
            2,
            &parts("injetc=read", "`injetc` is not a qualifier", "inject"),
        )?;
        refused(&["-e", "trace=read"], 2, &parts("trace=read", "strace prints", "--log"))?;
        refused(
            &["--net", "tcp port 80"],
            2,
            &parts("tcp port 80", "does not say what is to happen", "loss 10%"),
        )?;
        refused(&["--net", "tpc : partition"], 2, &parts("tpc : partition", "`tpc`", "tcp"))?;
        refused(&[], 2, &parts("rule", "nothing to inject", "-e inject="))
    })
}

#[test]
fn calls_that_must_not_fail() -> Result<()> {
    nothing_left(|| {
        for call in ["exit", "exit_group", "rt_sigreturn", "restart_syscall"] {
            // Not even for those who insist.
            let rule = format!("inject={call}:error=EIO");
            for words in [vec!["-e", rule.as_str()], vec!["--unsafe", "-e", rule.as_str()]] {
                let finished = Injector::new(["run"])?.words(&words).command(&["true"]).expect(125)?;
                ensure!(
                    finished.stderr.contains(&rule) && finished.stderr.contains("hint: "),
                    "{}",
                    finished.stderr
                );
            }
        }
        for call in ["close", "munmap", "futex"] {
            let rule = format!("inject={call}:error=EIO");
            let finished = Injector::new(["run", "-e", &rule])?.command(&["true"]).expect(125)?;
            ensure!(finished.stderr.contains("--unsafe"), "{}", finished.stderr);
        }
        Ok(())
    })
}

#[test]
fn more_rules_than_a_plan_holds() -> Result<()> {
    nothing_left(|| {
        let words: Vec<&str> = std::iter::repeat_n(["-e", "inject=read:error=EIO"], 65).flatten().collect();
        refused(&words, 2, &parts("65 rules", "holds 64", "second injector"))
    })
}

#[test]
fn a_host_that_is_not_there() -> Result<()> {
    nothing_left(|| {
        refused(
            &["--net", "to nosuch.invalid : loss 10%"],
            2,
            &parts(
                "to nosuch.invalid : loss 10%",
                "cannot find the host `nosuch.invalid`",
                "getent ahosts nosuch.invalid",
            ),
        )
    })
}
