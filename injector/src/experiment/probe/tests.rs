//! Looks of each kind at real things: a server, ports, commands, files.

use std::{collections::BTreeMap, fs, io::Write as _, net::SocketAddr, path::PathBuf, time::Duration};

use tokio::{net::UdpSocket, time::sleep};

use super::*;
use crate::{
    clock,
    engine::Counter,
    experiment::{
        model::{Expect, Located, Metric, Place, ValueOf},
        sample::Sample,
        testing::{
            Reply, Server, all, answer, get, nobody, outlet, shell, stop_after, template, text_pattern, told,
        },
    },
};

/// A run that has one service, one cgroup and one fault.
struct Run(PathBuf);

impl Surroundings for Run {
    fn log_of(&self, service: &str) -> Option<PathBuf> {
        (service == "redis").then(|| self.0.join("redis.log"))
    }

    fn cgroup_of(&self, target: &str) -> Option<PathBuf> {
        (target == "web").then(|| self.0.clone())
    }

    fn counter(&self, fault: &str, counter: Counter) -> Option<u64> {
        (fault == "disk-gone").then_some(if counter == Counter::Fired { 7 } else { 0 })
    }
}

fn located(text: &str) -> Located<String> {
    Located { value: text.to_owned(), place: Place { line: 1, column: 1 } }
}

fn probe(kind: ProbeKind) -> Probe {
    let (every, timeout) = (Duration::from_hours(1), Duration::from_secs(5));
    Probe { kind, every, timeout, inside: None, expect: Expect::default(), value: None, unit: None }
}

fn with(kind: ProbeKind, value: ValueOf) -> Probe {
    Probe { value: Some(value), ..probe(kind) }
}

async fn samples_of(probe: &Probe, folder: &std::path::Path, milliseconds: u64) -> Vec<Sample> {
    let (outlet, received) = outlet();
    let namespaces = Namespaces { folder: folder.to_owned(), ..Namespaces::default() };
    let surroundings = Arc::new(Run(folder.to_owned()));
    let stop = stop_after(milliseconds);
    run(probe, &namespaces, &Variables::default(), surroundings, clock::now(), stop, outlet).await.unwrap();
    all(received)
}

/// What one look comes to.
async fn looked(probe: Probe) -> String {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("memory.current"), "4096\n").unwrap();
    fs::write(folder.path().join("memory.max"), "max\n").unwrap();
    fs::write(folder.path().join("memory.events"), "oom 1\noom_kill 3\n").unwrap();
    let samples = samples_of(&probe, folder.path(), 0).await;
    let [sample] = samples.as_slice() else { panic!("{samples:?}") };
    told(sample)
}

#[tokio::test]
async fn looks_over_http() {
    let server = Server::new(|request| match request.split_whitespace().nth(1).unwrap_or_default() {
        "/lag" => answer(200, r#"{"lag": 12}"#),
        "/metrics" => answer(200, "# TYPE up gauge\nup 1\nhits_total{code=\"200\"} 5\nhits_total{code=\"500\"} 2\n"),
        "/api/v1/query?query=sum%28rate%28x%5B30s%5D%29%29" => answer(
            200,
            r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1435781451.781,"0.25"]}]}}"#,
        ),
        "/api/v1/query?query=x%7B" => answer(400, r#"{"status":"error","errorType":"bad_data"}"#),
        "/hang" => Reply::Hang,
        _ => answer(404, ""),
    })
    .await;
    let http = |path: &str| ProbeKind::Http(get(&server.url(path)));
    let json = |path| ValueOf::Json(serde_json_path::JsonPath::parse(path).unwrap());
    let metrics = |name: &str, labels: &[(&str, &str)]| {
        let labels = labels.iter().map(|&(label, value)| (label.to_owned(), value.to_owned())).collect();
        ProbeKind::Metrics(Metric { url: template(&server.url("/metrics")), name: name.to_owned(), labels })
    };
    let query = |text: &str| ProbeKind::Prometheus { url: template(&server.url("")), query: template(text) };
    let hangs = Probe { timeout: Duration::from_millis(100), ..probe(http("/hang")) };
    for (probe, expected) in [
        (probe(http("/lag")), "ok"),
        (with(http("/lag"), json("$.lag")), "12"),
        (with(http("/lag"), json("$.leg")), "no number"),
        (probe(http("/none")), "status 404"),
        (hangs, "timeout"),
        (probe(metrics("hits_total", &[])), "7"),
        (probe(metrics("hits_total", &[("code", "500")])), "2"),
        (probe(metrics("misses_total", &[])), "no such metric"),
        (probe(query("sum(rate(x[30s]))")), "0.25"),
        (probe(query("x{")), "status 400"),
        (probe(ProbeKind::Http(get(&format!("http://{}/", nobody())))), "connection refused"),
        (probe(ProbeKind::Tcp(template(&server.address.to_string()))), "ok"),
        (probe(ProbeKind::Tcp(template(&nobody().to_string()))), "connection refused"),
        (probe(ProbeKind::Tcp(template("nowhere"))), "`nowhere` is no HOST:PORT"),
    ] {
        let kind = format!("{:?}", probe.kind);
        assert_eq!(looked(probe).await, expected, "{kind}");
    }
}

