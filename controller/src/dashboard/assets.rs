//! The built front end, inside the executable. Written by `npm run build` in `dashboard/`.

use std::sync::LazyLock;

use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use flate2::Compression;
use sha2::{Digest as _, Sha256};

use super::reply::{gzip, hex, takes_gzip};

/// A file of the front end.
struct Asset {
    path: &'static str,
    kind: &'static str,
    plain: &'static [u8],
    compressed: Vec<u8>,
    /// Quoted, as the headers want it.
    tag: String,
}

macro_rules! asset {
    ($path:literal, $kind:literal) => {
        ($path, $kind, include_bytes!(concat!("dist", $path)).as_slice())
    };
}

/// Compressed once, at the first request.
static ASSETS: LazyLock<Vec<Asset>> = LazyLock::new(|| {
    let files: [(&str, &str, &[u8]); 6] = [
        asset!("/index.html", "text/html; charset=utf-8"),
        asset!("/assets/app.js", "text/javascript; charset=utf-8"),
        asset!("/assets/app.css", "text/css; charset=utf-8"),
        asset!("/assets/chart.js", "text/javascript; charset=utf-8"),
        asset!("/assets/chart.css", "text/css; charset=utf-8"),
        asset!("/assets/icon.svg", "image/svg+xml"),
    ];
    let asset = |(path, kind, plain): (&'static str, &'static str, &'static [u8])| Asset {
        path,
        kind,
        plain,
        compressed: gzip(plain, Compression::best()).unwrap_or_default(),
        tag: format!("\"{}\"", hex(&Sha256::digest(plain)[..8])),
    };
    files.into_iter().map(asset).collect()
});

/// A file; the page itself for every path that the page routes by itself.
pub(super) fn serve(path: &str, asked: &HeaderMap) -> Response {
    let path = if path.starts_with("/assets/") { path } else { "/index.html" };
    let Some(asset) = ASSETS.iter().find(|asset| asset.path == path) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let mut response = Response::new(Body::empty());
    let headers = response.headers_mut();
    // Asked for anew each time, answered with 304: a new hub is never seen with an old page.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    if let Ok(tag) = HeaderValue::from_str(&asset.tag) {
        headers.insert(header::ETAG, tag);
    }
    let known = asked.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    if known.is_some_and(|tags| tags.split(',').any(|tag| tag.trim() == asset.tag)) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        return response;
    }
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(asset.kind));
    if takes_gzip(asked) && !asset.compressed.is_empty() {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        *response.body_mut() = Body::from(asset.compressed.as_slice());
    } else {
        *response.body_mut() = Body::from(asset.plain);
    }
    response
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        path::{Path, PathBuf},
    };

    use super::*;

    /// What the page may weigh in all, compressed.
    const WEIGHT_MAX: usize = 150 * 1024;

    #[test]
    fn the_page_is_light_and_names_no_other_host() {
        let weight: usize = ASSETS.iter().map(|asset| asset.compressed.len()).sum();
        assert!(weight > 0 && weight <= WEIGHT_MAX, "{weight} bytes");
        for asset in ASSETS.iter() {
            let text = String::from_utf8_lossy(asset.plain);
            // Names of XML namespaces are never fetched.
            let text = text.replace("http://www.w3.org/", "");
            for needle in ["http://", "https://", "@import", "@font-face", "eval("] {
                assert!(!text.contains(needle), "{} holds {needle}", asset.path);
            }
        }
    }

    /// The same sum as in `dashboard/vite.config.js`: over names and contents, in order.
    fn sum_of_sources(root: &Path) -> String {
        let mut files: Vec<PathBuf> = ["src", "public"].map(|name| root.join(name)).to_vec();
        files.extend(["index.html", "package-lock.json", "vite.config.js"].map(|f| root.join(f)));
        let mut names = Vec::new();
        while let Some(path) = files.pop() {
            if path.is_dir() {
                files.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            } else {
                names.push(path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/"));
            }
        }
        names.sort();
        let mut sum = Sha256::new();
        for name in names {
            sum.update(&name);
            sum.update([0]);
            sum.update(fs::read(root.join(&name)).unwrap());
            sum.update([0]);
        }
        hex(&sum.finalize())
    }

    #[test]
    fn the_page_was_built_from_these_sources() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../dashboard");
        let built = include_str!("dist/sources.sha256").trim();
        assert_eq!(built, sum_of_sources(&root), "run npm ci && npm run build in dashboard/");
    }

    #[test]
    fn a_known_file_is_not_sent_again() {
        let mut asked = HeaderMap::new();
        let first = serve("/assets/app.js", &asked);
        assert_eq!(first.status(), StatusCode::OK);
        asked.insert(header::IF_NONE_MATCH, first.headers()[header::ETAG].clone());
        assert_eq!(serve("/assets/app.js", &asked).status(), StatusCode::NOT_MODIFIED);
        assert_eq!(serve("/assets/none.js", &asked).status(), StatusCode::NOT_FOUND);
        let page = serve("/rollouts/shop/checkout", &HeaderMap::new());
        assert_eq!(page.headers()[header::CONTENT_TYPE], "text/html; charset=utf-8");
    }
}
