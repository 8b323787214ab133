//! Connections of the lab itself, for readiness: sockets are made in a network namespace and belong to it wherever they are
//! used.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use http_body_util::Full;
use hyper::{
    Request as HyperRequest, Uri,
    body::Bytes,
    client::conn::http1,
    header::{HOST, HeaderName, HeaderValue},
};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpSocket, TcpStream, lookup_host},
    task::AbortHandle,
    time::timeout,
};

use crate::experiment::{lab::words::Request, namespaces::Namespaces};

/// A server that does not answer for so long is asked again.
const PATIENCE: Duration = Duration::from_secs(2);

/// Connects to `host:port` as whoever lives in these namespaces would.
pub(super) async fn connect(namespaces: &Namespaces, host: &str, port: u16) -> io::Result<TcpStream> {
    let address = SocketAddr::new(resolve(namespaces, host).await?, port);
    let make = || if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() };
    let socket = match &namespaces.network {
        Some(network) => network.run(make).map_err(io::Error::other)??,
        None => make()?,
    };
    timeout(PATIENCE, socket.connect(address)).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
}

/// Sends a request and gives the status of the answer.
pub(super) async fn status(namespaces: &Namespaces, request: &Request) -> io::Result<u16> {
    let invalid = |why: String| io::Error::new(io::ErrorKind::InvalidInput, why);
    let url: Uri = request.url.parse().map_err(|error| invalid(format!("{}: {error}", request.url)))?;
    let host = url.host().ok_or_else(|| invalid(format!("{} names no host", request.url)))?;
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let stream = connect(namespaces, bare, url.port_u16().unwrap_or(80)).await?;
    let ask = async {
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
        let _connection = Ending(tokio::spawn(connection).abort_handle());
        let target = url.path_and_query().map_or("/", |path| path.as_str());
        let authority = url.authority().map(|authority| authority.as_str()).unwrap_or_default();
        let mut message = HyperRequest::builder().method(request.method.as_str()).uri(target);
        if let Some(headers) = message.headers_mut() {
            let value = |text: &str| HeaderValue::from_str(text).map_err(|error| invalid(error.to_string()));
            headers.insert(HOST, value(authority)?);
            for (name, text) in &request.headers {
                let name: HeaderName = name.parse().map_err(|error| invalid(format!("{name}: {error}")))?;
                headers.insert(name, value(text)?);
            }
        }
        let body = Full::new(Bytes::from(request.body.clone()));
        let message = message.body(body).map_err(|error| invalid(error.to_string()))?;
        let answer = sender.send_request(message).await.map_err(io::Error::other)?;
        Ok(answer.status().as_u16())
    };
    timeout(PATIENCE, ask).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
}

/// A name of the lab, an address, or a name that the machine knows.
async fn resolve(namespaces: &Namespaces, host: &str) -> io::Result<IpAddr> {
    if let Some(&address) = namespaces.hosts.get(host) {
        return Ok(address);
    }
    if let Ok(address) = host.parse() {
        return Ok(address);
    }
    if host == "localhost" {
        return Ok(Ipv4Addr::LOCALHOST.into());
    }
    let found = timeout(PATIENCE, lookup_host((host, 0))).await;
    let found = found.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??.next();
    found.map(|address| address.ip()).ok_or_else(|| io::ErrorKind::NotFound.into())
}

/// A connection's task, which ends with whoever asked.
struct Ending(AbortHandle);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(test)]
mod tests {
    use std::{
        collections::BTreeMap,
        io::{Read as _, Write as _},
        net::TcpListener,
        sync::Arc,
        thread,
    };

    use super::*;

    #[tokio::test(flavor = "current_thread")]
    async fn names_of_the_lab_and_a_status() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut said = [0; 512];
            let length = stream.read(&mut said).unwrap();
            stream.write_all(b"HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n").unwrap();
            String::from_utf8_lossy(&said[..length]).into_owned()
        });
        let hosts = BTreeMap::from([("web".to_owned(), Ipv4Addr::LOCALHOST.into())]);
        let namespaces = Namespaces { hosts: Arc::new(hosts), ..Namespaces::default() };
        let request = Request {
            url: format!("http://web:{port}/health?deep"),
            method: "GET".into(),
            headers: BTreeMap::from([("x-who".to_owned(), "lab".to_owned())]),
            body: String::new(),
        };
        assert_eq!(status(&namespaces, &request).await.unwrap(), 503);
        let said = server.join().unwrap();
        assert!(said.starts_with("GET /health?deep HTTP/1.1\r\n"), "{said}");
        assert!(said.contains(&format!("host: web:{port}\r\n")) && said.contains("x-who: lab\r\n"), "{said}");
        let refused = status(&namespaces, &request).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        let nowhere = Request { url: "/health".into(), ..request };
        assert_eq!(status(&namespaces, &nowhere).await.unwrap_err().to_string(), "/health names no host");
    }
}