#[tokio::test]
async fn looks_at_what_is_here() {
    let cgroup = |of: &str, file: &str, key: Option<&str>| ProbeKind::Cgroup {
        of: located(of),
        file: file.into(),
        key: key.map(str::to_owned),
    };
    let counter = |fault: &str, counter| ProbeKind::Counter { fault: located(fault), counter };
    for (probe, expected) in [
        (probe(ProbeKind::Command(shell("true"))), "ok"),
        (probe(ProbeKind::Command(shell("exit 2"))), "exit 2"),
        (with(ProbeKind::Command(shell("cat memory.current")), ValueOf::Number), "4096"),
        (with(ProbeKind::Command(shell("echo none")), ValueOf::Number), "no number"),
        (with(ProbeKind::Command(shell("echo 5")), ValueOf::Rate), "ok"),
        (probe(ProbeKind::File(template("memory.current"))), "ok"),
        (with(ProbeKind::File(template("memory.current")), ValueOf::Number), "4096"),
        (probe(ProbeKind::File(template("no-such-file"))), "no such file or directory"),
        (probe(ProbeKind::File(template("${file}"))), "`${file}` has no value here"),
        (probe(counter("disk-gone", Counter::Fired)), "7"),
        (probe(counter("disk-gone", Counter::Suppressed)), "0"),
        (probe(counter("disk-here", Counter::Fired)), "no such fault"),
        (probe(cgroup("web", "memory.current", None)), "4096"),
        (probe(cgroup("web", "memory.events", Some("oom_kill"))), "3"),
        (probe(cgroup("web", "memory.events", Some("oom_group"))), "no such key"),
        (with(cgroup("web", "memory.max", None), ValueOf::Number), "no number"),
        (probe(cgroup("web", "memory.peak", None)), "no such file or directory"),
        (probe(cgroup("db", "memory.current", None)), "no such cgroup"),
    ] {
        let kind = format!("{:?}", probe.kind);
        assert_eq!(looked(probe).await, expected, "{kind}");
    }
}

#[tokio::test]
async fn looks_are_made_one_after_the_other_and_a_rate_is_between_them() {
    let folder = tempfile::tempdir().unwrap();
    let count = "date +%s%N";
    let mut probe = with(ProbeKind::Command(shell(count)), ValueOf::Rate);
    probe.every = Duration::from_millis(100);
    let samples = samples_of(&probe, folder.path(), 450).await;
    assert!(samples.len() >= 4, "{samples:?}");
    assert_eq!(told(&samples[0]), "ok");
    for pair in samples.windows(2) {
        assert_eq!(pair[1].due - pair[0].due, 100_000_000);
    }
    // It counts a billion a second, when it is read at the same distance from its making each time.
    let rates: Vec<f64> = samples.iter().filter_map(|sample| told(sample).parse().ok()).collect();
    assert!(!rates.is_empty() && rates.iter().all(|rate| (1e7..1e11).contains(rate)), "{rates:?}");
}

/// A DNS server that knows some names, and is silent of others.
async fn name_server() -> SocketAddr {
    use simple_dns::{CLASS, Packet, PacketFlag, RCODE, ResourceRecord, rdata};

    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut buffer = [0; 512];
        while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
            let query = Packet::parse(&buffer[..length]).unwrap();
            assert!(query.has_flags(PacketFlag::RECURSION_DESIRED));
            let question = query.questions[0].clone();
            let (name, kind) = (question.qname.to_string(), question.qtype);
            let mut reply = Packet::new_reply(query.id());
            let four = kind == simple_dns::QTYPE::TYPE(simple_dns::TYPE::A);
            let record = |data| ResourceRecord::new(question.qname.clone(), CLASS::IN, 60, data);
            match (name.as_str(), four) {
                ("shop.test", true) => {
                    reply.answers.push(record(rdata::RData::A(rdata::A { address: 0x0a4d_0002 })));
                }
                ("six.test", false) => {
                    reply.answers.push(record(rdata::RData::AAAA(rdata::AAAA { address: 1 })));
                }
                ("six.test" | "empty.test", _) => {}
                ("broken.test", _) => *reply.rcode_mut() = RCODE::ServerFailure,
                ("silent.test", _) => continue,
                _ => *reply.rcode_mut() = RCODE::NameError,
            }
            reply.questions.push(question.clone());
            // An answer to somebody else's question comes first.
            let other = Packet::new_reply(query.id() ^ 0x8000).build_bytes_vec().unwrap();
            socket.send_to(&other, from).await.unwrap();
            socket.send_to(&reply.build_bytes_vec().unwrap(), from).await.unwrap();
        }
    });
    address
}

