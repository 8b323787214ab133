//! As much of HTTP/1.1 as the shop needs: a thread for each connection, one request on each.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream, ToSocketAddrs},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

/// Gives a status and a body for `METHOD PATH`.
pub(crate) type Handler = dyn Fn(&str) -> (u16, String) + Send + Sync;

/// Longer requests and answers are refused.
const LONGEST: u64 = 64 * 1024;
/// A client that says nothing for so long is left.
const SILENCE: Duration = Duration::from_secs(30);

/// Answers at this address, for ever.
pub(crate) fn serve(listen: &str, handler: &Arc<Handler>) -> io::Result<()> {
    for client in TcpListener::bind(listen)?.incoming() {
        let (client, handler) = (client?, handler.clone());
        thread::spawn(move || {
            // A client that has gone away gets no answer, which is no concern of others.
            let _ = answer(&client, &*handler);
        });
    }
    Ok(())
}

fn answer(mut client: &TcpStream, handler: &Handler) -> io::Result<()> {
    client.set_read_timeout(Some(SILENCE))?;
    let mut reader = BufReader::new(client.take(LONGEST));
    let (first, length) = head(&mut reader)?;
    let mut words = first.split_whitespace();
    let request = format!("{} {}", words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let body = length.unwrap_or_default();
    io::copy(&mut reader.take(body), &mut io::sink())?;
    let (status, text) = handler(&request);
    let length = text.len();
    let head = format!("HTTP/1.1 {status} -\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
    client.write_all((head + &text).as_bytes())
}

/// Posts to `HOST:PORT`, all in all within this time, and gives the status.
pub(crate) fn post(at: &str, path: &str, within: Duration) -> io::Result<u16> {
    let end = Instant::now() + within;
    let left = || {
        let left = end.saturating_duration_since(Instant::now());
        // A time-out of zero would be none at all.
        if left.is_zero() { Err(io::Error::from(io::ErrorKind::TimedOut)) } else { Ok(left) }
    };
    let address = at.to_socket_addrs()?.next().ok_or(io::ErrorKind::NotFound)?;
    let mut server = TcpStream::connect_timeout(&address, left()?)?;
    let request =
        format!("POST {path} HTTP/1.1\r\nHost: {at}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    server.write_all(request.as_bytes())?;
    server.set_read_timeout(Some(left()?))?;
    let (first, _) = head(&mut BufReader::new(server.take(LONGEST)))?;
    let status = first.split_whitespace().nth(1).and_then(|word| word.parse().ok());
    status.ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// The first line, and how long a body the others announce.
fn head(reader: &mut impl BufRead) -> io::Result<(String, Option<u64>)> {
    let mut first = String::new();
    reader.read_line(&mut first)?;
    let mut length = None;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let Some((name, value)) = line.split_once(':') else { return Ok((first, length)) };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().ok();
        }
    }
}
