//! The little Markdown that we look at.

/// Lines with their number from 1, and whether they are inside a fence.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str, bool)> {
    let mut fenced = false;
    text.lines().enumerate().map(move |(index, line)| {
        let is_fence = line.trim_start().starts_with("```");
        let inside = fenced || is_fence;
        fenced ^= is_fence;
        (index + 1, line, inside)
    })
}

/// Contents of the fences that say `yaml`, each with its line.
pub(super) fn yaml_blocks(text: &str) -> Vec<(usize, String)> {
    let mut blocks: Vec<(usize, String)> = Vec::new();
    let mut is_open = false;
    let mut inside = false;
    for (index, line) in text.lines().enumerate() {
        let fence = line.trim_start().strip_prefix("```");
        match fence {
            Some(_) if inside => (inside, is_open) = (false, false),
            Some(language) => {
                inside = true;
                is_open = language.split_whitespace().next() == Some("yaml");
                if is_open {
                    blocks.push((index + 1, String::new()));
                }
            }
            None => {
                if let Some((_, block)) = blocks.last_mut().filter(|_| is_open) {
                    block.push_str(line);
                    block.push('\n');
                }
            }
        }
    }
    blocks
}

/// Targets of links that stay in the repository, each with its line.
pub(super) fn local_links(text: &str) -> Vec<(usize, String)> {
    let mut links = Vec::new();
    for (number, line, _) in lines(text).filter(|(_, _, fenced)| !fenced) {
        for (at, opening) in line.match_indices("](") {
            let rest = &line[at + opening.len()..];
            let target = rest.split([')', ' ']).next().unwrap_or_default();
            let is_elsewhere = target.contains("://") || target.starts_with("mailto:");
            if !target.is_empty() && !is_elsewhere {
                links.push((number, target.to_owned()));
            }
        }
    }
    links
}

/// Anchors of the headings, as the usual forges make them.
pub(super) fn anchors(text: &str) -> impl Iterator<Item = String> {
    let headings = lines(text).filter(|(_, line, fenced)| !fenced && line.starts_with('#'));
    headings.map(|(_, line, _)| {
        let title = line.trim_start_matches('#').trim().to_lowercase();
        let kept = title.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
# First, a `title`
[a](docs/a.md#b), [c](https://c.example/), [d](#d \"title\")
```yaml
a: 1
# [no](link.md)
```
```console
$ true
```
```yaml
b: 2
```
";

    #[test]
    fn reads_blocks_links_and_headings() {
        let blocks = [(3, "a: 1\n# [no](link.md)\n".to_owned()), (10, "b: 2\n".to_owned())];
        assert_eq!(yaml_blocks(TEXT), blocks);
        assert_eq!(local_links(TEXT), [(2, "docs/a.md#b".to_owned()), (2, "#d".to_owned())]);
        assert_eq!(anchors(TEXT).collect::<Vec<_>>(), ["first-a-title"]);
    }
}