#[tokio::test]
async fn looks_at_names() {
    let server = name_server().await;
    let ask = |name: &str, server: &str| {
        probe(ProbeKind::Dns { name: template(name), server: Some(template(server)) })
    };
    let known = |pattern| Expect { matches: Some(text_pattern(pattern)), ..Expect::default() };
    let server = server.to_string();
    for (probe, expected) in [
        (ask("shop.test", &server), "ok"),
        (ask("shop.test.", &server), "ok"),
        (Probe { expect: known(r"^10\.77\.0\.2$"), ..ask("shop.test", &server) }, "ok"),
        (Probe { expect: known(r"^10\.77\.0\.3$"), ..ask("shop.test", &server) }, "answer does not match"),
        (Probe { expect: known("^::1$"), ..ask("six.test", &server) }, "ok"),
        (ask("empty.test", &server), "dns has no address"),
        (ask("none.test", &server), "dns nxdomain"),
        (ask("broken.test", &server), "dns servfail"),
        (Probe { timeout: Duration::from_millis(100), ..ask("silent.test", &server) }, "timeout"),
        (
            ask(&"a".repeat(70), &server),
            "`aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa` is no host name",
        ),
        (ask("shop.test", &nobody().to_string()), "connection refused"),
    ] {
        let kind = format!("{:?}", probe.kind);
        assert_eq!(looked(probe).await, expected, "{kind}");
    }
}

#[test]
fn the_first_name_server() {
    let text = b"# nameserver 1.1.1.1\nsearch a\nnameserver fe80::1%eth0\nnameserver 10.0.0.53\nnameserver 10.0.0.54\n";
    assert_eq!(dns::first_of(text), Ok(SocketAddr::from(([10, 0, 0, 53], 53))));
    assert!(dns::first_of(b"search a\n").is_err());
}

#[tokio::test]
async fn lines_of_a_log() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("redis.log");
    fs::write(&path, "Can't persist AOF before\n").unwrap();
    let kind = ProbeKind::Log { of: located("redis"), matches: text_pattern("Can't persist") };
    let mut probe = with(kind, ValueOf::Regex(text_pattern(r"errno (\d+)")));
    probe.every = Duration::from_millis(20);
    let (outlet, mut received) = outlet();
    let watermark = outlet.watermark();
    let (surroundings, place) = (Arc::new(Run(folder.path().to_owned())), Namespaces::default());
    let (say, stop) = Stop::new();
    let source = tokio::spawn(async move {
        run(&probe, &place, &Variables::default(), surroundings, clock::now(), stop, outlet).await
    });
    while watermark.passed() == 0 {
        sleep(Duration::from_millis(5)).await;
    }
    let append = |text: &str| {
        fs::File::options().append(true).open(&path).unwrap().write_all(text.as_bytes()).unwrap();
    };
    let mut expect = async |expected: &[&str]| {
        for expected in expected {
            let (_, sample) =
                tokio::time::timeout(Duration::from_secs(5), received.recv()).await.unwrap().unwrap();
            assert_eq!((told(&sample).as_str(), sample.latency()), (*expected, 0));
        }
    };
    append("something\nCan't persist AOF: errno 5\nCan't per");
    expect(&["5"]).await;
    append("sist: errno 6\nCan't persist at all\n");
    expect(&["6", "no number"]).await;
    // Cut.
    fs::write(&path, "Can't persist: errno 7\n").unwrap();
    expect(&["7"]).await;
    // Moved away and begun anew.
    append("Can't persist: errno 8\n");
    fs::rename(&path, folder.path().join("redis.log.1")).unwrap();
    expect(&["8", "no such file or directory"]).await;
    fs::write(&path, "Can't persist: errno 9\n").unwrap();
    loop {
        let (_, sample) = received.recv().await.unwrap();
        match told(&sample).as_str() {
            "no such file or directory" => {}
            other => break assert_eq!(other, "9"),
        }
    }
    let now = clock::now();
    while watermark.passed() < now {
        sleep(Duration::from_millis(5)).await;
    }
    say.send(true).unwrap();
    source.await.unwrap().unwrap();
}

