//! The memory of the demo application: a gauge that is real.

use std::io;

/// Bytes of this process that are in memory, as `process_resident_memory_bytes` has them in most
/// exporters. An error where the system does not say.
pub(super) fn resident_bytes() -> io::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes = line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse().ok());
    let kibibytes: u64 = kibibytes.ok_or_else(|| io::Error::other("no VmRSS in its status"))?;
    Ok(kibibytes * 1024)
}

/// Memory that is held, and written to, so that the system really gives it.
pub(super) fn ballast(mebibytes: u32) -> Vec<u8> {
    let bytes = usize::try_from(mebibytes).unwrap_or(0) << 20;
    vec![1; bytes]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ballast_is_resident() {
        let before = resident_bytes().unwrap();
        let held = ballast(64);
        let after = resident_bytes().unwrap();
        assert!(after > before + (48 << 20), "{before} {after}");
        drop(held);
    }
}
