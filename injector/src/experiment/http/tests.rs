//! Requests to a server that behaves as it is told.

use std::{sync::atomic::Ordering, time::Duration};

use tokio::time::timeout;

use super::*;
use crate::experiment::{
    model::HttpRequest,
    namespaces::Namespaces,
    testing::{Reply, Server, answer, get, nobody, template},
};

fn client(keep: usize) -> Client {
    Client::new(Namespaces::default().enter().unwrap(), keep)
}

fn filled(request: &HttpRequest) -> Request {
    Request::fill(request, |name| (name == "n").then(|| "7".to_owned())).unwrap()
}

async fn asked(client: &Client, url: &str) -> String {
    match timeout(Duration::from_millis(500), client.ask(filled(&get(url)))).await {
        Err(_) => "nothing".to_owned(),
        Ok(Ok(answer)) => format!("{} {}", answer.ending, String::from_utf8(answer.text).unwrap()),
        Ok(Err(failure)) => failure.to_string(),
    }
}

#[tokio::test]
async fn a_request_says_what_the_file_says() {
    let server = Server::new(|request| answer(201, request)).await;
    let request = HttpRequest {
        url: template(&server.url("/put/${n}?q=a%20b")),
        method: "PUT".to_owned(),
        headers: [("X-Number".to_owned(), template("<${n}>"))].into(),
        body: Some(template("number ${n}")),
    };
    let answer = client(1).ask(filled(&request)).await.unwrap();
    let text = String::from_utf8(answer.text).unwrap();
    assert_eq!(answer.ending, Ending::Http(201));
    assert!(text.starts_with("PUT /put/7?q=a%20b HTTP/1.1\r\n"), "{text}");
    assert!(text.contains(&format!("host: {}\r\n", server.address)), "{text}");
    assert!(text.contains("x-number: <7>\r\n") && text.ends_with("\r\n\r\nnumber 7"), "{text}");
}

#[tokio::test]
async fn each_way_to_fail_has_its_reason() {
    let server = Server::new(|request| match request.split_whitespace().nth(1) {
        Some("/503") => answer(503, "busy"),
        Some("/reset") => Reply::Reset,
        Some("/close") => Reply::Raw(""),
        Some("/half") => Reply::Raw("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf"),
        Some("/other") => Reply::Raw("SSH-2.0-OpenSSH_9.2p1\r\n\r\n"),
        Some("/hang") => Reply::Hang,
        _ => answer(200, "ok"),
    })
    .await;
    let client = client(10);
    for (path, told) in [
        ("", "status 200 ok"),
        ("/503", "status 503 busy"),
        ("/reset", "connection reset"),
        ("/close", "connection closed"),
        ("/half", "connection closed"),
        ("/other", "no HTTP answer"),
        ("/hang", "nothing"),
    ] {
        assert_eq!(asked(&client, &server.url(path)).await, told, "{path}");
    }
    let long = "a".repeat(300);
    assert_eq!(asked(&client, &format!("http://{}/", nobody())).await, "connection refused");
    assert_eq!(asked(&client, &format!("http://{long}/")).await, "name not found");
}

#[test]
fn texts_that_are_no_request() {
    let asked = |request: &HttpRequest| Request::fill(request, |_| None).unwrap_err().to_string();
    assert_eq!(asked(&get("https://a/")), "`https://a/` is no http:// URL");
    assert_eq!(asked(&get("a:80")), "`a:80` is no http:// URL");
    assert_eq!(asked(&get("http://a b/")), "`http://a b/` is no http:// URL");
    assert_eq!(asked(&get("http://${leader}/")), "`${leader}` has no value here");
    assert_eq!(asked(&HttpRequest { method: "G T".to_owned(), ..get("http://a/") }), "`G T` is no method");
    let headers = [("a".to_owned(), template("b\n"))].into();
    assert_eq!(asked(&HttpRequest { headers, ..get("http://a/") }), "`b\n` is no header");
    let request = Request::get("http://[::1]:8080").unwrap();
    assert_eq!((request.host.as_str(), request.port, request.message.uri().path()), ("[::1]", 8080, "/"));
}

#[tokio::test]
async fn connections_are_used_again_unless_the_request_says_no() {
    let server = Server::new(|_| answer(200, "ok")).await;
    let kept = client(4);
    for _ in 0..5 {
        assert_eq!(asked(&kept, &server.url("/")).await, "status 200 ok");
    }
    assert_eq!(server.connections.load(Ordering::SeqCst), 1);
    let closing = HttpRequest {
        headers: [("connection".to_owned(), template("close"))].into(),
        ..get(&server.url("/"))
    };
    for _ in 0..5 {
        // The first one takes the connection that was kept.
        kept.ask(filled(&closing)).await.unwrap();
    }
    assert_eq!(server.connections.load(Ordering::SeqCst), 5);
    let fresh = client(0);
    for _ in 0..5 {
        assert_eq!(asked(&fresh, &server.url("/")).await, "status 200 ok");
    }
    assert_eq!(server.connections.load(Ordering::SeqCst), 10);
}

#[tokio::test]
async fn a_kept_connection_that_the_server_has_closed_is_no_failure() {
    let server = Server::new(|_| Reply::Raw("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")).await;
    let client = client(4);
    for _ in 0..3 {
        assert_eq!(asked(&client, &server.url("/")).await, "status 200 ok");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(server.connections.load(Ordering::SeqCst), 3);
}