#[tokio::test]
async fn what_was_acknowledged_and_is_not_there() {
    let acknowledged = Arc::new([1, 2, 3, 5, 8].into());
    let look = async |read: &str| {
        let kind = ProbeKind::Lost { load: located("writes"), read: shell(read) };
        let acknowledged = Arc::clone(&acknowledged);
        let sample = lost(&probe(kind), &Namespaces::default(), &Variables::default(), acknowledged).await;
        told(&sample.unwrap())
    };
    assert_eq!(look("printf '1\\n2\\n3\\n4\\n5\\n8\\n'").await, "0");
    assert_eq!(look("printf '1\\r\\n  2\\n\\nx\\n30'").await, "3");
    assert_eq!(look("true").await, "5");
    assert_eq!(look("echo 1; exit 1").await, "exit 1");
}

#[test]
fn pages_of_metrics() {
    // From the documentation of the format.
    let page = br#"# HELP http_requests_total The total number of HTTP requests.
# TYPE http_requests_total counter
http_requests_total{method="post",code="200"} 1027 1395066363000
http_requests_total{method="post",code="400"}    3 1395066363000

msdos_file_access_time_seconds{path="C:\\DIR\\FILE.TXT",error="Cannot find file:\n\"FILE.TXT\""} 1.458255915e9
metric_without_timestamp_and_labels 12.47
something_weird{problem="division by zero"} +Inf -3982045
http_request_duration_seconds_bucket{le="+Inf"} 144320
rpc_duration_seconds{quantile="0.01", } 3102
broken{a="b" 1
"#;
    let sum = |name: &str, labels: &[(&str, &str)]| {
        let labels: BTreeMap<_, _> =
            labels.iter().map(|&(label, value)| (label.to_owned(), value.to_owned())).collect();
        metrics::sum(page, name, &labels).map_err(|failure| failure.to_string())
    };
    assert_eq!(sum("http_requests_total", &[]), Ok(1030.0));
    assert_eq!(sum("http_requests_total", &[("code", "400")]), Ok(3.0));
    assert_eq!(sum("http_requests_total", &[("code", "4")]), Err("no such metric".to_owned()));
    assert_eq!(sum("http_requests", &[]), Err("no such metric".to_owned()));
    let error = "Cannot find file:\n\"FILE.TXT\"";
    assert_eq!(sum("msdos_file_access_time_seconds", &[("error", error)]), Ok(1_458_255_915.0));
    assert_eq!(sum("metric_without_timestamp_and_labels", &[]), Ok(12.47));
    assert_eq!(sum("metric_without_timestamp_and_labels", &[("code", "")]), Ok(12.47));
    assert_eq!(sum("something_weird", &[]), Ok(f64::INFINITY));
    assert_eq!(sum("http_request_duration_seconds_bucket", &[("le", "+Inf")]), Ok(144_320.0));
    assert_eq!(sum("rpc_duration_seconds", &[("quantile", "0.01")]), Ok(3102.0));
    assert_eq!(sum("broken", &[]), Err("no metrics answer".to_owned()));
}

#[test]
fn answers_of_prometheus() {
    let answer = |data: &str| {
        let body = format!(r#"{{"status":"success","data":{data}}}"#);
        prometheus::number(body.as_bytes()).map_err(|failure| failure.to_string())
    };
    let one = r#"{"metric":{"job":"a"},"value":[1435781451.781,"1.5"]}"#;
    assert_eq!(answer(&format!(r#"{{"resultType":"vector","result":[{one}]}}"#)), Ok(1.5));
    assert_eq!(answer(r#"{"resultType":"scalar","result":[1435781451.781,"1e3"]}"#), Ok(1000.0));
    assert!(answer(r#"{"resultType":"scalar","result":[1435781451.781,"NaN"]}"#).is_ok_and(f64::is_nan));
    for (data, reason) in [
        (format!(r#"{{"resultType":"vector","result":[{one},{one}]}}"#), "several numbers"),
        (r#"{"resultType":"vector","result":[]}"#.to_owned(), "no number"),
        (r#"{"resultType":"matrix","result":[{"metric":{},"values":[[1,"1"]]}]}"#.to_owned(), "no number"),
        (r#"{"resultType":"string","result":[1,"x"]}"#.to_owned(), "no number"),
        ("[]".to_owned(), "no Prometheus answer"),
    ] {
        assert_eq!(answer(&data), Err(reason.to_owned()), "{data}");
    }
    assert_eq!(prometheus::url("http://p:9090/", "a/b"), "http://p:9090/api/v1/query?query=a%2Fb");
}
