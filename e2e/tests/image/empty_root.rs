//! A root with nothing in it but the image and what Kubernetes would mount, for a user without
//! any right.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use lockflight_e2e::process::{Process, Spec, create_log};
use tempfile::TempDir;

/// Makes `$0` read-only and goes there, as the user of the image. `env` forgets what the tests
/// have in their environment, such as another bundle of certificates.
const ENTER: &str = r#"
mount --bind "$0" "$0"
mount -o remount,bind,ro "$0"
exec env -i PATH="$PATH" "$@"
"#;
const USER: &str = "65532";

/// The root of one run.
pub(crate) struct EmptyRoot {
    dir: TempDir,
}

impl EmptyRoot {
    /// A copy of the image, with `more` files that replace those of the same name.
    pub(crate) fn of(image: &Path, more: &[(&str, &str)]) -> anyhow::Result<Self> {
        let root = Self { dir: TempDir::new()? };
        for (name, _) in files(image)? {
            let to = root.make_room(&name)?;
            std::fs::copy(image.join(&name), to).with_context(|| name.clone())?;
        }
        for (name, text) in more {
            std::fs::write(root.make_room(name)?, text).with_context(|| (*name).to_owned())?;
        }
        Ok(root)
    }

    fn make_room(&self, name: &str) -> anyhow::Result<PathBuf> {
        let path = self.dir.path().join(name);
        std::fs::create_dir_all(path.parent().context("a file without a folder")?)?;
        Ok(path)
    }

    /// Program and arguments that run the hub in it, with these variables and no others but PATH.
    pub(crate) fn run(&self, variables: &[&str], arguments: &[&str]) -> (PathBuf, Vec<String>) {
        let root = self.dir.path().display().to_string();
        let outer = ["--mount", "sh", "-euc", ENTER, &root];
        let user = format!("--map-user={USER}");
        let group = format!("--map-group={USER}");
        let inner = ["unshare", "--user", &user, &group, "--root", &root, "--wd", "/"];
        let all = [&outer[..], variables, &inner, &["/lockflight"], arguments].concat();
        ("unshare".into(), all.into_iter().map(str::to_owned).collect())
    }

    /// The same as a process that logs to `logs`. Each program becomes the next one, so the
    /// process is the hub.
    pub(crate) fn start(
        &self,
        name: &str,
        logs: &Path,
        variables: &[&str],
        arguments: &[String],
    ) -> anyhow::Result<Process> {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let (program, args) = self.run(variables, &arguments);
        let log = create_log(logs.join(format!("image-{name}.log")))?;
        let name = format!("the hub of the image ({name})");
        Process::spawn(Spec { name, program, args, env: Vec::new(), log })
    }
}

/// Names below `folder` and sizes in bytes of all that is not a folder, in order.
pub(crate) fn files(folder: &Path) -> anyhow::Result<Vec<(String, u64)>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(&next).with_context(|| next.display().to_string())? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                folders.push(entry.path());
            } else {
                let path = entry.path();
                let name = path.strip_prefix(folder)?.to_str().context("a name not in UTF-8")?;
                found.push((name.to_owned(), entry.metadata()?.len()));
            }
        }
    }
    found.sort_unstable();
    Ok(found)
}
