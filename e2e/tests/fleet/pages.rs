//! Pages of the documentation, followed to the letter.

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use lockflight_e2e::console::{Step, compare};
use lockflight_e2e::shell::Shell;

use crate::bed::Bed;

/// One command of a page: some wait for a whole release.
const COMMAND: Duration = Duration::from_mins(4);
/// Names a file for a transcript instead of a comparison: for whoever writes the page.
const TRANSCRIPT: &str = "TUTORIAL_TRANSCRIPT";

/// A shell on the fleet, and an empty folder for it.
pub(crate) fn shell(bed: &Bed) -> anyhow::Result<(Shell, PathBuf)> {
    let listen = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    let listeners = bed.fleet.clusters().map(|_| listen()).collect::<Result<Vec<_>, _>>()?;
    let shell = Shell::open(&bed.fleet, listeners)?;
    let folder = bed.fleet.dir().join("reader");
    std::fs::create_dir_all(&folder)?;
    Ok((shell, folder))
}

/// Does every step in its order; each command must print what the page says.
pub(crate) async fn follow(shell: &Shell, steps: &[Step], folder: &Path) -> anyhow::Result<()> {
    let mut transcript = String::new();
    let writing = std::env::var_os(TRANSCRIPT);
    for step in steps {
        match step {
            Step::Save { name, content } => std::fs::write(folder.join(name), content)?,
            Step::Run { line, command, expected } => {
                let answer = shell.run(command, folder, COMMAND).await?;
                transcript = format!("{transcript}$ {command}\n{}", answer.text);
                if let Some(file) = &writing {
                    std::fs::write(file, &transcript)?;
                    continue;
                }
                let good = compare(expected, &answer.text);
                good.with_context(|| {
                    format!("line {line}, `{command}`:\n{transcript}(exit {:?})", answer.code)
                })?;
                ensure!(
                    answer.code == Some(0),
                    "line {line}, `{command}` ended with {:?}:\n{transcript}",
                    answer.code
                );
            }
        }
    }
    ensure!(writing.is_none(), "the transcript was written; nothing was compared");
    Ok(())
}

/// The text of a page in `docs/`.
pub(crate) fn page(name: &str) -> anyhow::Result<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(name);
    std::fs::read_to_string(&path).with_context(|| path.display().to_string())
}
