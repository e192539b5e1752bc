//! A name server that knows one name. By UDP it always says that the answer is too long, so that
//! whoever asks has to ask again by TCP: both ways are used by every lookup.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Context as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::task::JoinSet;

const HEADER: usize = 12;
const QUESTION_MAX: usize = 512;
const TYPE_A: [u8; 2] = [0, 1];
const SECONDS: [u8; 4] = [0, 0, 0, 1];
/// Answer, recursion desired and available.
const FLAGS: [u8; 2] = [0x81, 0x80];
const TRUNCATED: u8 = 0x02;
const NO_SUCH_NAME: u8 = 0x03;

/// A running name server. Dropping it ends it.
pub struct Names {
    asked: Arc<[AtomicU64; 2]>,
    _tasks: JoinSet<()>,
}

impl Names {
    /// Serves `name` as `at`, on both protocols of `listen`.
    pub async fn serve(listen: SocketAddrV4, name: &str, at: Ipv4Addr) -> anyhow::Result<Self> {
        let known = Known { name: wire(name), at };
        let asked = Arc::new([AtomicU64::new(0), AtomicU64::new(0)]);
        let udp = UdpSocket::bind(listen).await.with_context(|| format!("UDP on {listen}"))?;
        let tcp = TcpListener::bind(listen).await.with_context(|| format!("TCP on {listen}"))?;
        let mut tasks = JoinSet::new();
        tasks.spawn(by_udp(udp, known.clone(), Arc::clone(&asked)));
        tasks.spawn(by_tcp(tcp, known, Arc::clone(&asked)));
        Ok(Self { asked, _tasks: tasks })
    }

    /// Questions so far, by UDP and by TCP.
    #[must_use]
    pub fn asked(&self) -> (u64, u64) {
        (self.asked[0].load(Ordering::Relaxed), self.asked[1].load(Ordering::Relaxed))
    }
}

#[derive(Clone)]
struct Known {
    name: Vec<u8>,
    at: Ipv4Addr,
}

async fn by_udp(socket: UdpSocket, known: Known, asked: Arc<[AtomicU64; 2]>) {
    let mut question = [0; QUESTION_MAX];
    while let Ok((length, from)) = socket.recv_from(&mut question).await {
        asked[0].fetch_add(1, Ordering::Relaxed);
        if let Some(answer) = answer(&question[..length], &known, true) {
            socket.send_to(&answer, from).await.ok();
        }
    }
}

async fn by_tcp(listener: TcpListener, known: Known, asked: Arc<[AtomicU64; 2]>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let (known, asked) = (known.clone(), Arc::clone(&asked));
        connections.spawn(async move { converse(stream, &known, &asked[1]).await.ok() });
        while connections.try_join_next().is_some() {}
    }
}

async fn converse(mut stream: TcpStream, known: &Known, asked: &AtomicU64) -> anyhow::Result<()> {
    loop {
        let mut question = vec![0; usize::from(stream.read_u16().await?).min(QUESTION_MAX)];
        stream.read_exact(&mut question).await?;
        asked.fetch_add(1, Ordering::Relaxed);
        let answer = answer(&question, known, false).context("not a question")?;
        stream.write_u16(u16::try_from(answer.len())?).await?;
        stream.write_all(&answer).await?;
    }
}

fn answer(question: &[u8], known: &Known, truncated: bool) -> Option<Vec<u8>> {
    let rest = question.get(HEADER..)?;
    // A name ends with an empty label; type and class follow.
    let end = rest.iter().position(|byte| *byte == 0)? + 1;
    let (name, kind) = (rest.get(..end)?, rest.get(end..end + 2)?);
    let asked = rest.get(..end + 4)?;
    let is_known = name.eq_ignore_ascii_case(&known.name);
    let found = is_known && !truncated && kind == TYPE_A;
    let mut answer = question.get(..2)?.to_vec();
    answer.push(FLAGS[0] | if truncated { TRUNCATED } else { 0 });
    answer.push(FLAGS[1] | if is_known || truncated { 0 } else { NO_SUCH_NAME });
    answer.extend([0, 1, 0, u8::from(found), 0, 0, 0, 0]);
    answer.extend(asked);
    if found {
        // The name is that of the question, which begins after the header.
        answer.extend([0xc0, 0x0c, 0, 1, 0, 1]);
        answer.extend(SECONDS);
        answer.extend([0, 4]);
        answer.extend(known.at.octets());
    }
    Some(answer)
}

/// The name as it is sent: each label after its length, and an empty one at the end.
fn wire(name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in name.split('.') {
        bytes.push(u8::try_from(label.len()).unwrap_or(u8::MAX));
        bytes.extend(label.bytes());
    }
    bytes.push(0);
    bytes
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::{HEADER, Known, answer, wire};

    #[test]
    fn the_known_name_has_an_address_by_tcp_and_is_too_long_by_udp() {
        let known = Known { name: wire("a.example"), at: Ipv4Addr::new(10, 0, 0, 9) };
        let ask = |name: &str, kind: u8, truncated| {
            let mut question = vec![7, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
            question.extend(wire(name));
            question.extend([0, kind, 0, 1]);
            answer(&question, &known, truncated).unwrap()
        };
        let found = ask("A.example", 1, false);
        assert_eq!((found[2], found[3], found[7]), (0x81, 0x80, 1));
        assert!(found.ends_with(&[10, 0, 0, 9]));
        assert_eq!((ask("a.example", 28, false)[3], ask("a.example", 28, false)[7]), (0x80, 0));
        assert_eq!(ask("b.example", 1, false)[3], 0x83);
        let cut = ask("a.example", 1, true);
        assert_eq!((cut[2] & 2, cut[7]), (2, 0));
        assert!(answer(&[0; HEADER], &known, false).is_none());
    }
}
