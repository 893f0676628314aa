//! The pages from a folder of the operator's: what is in it, and nothing that is hidden or that a link finds outside.

use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use percent_encoding::percent_decode_str;
use tokio::task::spawn_blocking;
use tower_http::services::{ServeDir, ServeFile};

use super::packed::{self, Found, Packed};

const ROOM: &str = "/r/{room}";
const ROOMS: &str = "/r/";
const CHECK: &str = "/check";
const INDEX: &str = "index.html";
const CHECK_PAGE: &str = "check.html";

/// Serves what is in `root`.
pub(super) fn routes(root: &Path) -> Router {
    let folder = Arc::new(Folder {
        root: root.to_owned(),
        told: AtomicBool::new(false),
    });
    // So that it does not show at the first visitor only.
    let _ = folder.finds(Path::new(INDEX));
    let packed = Arc::new(Packed::new());
    let page = |name| ServeFile::new(root.join(name));
    Router::new()
        .route_service(ROOM, page(INDEX))
        .route_service(CHECK, page(CHECK_PAGE))
        .fallback_service(ServeDir::new(root))
        .layer(middleware::from_fn(move |request, next| {
            packed::pack(Arc::clone(&packed), request, next)
        }))
        .layer(middleware::from_fn(move |request, next| {
            guard(Arc::clone(&folder), request, next)
        }))
}

struct Folder {
    root: PathBuf,
    /// Has it been told that links are not followed?
    told: AtomicBool,
}

/// Nothing of the disk is looked at for a path that could lead elsewhere, and every refusal is the same.
async fn guard(folder: Arc<Folder>, mut request: Request, next: Next) -> Response {
    let Some(wanted) = opened(request.uri().path()) else {
        return not_found();
    };
    let found = spawn_blocking(move || folder.finds(&wanted)).await;
    let Some(found) = found.ok().flatten() else {
        return not_found();
    };
    request.extensions_mut().insert(Found(found));
    let response = next.run(request).await;
    if response.status() == StatusCode::NOT_FOUND {
        return not_found();
    }
    response
}

/// Which file of the folder a path means; `None` for none.
fn opened(path: &str) -> Option<PathBuf> {
    let file = match path {
        CHECK => CHECK_PAGE,
        _ if is_room(path) => INDEX,
        _ => path.strip_prefix('/')?,
    };
    let file = percent_decode_str(file).decode_utf8().ok()?;
    let file = PathBuf::from(file.into_owned());
    let plain = |part: Component| match part {
        Component::Normal(name) => name.to_str().is_some_and(|name| !is_hidden(name)),
        Component::CurDir => true,
        _ => false,
    };
    file.components().all(plain).then_some(file)
}

fn is_room(path: &str) -> bool {
    path.strip_prefix(ROOMS)
        .is_some_and(|room| !room.is_empty() && !room.contains('/'))
}

/// A project's folder holds `.git` and `.env`, which are nobody's business. `.well-known` is meant to be seen (RFC 8615).
fn is_hidden(name: &str) -> bool {
    name.starts_with('.') && name != ".well-known"
}

impl Folder {
    /// Where it is, if it is in the folder. A link that leads out, or to what is hidden, may be there for other reasons than to
    /// be served.
    fn finds(&self, wanted: &Path) -> Option<PathBuf> {
        let root = self.root.canonicalize().ok()?;
        let wanted = root.join(wanted);
        let found = wanted.canonicalize().ok()?;
        let index = found.join(INDEX).canonicalize();
        let stays = |found: &Path| found.strip_prefix(&root).is_ok_and(|rest| !hides(rest));
        if stays(&found) && index.as_deref().map_or(true, stays) {
            return Some(index.unwrap_or(found));
        }
        if !self.told.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                "{} is not served, nor is what else links lead to outside of {}: it would be {}",
                wanted.display(),
                root.display(),
                index.as_deref().unwrap_or(&found).display()
            );
        }
        None
    }
}

/// Names with two dots are those in which Kubernetes keeps what it mounts, behind links to it.
fn hides(rest: &Path) -> bool {
    let names = rest.iter().filter_map(|name| name.to_str());
    names
        .into_iter()
        .any(|name| is_hidden(name) && !name.starts_with(".."))
}

fn not_found() -> Response {
    (StatusCode::NOT_FOUND, "Not found.\n").into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_means_a_file_of_the_folder_or_none() {
        for (path, file) in [
            ("/", ""),
            ("/a/%62.txt", "a/b.txt"),
            ("/./a", "./a"),
            ("/check", "check.html"),
            ("/r/team", "index.html"),
            ("/r/team/x.js", "r/team/x.js"),
            ("/.well-known/x", ".well-known/x"),
        ] {
            assert_eq!(opened(path).as_deref(), Some(Path::new(file)), "{path}");
        }
        for path in [
            "",
            "/%2fetc/passwd",
            "//etc/passwd",
            "/../x",
            "/%2e%2e/x",
            "/a/..%2fx",
            "/.env",
            "/%2eenv",
            "/..data/x",
            "/%ff",
        ] {
            assert_eq!(opened(path), None, "{path}");
        }
    }
}
