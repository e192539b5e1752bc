//! One private network and PID namespace for the whole fleet, without root.
//!
//! Every address of `10.200.0.0/15` can be listened on inside, nothing leaves it, and when its
//! first process ends (also by SIGKILL) the kernel ends every other one.
//!
//! The process that was started becomes unshare(1), which waits for the one inside. It does not
//! pass SIGTERM on: end the process group (as Ctrl-C does), the process inside, or use SIGKILL.

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context;
use nix::fcntl::{FcntlArg, fcntl};
use tokio::signal::unix::{SignalKind, signal};

/// Tells the second start that it is inside.
const MARKER: &str = "LOCKFLIGHT_NAMESPACE";
/// Where inherited listeners start: above whatever the caller has open.
const FIRST_LISTENER: i32 = 100;
const UNSHARE: [&str; 7] =
    ["--user", "--map-root-user", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"];
/// The pair swallows whatever is routed into it: nobody answers at its other end.
const SETUP: &str = "\
link set lo up
route add local 10.200.0.0/15 dev lo
link add hole type veth peer name hole-end
link set hole up
link set hole-end up
";

static PROGRAM_ENDS_ITSELF: AtomicBool = AtomicBool::new(false);

/// The device into which a black hole routes.
pub(crate) const BLACK_HOLE: &str = "hole";

/// Whether this process runs inside the namespace.
#[must_use]
pub fn is_inside() -> bool {
    std::env::var_os(MARKER).is_some()
}

/// Continues the program inside the namespace. Call it first thing in `main`, before any thread
/// is started: it starts the program anew, with the same arguments, and returns only there.
///
/// A listening socket belongs to the namespace in which it was made, so for each of `ports` (0 for
/// any) a listener is bound on 127.0.0.1 before, and handed over in the same order: through them
/// the user's own browser and kubectl reach what runs inside.
pub fn enter(ports: &[u16]) -> anyhow::Result<Vec<TcpListener>> {
    if !is_inside() {
        return Err(start_inside(ports)?);
    }
    let listeners = inherited()?;
    set_up()?;
    exit_on_signal()?;
    Ok(listeners)
}

/// Only ever returns the reason why it could not become the new process.
fn start_inside(ports: &[u16]) -> anyhow::Result<anyhow::Error> {
    check()?;
    for (position, port) in ports.iter().enumerate() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, *port))
            .with_context(|| format!("127.0.0.1:{port} is taken: choose another port"))?;
        // A duplicate without CLOEXEC, which nobody closes, outlives exec.
        let wanted = FIRST_LISTENER + i32::try_from(position)?;
        let got = fcntl(&listener, FcntlArg::F_DUPFD(wanted))?;
        anyhow::ensure!(got == wanted, "descriptor {wanted} is taken: close it before starting");
    }
    let program = std::env::current_exe().context("finding this program's own file")?;
    let mut command = Command::new("unshare");
    command.args(UNSHARE).arg(program).args(std::env::args_os().skip(1));
    command.env(MARKER, "1").env_remove("LISTEN_PID");
    if !ports.is_empty() {
        command.env("LISTEN_FDS", ports.len().to_string());
        command.env("LISTEN_FDS_FIRST_FD", FIRST_LISTENER.to_string());
    }
    Ok(anyhow::Error::new(command.exec()).context("starting unshare"))
}

/// Says in one sentence what this machine lacks.
pub fn check() -> anyhow::Result<()> {
    let version = |program: &str, flag: &str| {
        Command::new(program).arg(flag).stdout(Stdio::null()).stderr(Stdio::null()).status()
    };
    version("ip", "-V").context("`ip` is missing: install the package iproute2")?;
    version("unshare", "--version").context("`unshare` is missing: install util-linux")?;
    let probe = Command::new("unshare").args(UNSHARE).arg("true").output()?;
    anyhow::ensure!(
        probe.status.success(),
        "this machine forbids user namespaces ({}): allow them with `sysctl \
         kernel.unprivileged_userns_clone=1`, or on Ubuntu with `sysctl \
         kernel.apparmor_restrict_unprivileged_userns=0`, or run as root; in a container, allow \
         the unshare system call",
        String::from_utf8_lossy(&probe.stderr).trim()
    );
    Ok(())
}

fn inherited() -> anyhow::Result<Vec<TcpListener>> {
    let mut descriptors = listenfd::ListenFd::from_env();
    let mut listeners = Vec::new();
    for position in 0..descriptors.len() {
        listeners.extend(descriptors.take_tcp_listener(position)?);
    }
    Ok(listeners)
}

fn set_up() -> anyhow::Result<()> {
    let mut ip = Command::new("ip").args(["-batch", "-"]).stdin(Stdio::piped()).spawn()?;
    if let Some(mut input) = ip.stdin.take() {
        input.write_all(SETUP.as_bytes())?;
    }
    let status = ip.wait()?;
    anyhow::ensure!(
        status.success(),
        "`ip` could not set the namespace up ({status}): the kernel modules for veth are needed \
         (`modprobe veth`)"
    );
    Ok(())
}

/// The first process of a PID namespace ignores every signal that it has no handler for, so
/// without this Ctrl-C would do nothing in a program that does not wait for [`ended_by_user`].
fn exit_on_signal() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    std::thread::Builder::new().name("signals".into()).spawn(move || {
        while runtime.block_on(next_signal()).is_ok() {
            if !PROGRAM_ENDS_ITSELF.load(Ordering::Relaxed) {
                std::process::exit(130);
            }
        }
    })?;
    Ok(())
}

/// Completes when the user asks for the end: Ctrl-C, SIGTERM, or the terminal is gone. From the
/// first poll on, it is up to the caller to end the program then.
pub async fn ended_by_user() -> anyhow::Result<()> {
    PROGRAM_ENDS_ITSELF.store(true, Ordering::Relaxed);
    next_signal().await
}

async fn next_signal() -> anyhow::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        _ = hangup.recv() => {}
    }
    Ok(())
}

/// Serves `listener` (bound outside) by forwarding each connection to `target` inside.
pub fn forward(listener: TcpListener, target: SocketAddr) -> anyhow::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = tokio::net::TcpListener::from_std(listener)?;
    tokio::spawn(async move {
        while let Ok((mut outside, _)) = listener.accept().await {
            tokio::spawn(async move {
                if let Ok(mut inside) = tokio::net::TcpStream::connect(target).await {
                    tokio::io::copy_bidirectional(&mut outside, &mut inside).await.ok();
                }
            });
        }
    });
    Ok(())
}
