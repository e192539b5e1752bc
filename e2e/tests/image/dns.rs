//! A name server that knows one name and remembers what it was asked.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;
use tokio::net::UdpSocket;
use tokio::task::JoinSet;

/// RFC 1035, section 4.1.1: what stands before the question.
const HEAD_BYTES: usize = 12;
/// Section 4.2.1.
const MESSAGE_BYTES_MAX: usize = 512;
/// An answer to a query that wished for recursion, from a server that offers it.
const ANSWERED: [u8; 2] = [0x81, 0x80];
/// The same with the code for a name that does not exist.
const NO_SUCH_NAME: [u8; 2] = [0x81, 0x83];
const TYPE_A: u16 = 1;

/// It answers until it is dropped.
pub(crate) struct Dns {
    asked: Arc<Mutex<Vec<String>>>,
    _task: JoinSet<()>,
}

impl Dns {
    /// Listens where resolvers look by default; knows that `name` has this one address.
    pub(crate) async fn start(name: &str, address: Ipv4Addr) -> anyhow::Result<Self> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 53)).await.context("port 53")?;
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let (name, heard) = (name.to_owned(), asked.clone());
        let mut task = JoinSet::new();
        task.spawn(async move {
            let mut query = [0; MESSAGE_BYTES_MAX];
            while let Ok((length, from)) = socket.recv_from(&mut query).await {
                let Some(question) = Question::read(&query[..length]) else { continue };
                heard.lock().unwrap_or_else(PoisonError::into_inner).push(question.name.clone());
                let answer = question.answer(&query[..2], &name, address);
                socket.send_to(&answer, from).await.ok();
            }
        });
        Ok(Self { asked, _task: task })
    }

    /// Names that it was asked for, in order.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

struct Question<'a> {
    name: String,
    kind: u16,
    bytes: &'a [u8],
}

impl<'a> Question<'a> {
    fn read(query: &'a [u8]) -> Option<Self> {
        let body = query.get(HEAD_BYTES..)?;
        let (mut labels, mut at) = (Vec::new(), 0);
        loop {
            let length = usize::from(*body.get(at)?);
            at += 1;
            if length == 0 {
                break;
            }
            labels.push(String::from_utf8_lossy(body.get(at..at + length)?).into_owned());
            at += length;
        }
        let kind = u16::from_be_bytes([*body.get(at)?, *body.get(at + 1)?]);
        Some(Self { name: labels.join("."), kind, bytes: body.get(..at + 4)? })
    }

    /// A name that exists and has no address of the wished kind gets an empty answer.
    fn answer(&self, id: &[u8], known: &str, address: Ipv4Addr) -> Vec<u8> {
        let exists = self.name == known;
        let has_address = exists && self.kind == TYPE_A;
        let mut answer = id.to_vec();
        answer.extend(if exists { ANSWERED } else { NO_SUCH_NAME });
        answer.extend([0, 1, 0, u8::from(has_address), 0, 0, 0, 0]);
        answer.extend(self.bytes);
        if has_address {
            // The name of the question, type A, class IN, ten seconds, four bytes.
            answer.extend([0xc0, 0x0c, 0, 1, 0, 1, 0, 0, 0, 10, 0, 4]);
            answer.extend(address.octets());
        }
        answer
    }
}
