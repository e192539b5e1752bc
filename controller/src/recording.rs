//! What the judge is shown, kept in files that `kubectl lockflight replay` reads.
//!
//! A recording is for people who ask later why; no decision depends on it. So a gate never waits
//! for it: lines go through a bounded queue to a thread of their own, and what does not fit or
//! cannot be written is dropped and counted. A file is never wrong for that. It ends where lines
//! were lost, and the next one begins with the evidence so far: each file alone, judged again,
//! ends where the judge stood at its end.

mod spool;
mod tape;

use std::{
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{SyncSender, TrySendError, sync_channel},
    },
    thread::{self, JoinHandle},
};

use prometheus_client::{metrics::counter::Counter, registry::Registry};

use self::spool::Spool;
pub(crate) use self::tape::{Before, Tape};
use crate::telemetry::catalogue::help;

/// Lines that wait to be written: a second of a thousand gates that all have a new window.
const QUEUE_MAX: usize = 1024;

/// Bytes of one file. A window of ten pods is about 600 B, so this is a day of one gate.
const FILE_BYTES_MAX: usize = 16 << 20;

/// Where attempts are recorded.
#[derive(Debug, Clone)]
pub struct Recorder {
    queue: SyncSender<Entry>,
    dropped: Counter,
    file_bytes_max: usize,
}

/// Something to write.
struct Entry {
    /// Name of the file.
    file: String,
    /// Whether it is the file's first.
    is_first: bool,
    /// Whole lines.
    lines: Vec<u8>,
    /// Set when the file cannot go on.
    broken: Arc<AtomicBool>,
}

impl Recorder {
    /// Records into a directory, of which the oldest recordings are deleted beyond so many bytes.
    /// Fails when nothing can be written there.
    pub fn open(directory: &Path, bytes_max: u64) -> io::Result<Self> {
        let (recorder, _) = Self::with_files_of(directory, bytes_max, FILE_BYTES_MAX)?;
        Ok(recorder)
    }

    /// The thread ends when the last recorder and tape are gone.
    fn with_files_of(
        directory: &Path,
        bytes_max: u64,
        file_bytes_max: usize,
    ) -> io::Result<(Self, JoinHandle<()>)> {
        let spool = Spool::open(PathBuf::from(directory), bytes_max)?;
        let (queue, entries) = sync_channel::<Entry>(QUEUE_MAX);
        let dropped = Counter::default();
        let lost = dropped.clone();
        let thread = thread::Builder::new().name("recordings".to_owned()).spawn(move || {
            for entry in entries {
                let broken = entry.broken.load(Ordering::Relaxed);
                let written = if broken { Ok(()) } else { spool.write(&entry) };
                if let Err(error) = &written {
                    entry.broken.store(true, Ordering::Relaxed);
                    tracing::warn!(%error, file = entry.file, "a recording cannot be written");
                }
                if broken || written.is_err() {
                    lost.inc();
                }
            }
        })?;
        Ok((Self { queue, dropped, file_bytes_max }, thread))
    }

    /// Registers the count of what was dropped.
    pub fn register(&self, registry: &mut Registry) {
        registry.register(
            "lockflight_recording_rounds_dropped",
            help("lockflight_recording_rounds_dropped"),
            self.dropped.clone(),
        );
    }

    /// Rounds that could not be recorded.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.get()
    }

    /// Hands an entry over; false when it was dropped. Never waits.
    fn send(&self, entry: Entry) -> bool {
        match self.queue.try_send(entry) {
            Ok(()) => true,
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                self.dropped.inc();
                false
            }
        }
    }
}

#[cfg(test)]
mod tests;
