//! The names of caches.

use super::provenance::SourceInfo;
use crate::error::{Result, error};
use std::path::{Path, PathBuf};

/// The files of a writer, by its arguments. In spine the static method of that name.
///
/// | split | `file_name` | `prefix` | result |
/// | --- | --- | --- | --- |
/// | no | given | any | `file_name` |
/// | no | | one | `<stem>_<suffix>.h5` beside the input |
/// | yes | given | one | `file_name` |
/// | yes | | any number | `<stem>_<suffix>.h5` of each, in the directory of the first |
/// | yes | given | several | `<stem of file_name>_<i>.h5` |
///
/// With `directory`, all are there instead. The stem of a path is its base name without the last extension.
///
/// ```
/// use memh5::stage::get_file_names;
/// let names = get_file_names(None, None, &["in/run1.root".into()], "stage", true)?;
/// assert_eq!(names, [std::path::Path::new("in/run1_stage.h5")]);
/// # Ok::<(), memh5::Error>(())
/// ```
///
/// # Errors
/// `InvalidArgument` if a prefix is needed and not given, or two inputs have one stem.
pub fn get_file_names(
    file_name: Option<&Path>,
    directory: Option<&Path>,
    prefix: &[PathBuf],
    suffix: &str,
    split: bool,
) -> Result<Vec<PathBuf>> {
    let file_name = file_name.filter(|f| !f.as_os_str().is_empty());
    let named = |dir: &Path, stem: &str| dir.join(format!("{stem}_{suffix}.h5"));
    let names = match (split, file_name, prefix) {
        (false, Some(file), _) | (true, Some(file), [_]) => vec![relocate(file, directory)],
        (false, None, [input]) => vec![named(directory.unwrap_or(parent(input)), &stem(input))],
        (false, None, _) => {
            return Err(error!(InvalidArgument, "without a file_name, one input file prefix must be provided")
                .remedy("give file_name or one prefix"));
        }
        (true, _, []) => {
            return Err(error!(InvalidArgument, "one prefix per input file must be provided").remedy("give the inputs' names as prefix"));
        }
        (true, None, [first, ..]) => {
            let dir = directory.unwrap_or(parent(first));
            prefix.iter().map(|p| named(dir, &stem(p))).collect()
        }
        (true, Some(file), inputs) => {
            let dir = directory.unwrap_or(parent(file));
            (0..inputs.len()).map(|i| dir.join(format!("{}_{i}.h5", stem(file)))).collect()
        }
    };
    for (at, name) in names.iter().enumerate() {
        if names[..at].contains(name) {
            return Err(
                error!(InvalidArgument, "two inputs would share the file \"{}\"", name.display()).remedy("give the inputs different names")
            );
        }
    }
    Ok(names)
}

/// The cache of a source: beside the others, named after the source. In spine `get_output_path` of a writer that is routed by source.
pub(crate) fn path_of_source(base: &Path, directory: Option<&Path>, source: &SourceInfo, suffix: &str) -> PathBuf {
    let dir = directory.unwrap_or(parent(base));
    dir.join(format!("{}_{suffix}.h5", stem(Path::new(&source.file_name))))
}

fn relocate(path: &Path, directory: Option<&Path>) -> PathBuf {
    match (directory, path.file_name()) {
        (Some(dir), Some(name)) => dir.join(name),
        _ => path.to_owned(),
    }
}

fn parent(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new(""))
}

fn stem(path: &Path) -> String {
    path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(file: Option<&str>, dir: Option<&str>, prefix: &[&str], split: bool) -> Result<Vec<String>> {
        let prefix: Vec<PathBuf> = prefix.iter().map(PathBuf::from).collect();
        let found = get_file_names(file.map(Path::new), dir.map(Path::new), &prefix, "s", split)?;
        Ok(found.iter().map(|p| p.display().to_string()).collect())
    }

    #[test]
    fn the_table_of_spine() {
        assert_eq!(names(Some("a/x.h5"), None, &[], false).unwrap(), ["a/x.h5"]);
        assert_eq!(names(Some("a/x.h5"), Some("d"), &[], false).unwrap(), ["d/x.h5"]);
        assert_eq!(names(None, None, &["i/b.tar.gz"], false).unwrap(), ["i/b.tar_s.h5"]);
        assert_eq!(names(None, Some("d"), &["i/b"], false).unwrap(), ["d/b_s.h5"]);
        assert!(names(None, None, &[], false).is_err());
        assert!(names(None, None, &["a", "b"], false).is_err());
        assert!(names(Some("x.h5"), None, &[], true).is_err());
        assert_eq!(names(Some("a/x.h5"), None, &["q"], true).unwrap(), ["a/x.h5"]);
        assert_eq!(names(None, None, &["i/q", "j/r"], true).unwrap(), ["i/q_s.h5", "i/r_s.h5"]);
        assert_eq!(names(Some("a/x.h5"), Some("d"), &["q", "r"], true).unwrap(), ["d/x_0.h5", "d/x_1.h5"]);
        assert_eq!(names(None, None, &["i/q.a", "j/q.b"], true).unwrap_err().kind(), crate::ErrorKind::InvalidArgument);
    }
}
