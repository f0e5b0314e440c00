//! What a copy did, and what it could not.

use std::fmt;

/// One line of a report: an object or attribute, and what happened to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyNote {
    /// The path relative to the copied group; of an attribute, `path@name`.
    pub path: String,
    /// What happened.
    pub what: String,
}

/// What a copy did, and what it could not represent at the destination.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CopyReport {
    /// Groups made. The group into which the copy went is not counted.
    pub groups: usize,
    /// Datasets made.
    pub datasets: usize,
    /// Committed types made.
    pub datatypes: usize,
    /// Attributes set.
    pub attributes: usize,
    /// Links made: soft, external, and hard ones beyond the first name of an object.
    pub links: usize,
    /// Bytes of the elements of datasets, as they are in memory. (What is shared copy-on-write counts, though no byte moves.)
    pub bytes: u64,
    /// What was changed on request.
    pub converted: Vec<CopyNote>,
    /// What could not be kept.
    pub lost: Vec<CopyNote>,
}

impl CopyReport {
    pub(super) fn convert(&mut self, path: &str, what: impl Into<String>) {
        self.converted.push(CopyNote { path: shown(path), what: what.into() });
    }

    pub(crate) fn lose(&mut self, path: &str, what: impl Into<String>) {
        self.lost.push(CopyNote { path: shown(path), what: what.into() });
    }

    /// True if everything is at the destination as it was.
    pub fn is_lossless(&self) -> bool {
        self.converted.is_empty() && self.lost.is_empty()
    }
}

fn shown(path: &str) -> String {
    if path.is_empty() || path.starts_with('@') { format!("/{path}") } else { path.to_owned() }
}

impl fmt::Display for CopyNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.what)
    }
}

impl fmt::Display for CopyReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
        write!(f, "copied {}, {}", count(self.groups, "group"), count(self.datasets, "dataset"))?;
        if self.datatypes > 0 {
            write!(f, ", {}", count(self.datatypes, "committed type"))?;
        }
        write!(f, ", {}, {}, {}", count(self.attributes, "attribute"), count(self.links, "link"), bytes(self.bytes))?;
        for note in &self.converted {
            write!(f, "\nconverted {note}")?;
        }
        for note in &self.lost {
            write!(f, "\nlost {note}")?;
        }
        Ok(())
    }
}

fn bytes(n: u64) -> String {
    let mut value = n as f64;
    for unit in ["bytes", "KiB", "MiB", "GiB"] {
        if value < 1024.0 {
            return if unit == "bytes" { format!("{n} bytes") } else { format!("{value:.1} {unit}") };
        }
        value /= 1024.0;
    }
    format!("{value:.1} TiB")
}
