//! Sentences as somebody reads them who has just typed the rule.

use crate::spec::model::Rule;

/// A rule, and what it means.
const MEANINGS: [(&str, &str); 29] = [
    (
        "inject=fsync,fdatasync:error=EIO:when=3",
        "a call of fsync or fdatasync fails with EIO without running: only the 3rd of each thread and call",
    ),
    ("fault=read", "a call of read fails with ENOSYS without running"),
    ("inject=all:error=EIO:prob=0.5%", "any call fails with EIO without running: with a probability of 0.5%"),
    ("inject=!read,write:signal=USR1", "any call but read and write sends SIGUSR1 to its thread"),
    (
        "inject=%file:error=EIO*3/ENOSPC:when=3+2",
        "a call of %file fails with EIO (3 in 4) or ENOSPC (1 in 4) without running: every 2nd from the 3rd on of each \
         thread and call",
    ),
    (
        "inject=write:error=ENOSPC:count>65536:fd=3:comm=worker*",
        "a call of write with count>65536 and fd=3 by a thread named worker* fails with ENOSPC without running",
    ),
    (
        "inject=rename:error=ENOENT:on=success:times=1",
        "a call of rename that came to no error runs and gives ENOENT to its caller: once in all",
    ),
    (
        "inject=write:retval=7:at=exit:when=2..9:scope=rule",
        "a call of write runs and gives 7 to its caller: the 2nd to the 9th of all",
    ),
    (
        "inject=read:delay_enter=20ms~5ms:path=/a/**:path=/b",
        "a call of read on a file that matches /a/** or /b waits for 20ms~5ms (uniform)",
    ),
    (
        "inject=read:error=EIO:delay_enter=1s:delay_exit=forever",
        "a call of read waits for 1s, fails with EIO without running and waits until the rule ends when it has run",
    ),
    (
        "inject=sendto:error=EPIPE:peer=10.0.0.0/8:port=80,8000-8080",
        "a call of sendto on a socket whose peer is in 10.0.0.0/8 with port 80 or 8000-8080 at either end fails with \
         EPIPE without running",
    ),
    (
        "io=write:error=ENOSPC:path=/srv/**:when=100+",
        "a write on a file that matches /srv/** fails with ENOSPC, whichever way it comes: from the 100th on of each \
         thread and operation",
    ),
    ("io=open,unlink:delay=50ms:times=7", "an open or unlink waits for 50ms: at most 7 times in all"),
    (
        "io=connect:error=ETIMEDOUT:port=5432:scope=process:when=1",
        "a connect on a socket with port 5432 at either end fails with ETIMEDOUT, whichever way it comes: only the 1st \
         of each process and operation",
    ),
    ("net=loss 10%", "a packet that the target sends is lost with a probability of 10%"),
    (
        "net=tcp dport 5432 : delay 200ms 50ms",
        "a TCP packet that the target sends to port 5432 comes 200ms, give or take 50ms, late",
    ),
    (
        "net=to 10.0.0.0/8 not to 10.0.0.7 : partition",
        "a packet that the target sends to 10.0.0.0/8 not to 10.0.0.7 never arrives",
    ),
    (
        "net=ingress tcp sport 5432 : partition",
        "a TCP packet that comes to the target from port 5432 never arrives",
    ),
    (
        "net=both udp port 53 : loss gemodel 1% 20% rate 1mbit",
        "a UDP packet that the target sends or gets with either port 53 is lost in bursts (loss gemodel 1% 20% 100% 0%) and goes \
         over a wire of 1mbit",
    ),
    (
        "net=not tcp : duplicate 1%",
        "a packet, not of TCP, that the target sends comes twice with a probability of 1%",
    ),
    (
        "net=tcp dport 5432 : reject rst",
        "a TCP packet that the target sends to port 5432 is dropped, and its sender is told by a reset",
    ),
    (
        "net=to 10.0.0.0/8 port 443 : connect=ECONNREFUSED",
        "connect(2) to 10.0.0.0/8 with either port 443 fails with ECONNREFUSED, and no packet is made",
    ),
    (
        "net=dns nxdomain for db.internal,*.example.com",
        "a question for db.internal or *.example.com is answered with NXDOMAIN",
    ),
    ("net=dns timeout", "a question for any name gets no answer"),
    (
        "net=corrupt 1% fixed limit 9 delay 1ms",
        "a packet that the target sends is damaged unnoticed, with a probability of 1%, comes 1ms late and is lost where 9 wait already",
    ),
    (
        "process=pause:for=2s:every=10s",
        "all processes of a target stand still for 2s at once and every 10s from then on",
    ),
    ("process=pause", "all processes of a target stand still until the rule ends at once"),
    ("process=kill SIGKILL:after=5s", "each process of the target gets SIGKILL after 5s"),
    (
        "process=kill TERM:comm=worker*:every=30s:prob=10%:when=2",
        "each process of the target named worker* gets SIGTERM at once and every 30s from then on: only the 2nd round, \
         with a probability of 10%",
    ),
];

#[test]
fn a_rule_says_what_it_means() {
    for (text, meaning) in MEANINGS {
        let rule: Rule = text.parse().unwrap();
        assert_eq!(rule.meaning(), meaning, "{text}");
    }
}
