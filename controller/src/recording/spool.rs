//! The directory of recordings.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    path::PathBuf,
    time::SystemTime,
};

use super::Entry;

/// Ending of a recording's name.
const ENDING: &str = "jsonl";

/// Recordings that are kept, whatever their size.
const FILES_MAX: usize = 10_000;

pub(super) struct Spool {
    directory: PathBuf,
    bytes_max: u64,
}

impl Spool {
    /// Makes the directory where there is none, and writes into it once.
    pub(super) fn open(directory: PathBuf, bytes_max: u64) -> io::Result<Self> {
        fs::create_dir_all(&directory)?;
        let probe = directory.join(".probe");
        fs::write(&probe, b"lockflight")?;
        fs::remove_file(&probe)?;
        Ok(Self { directory, bytes_max })
    }

    /// Appends whole lines, or nothing.
    pub(super) fn write(&self, entry: &Entry) -> io::Result<()> {
        if entry.is_first {
            self.make_room(entry.lines.len())?;
        }
        let path = self.directory.join(&entry.file);
        let mut options = OpenOptions::new();
        let mut file = if entry.is_first {
            options.write(true).create_new(true).open(&path)?
        } else {
            // Without `create`: a file that was deleted must not come back without its beginning.
            options.append(true).open(&path)?
        };
        let before = file.metadata()?.len();
        file.write_all(&entry.lines).inspect_err(|_| {
            // What is left is whole; if even this fails, `replay` leaves the last line out.
            let _ = file.set_len(before);
        })
    }

    /// Deletes the oldest recordings until a new one fits.
    fn make_room(&self, bytes: usize) -> io::Result<()> {
        let mut found: Vec<(SystemTime, u64, PathBuf)> = Vec::new();
        for entry in fs::read_dir(&self.directory)? {
            let path = entry?.path();
            if path.extension().is_some_and(|ending| ending == ENDING)
                && let Ok(metadata) = fs::metadata(&path)
            {
                let at = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
                found.push((at, metadata.len(), path));
            }
        }
        found.sort();
        let mut total: u64 = found.iter().map(|(_, length, _)| length).sum();
        let mut files = found.len();
        let room = self.bytes_max.saturating_sub(u64::try_from(bytes).unwrap_or(u64::MAX));
        for (_, length, path) in found {
            if total <= room && files < FILES_MAX {
                break;
            }
            fs::remove_file(path)?;
            total -= length;
            files -= 1;
        }
        Ok(())
    }
}
