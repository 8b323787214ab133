//! Networks for the tests: namespaces joined by veth pairs, and servers that answer in them. The servers
//! are threads of the test, so they are never in a target.

use std::{
    fs::File,
    io::{ErrorKind, Read, Write},
    net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    os::fd::AsRawFd,
    path::Path,
    process::Command,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::{Context, Result, anyhow, bail};
use nix::{
    sched::{CloneFlags, setns},
    time::{ClockId, clock_gettime},
};

use crate::patience::{LONG, until};

/// Runs a command that has to succeed, such as `ip` or `nft`; words are split at blanks.
pub fn sh(words: &str) -> Result<String> {
    let mut split = words.split_whitespace();
    let program = split.next().context("no command")?;
    let output =
        Command::new(program).args(split).output().with_context(|| format!("cannot start {program}"))?;
    if !output.status.success() {
        bail!("`{words}`: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// A network namespace with a name. Dropping it removes it.
#[derive(Debug)]
pub struct Space {
    name: String,
}

impl Space {
    /// A fresh one with its lo up.
    pub fn new(name: &str) -> Result<Self> {
        sh(&format!("ip netns add {name}"))?;
        let space = Self { name: name.to_owned() };
        sh(&format!("ip -n {name} link set lo up"))?;
        Ok(space)
    }

    /// A pair of devices between here (`device`, with the first address of `network`) and there (`eth0`,
    /// with the second, and the default route). `network` is as in `10.1.1`, of 24 bits.
    pub fn join(&self, device: &str, network: &str) -> Result<()> {
        let name = &self.name;
        // The kernel takes a namespace's devices away some time after the namespace is gone.
        until("a device's name that is free", LONG, || {
            Ok(!Path::new("/sys/class/net").join(device).exists())
        })?;
        sh(&format!("ip link add {device} type veth peer name eth0 netns {name}"))?;
        sh(&format!("ip addr add {network}.1/24 dev {device}"))?;
        sh(&format!("ip link set {device} up"))?;
        sh(&format!("ip -n {name} addr add {network}.2/24 dev eth0"))?;
        sh(&format!("ip -n {name} link set eth0 up"))?;
        sh(&format!("ip -n {name} route add default via {network}.1"))?;
        Ok(())
    }

    /// Has the kernel itself make the checksums of what leaves by `eth0`, as for a device that cannot.
    pub fn without_offload(&self) -> Result<()> {
        self.enter(|| make_checksums("eth0"))
    }

    /// `program`, to run in it.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/run/netns/{}", self.name)).arg(program);
        command
    }

    /// Runs `work` in a thread of its own that is in this namespace; sockets made there stay in it.
    pub fn enter<T: Send + 'static>(&self, work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
        let file = File::open(format!("/run/netns/{}", self.name))?;
        let thread = thread::spawn(move || {
            setns(&file, CloneFlags::CLONE_NEWNET)?;
            work()
        });
        thread.join().map_err(|_| anyhow!("a thread panicked"))?
    }
}

impl Drop for Space {
    fn drop(&mut self) {
        if let Err(error) = sh(&format!("ip netns del {}", self.name)) {
            eprintln!("{error}");
        }
    }
}

/// ethtool's `tx off` for a device of this thread's network namespace.
fn make_checksums(device: &str) -> Result<()> {
    /// From linux/ethtool.h: `ETHTOOL_STXCSUM` and its argument.
    #[repr(C)]
    struct Value {
        command: u32,
        data: u32,
    }
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    let mut value = Value { command: 0x17, data: 0 };
    // SAFETY: plain data, for which all zeroes is a value.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(device.bytes()) {
        *to = libc::c_char::from_ne_bytes([from]);
    }
    request.ifr_ifru.ifru_data = (&raw mut value).cast();
    // SAFETY: the request and what it points to live until the call returns.
    if unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCETHTOOL, &raw mut request) } != 0 {
        return Err(std::io::Error::last_os_error()).context("cannot take the checksums from the device");
    }
    Ok(())
}

/// A datagram that came.
#[derive(Debug, Clone, Copy)]
pub struct Arrival {
    /// What it carried.
    pub number: u32,
    /// Who sent it.
    pub sender: SocketAddr,
    /// When, by `CLOCK_BOOTTIME`, in nanoseconds.
    pub time: u64,
}

/// A UDP server that sends back what it gets, and remembers it.
#[derive(Debug)]
pub struct Echo {
    /// Where it listens.
    pub port: u16,
    seen: Arc<Mutex<Vec<Arrival>>>,
    stop: Arc<AtomicBool>,
    socket: UdpSocket,
    thread: Option<JoinHandle<()>>,
}

