//! The READMEs of the charts: their tables of values come from the comments of values.yaml.

mod values;

use std::fs;

use anyhow::{Context as _, Result};

use crate::workspace::{root, verdict};

const CHARTS: [&str; 2] = ["lockflight", "lockflight-member"];
/// What stands above this line is written by hand, what follows is not.
const HEADING: &str = "## Values\n";

/// Writes the tables.
pub(crate) fn write() -> Result<String> {
    for chart in CHARTS {
        fs::write(root().join("helm").join(chart).join("README.md"), readme(chart)?)?;
    }
    Ok(format!("wrote {} READMEs", CHARTS.len()))
}

/// Compares the tables with values.yaml.
pub(crate) fn check() -> Result<String> {
    let mut complaints = Vec::new();
    for chart in CHARTS {
        let path = root().join("helm").join(chart).join("README.md");
        if fs::read_to_string(&path).ok() != Some(readme(chart)?) {
            complaints.push(format!(
                "the README of {chart} is not what values.yaml says: run `cargo xtask charts`"
            ));
        }
    }
    verdict(&complaints, format!("the READMEs of {} charts are as values.yaml says", CHARTS.len()))
}

/// A README as it has to be.
fn readme(chart: &str) -> Result<String> {
    let folder = root().join("helm").join(chart);
    let read = |name: &str| {
        fs::read_to_string(folder.join(name)).with_context(|| format!("{chart}/{name}"))
    };
    let written = read("README.md")?;
    let (by_hand, _) = written
        .split_once(HEADING)
        .with_context(|| format!("{chart}/README.md has no heading \"Values\""))?;
    let mut text = format!(
        "{by_hand}{HEADING}\nWritten from the comments of values.yaml by `cargo xtask charts`.\n\n\
         | Value | Default | Meaning |\n|---|---|---|\n"
    );
    let rows =
        values::rows(&read("values.yaml")?).with_context(|| format!("{chart}/values.yaml"))?;
    let line =
        |row: &values::Row| format!("| `{}` | `{}` | {} |\n", row.path, row.default, row.meaning);
    text.extend(rows.iter().map(line));
    Ok(text)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_readmes_are_as_the_values_say() {
        super::check().unwrap();
    }
}
