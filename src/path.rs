//! Tree paths: parts between slashes, empty parts dropped, absolute when they begin with a slash.
//!
//! `.` and `..` mean nothing special: they are looked up like any name and refused when something is to be created.

use crate::error::{Result, bail};

/// True if the path begins at the root.
pub fn is_absolute(path: &str) -> bool {
    path.starts_with('/')
}

/// The parts of a path; empty ones are dropped, so `//grp///sub/` has the parts `grp` and `sub`.
pub fn parts(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|part| !part.is_empty())
}

/// The absolute path without empty parts: `//grp///sub/` is `/grp/sub`.
///
/// # Errors
/// `InvalidName` if the path is not absolute or holds a NUL.
pub fn normalize(path: &str) -> Result<String> {
    if !is_absolute(path) {
        bail!(InvalidName, "'{path}' is not an absolute path");
    }
    check_lookup(path)?;
    let mut out = String::with_capacity(path.len());
    for part in parts(path) {
        out.push('/');
        out.push_str(part);
    }
    if out.is_empty() {
        out.push('/');
    }
    Ok(out)
}

/// Joins a path to the absolute path of a group; an absolute one replaces it. Empty parts are dropped.
pub fn join(base: &str, path: &str) -> String {
    let mut out = String::new();
    let base = if is_absolute(path) { "" } else { base };
    for part in parts(base).chain(parts(path)) {
        out.push('/');
        out.push_str(part);
    }
    if out.is_empty() {
        out.push('/');
    }
    out
}

/// The path without empty parts, absolute or relative as it was: what HDF5 makes of the target of a link.
pub(crate) fn tidy(path: &str) -> String {
    if is_absolute(path) { join("/", path) } else { parts(path).collect::<Vec<_>>().join("/") }
}

/// Splits off the last part: `/a/b` gives `("/a/", "b")`, `b` gives `("", "b")`; `None` if there is no part.
pub fn split_last(path: &str) -> Option<(&str, &str)> {
    let trimmed = path.trim_end_matches('/');
    if trimmed.is_empty() {
        return None;
    }
    match trimmed.rfind('/') {
        Some(at) => Some((&trimmed[..=at], &trimmed[at + 1..])),
        None => Some(("", trimmed)),
    }
}

/// The path relative to a base, both absolute: `/a/b/c` below `/a` is `b/c`. `None` if it is not below.
pub fn relative_to<'p>(path: &'p str, base: &str) -> Option<&'p str> {
    let base = base.trim_end_matches('/');
    let rest = path.strip_prefix(base)?;
    if rest.is_empty() {
        return Some("");
    }
    rest.strip_prefix('/')
}

/// Checks a path that is looked up: it may not hold a NUL, which no backend can store.
pub(crate) fn check_lookup(path: &str) -> Result<()> {
    if path.contains('\0') {
        bail!(InvalidName, "the name {path:?} holds a NUL, which no tree can store");
    }
    Ok(())
}

/// Checks one new name: not empty, no NUL, no slash, not `.` or `..`.
pub(crate) fn check_new_name(name: &str) -> Result<()> {
    check_lookup(name)?;
    if name.is_empty() {
        bail!(InvalidName, "a name is needed, and this one is empty");
    }
    if name == "." || name == ".." {
        bail!(InvalidName, "'{name}' cannot be the name of an object: it means nothing in a tree path");
    }
    if name.contains('/') {
        bail!(InvalidName, "the name '{name}' holds a slash, which separates the parts of a path");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normalizes_as_caput_does() {
        assert_eq!(normalize("//grp///sub/").unwrap(), "/grp/sub");
        assert_eq!(normalize("/").unwrap(), "/");
        assert!(normalize("rel").is_err());
        assert!(normalize("/a\0").is_err());
    }

    #[test]
    fn joins_and_splits() {
        assert_eq!(join("/a", "b/c"), "/a/b/c");
        assert_eq!(join("/a", "/d"), "/d");
        assert_eq!(join("/", ""), "/");
        assert_eq!(split_last("/a/b"), Some(("/a/", "b")));
        assert_eq!(split_last("b/"), Some(("", "b")));
        assert_eq!(split_last("/"), None);
        assert_eq!(relative_to("/a/b/c", "/a"), Some("b/c"));
        assert_eq!(relative_to("/ab", "/a"), None);
        assert_eq!(relative_to("/ab", "/"), Some("ab"));
        assert_eq!(relative_to("/", "/"), Some(""));
    }
}