impl Echo {
    /// Starts one at `address`, in this thread's network namespace, on a port of the kernel's choice.
    pub fn start(address: IpAddr) -> Result<Self> {
        let socket = UdpSocket::bind((address, 0)).with_context(|| format!("cannot bind to {address}"))?;
        socket.set_read_timeout(Some(Duration::from_millis(50)))?;
        let (seen, stop) = (Arc::default(), Arc::new(AtomicBool::new(false)));
        let port = socket.local_addr()?.port();
        let (all, end) = (Arc::clone(&seen), Arc::clone(&stop));
        let shared = socket.try_clone()?;
        let thread = thread::spawn(move || echo(&shared, &all, &end));
        Ok(Self { port, seen, stop, socket, thread: Some(thread) })
    }

    /// Has it hold so many bytes that it did not get to yet, for senders that do not wait.
    pub fn hold(&self, bytes: libc::c_int) -> Result<()> {
        let value = (&raw const bytes).cast();
        let size = libc::socklen_t::try_from(size_of_val(&bytes))?;
        // SAFETY: a descriptor that is open, and a value that outlives the call.
        let done = unsafe {
            libc::setsockopt(self.socket.as_raw_fd(), libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, value, size)
        };
        if done == 0 { Ok(()) } else { Err(std::io::Error::last_os_error().into()) }
    }

    /// How many came so far.
    pub fn arrived(&self) -> usize {
        locked(&self.seen).len()
    }

    /// The datagrams that came so far; forgets them.
    pub fn take(&self) -> Vec<Arrival> {
        std::mem::take(&mut *locked(&self.seen))
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn echo(socket: &UdpSocket, seen: &Mutex<Vec<Arrival>>, stop: &AtomicBool) {
    let mut datagram = [0; 4];
    while !stop.load(Ordering::Relaxed) {
        let Ok((4, sender)) = socket.recv_from(&mut datagram) else { continue };
        let now = clock_gettime(ClockId::CLOCK_BOOTTIME).map(Duration::from).unwrap_or_default();
        let time = u64::try_from(now.as_nanos()).unwrap_or_default();
        locked(seen).push(Arrival { number: u32::from_le_bytes(datagram), sender, time });
        let _ = socket.send_to(&datagram, sender);
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A name server that has nothing to say about any name, and says so: what it is asked, with the bit of an answer.
#[derive(Debug)]
pub struct NameServer {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl NameServer {
    /// Starts one at `address`, in this thread's network namespace.
    pub fn start(address: IpAddr, port: u16) -> Result<Self> {
        let socket = UdpSocket::bind((address, port)).with_context(|| format!("cannot bind to {address}"))?;
        socket.set_read_timeout(Some(Duration::from_millis(50)))?;
        let stop = Arc::new(AtomicBool::new(false));
        let end = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            let mut message = [0; 512];
            while !end.load(Ordering::Relaxed) {
                if let Ok((length, asker)) = socket.recv_from(&mut message) {
                    message[2] |= 0x80;
                    let _ = socket.send_to(&message[..length], asker);
                }
            }
        });
        Ok(Self { stop, thread: Some(thread) })
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// An HTTP server that answers every request with the same number of bytes.
#[derive(Debug)]
pub struct Http {
    /// Where it listens.
    pub port: u16,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Http {
    /// Starts one at `address`, in this thread's network namespace, on a port of the kernel's choice.
    pub fn start(address: IpAddr, bytes: usize) -> Result<Self> {
        let listener =
            TcpListener::bind((address, 0)).with_context(|| format!("cannot bind to {address}"))?;
        listener.set_nonblocking(true)?;
        let port = listener.local_addr()?.port();
        let stop = Arc::new(AtomicBool::new(false));
        let end = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            while !end.load(Ordering::Relaxed) {
                match listener.accept() {
                    Ok((stream, _)) => _ = thread::spawn(move || answer(stream, bytes)),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {
                        thread::sleep(Duration::from_millis(10));
                    }
                    Err(error) => eprintln!("server: {error}"),
                }
            }
        });
        Ok(Self { port, stop, thread: Some(thread) })
    }
}

impl Drop for Http {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// One request, whatever it asks for. A client that goes away is its own concern.
fn answer(mut stream: TcpStream, bytes: usize) -> std::io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(Duration::from_mins(1)))?;
    let (mut request, mut chunk) = (Vec::new(), [0; 1024]);
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read(&mut chunk)? {
            0 => return Ok(()),
            length => request.extend_from_slice(&chunk[..length]),
        }
    }
    write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {bytes}\r\nConnection: close\r\n\r\n")?;
    stream.write_all(&vec![b'x'; bytes])
}
