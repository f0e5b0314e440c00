//! The source file itself: where it is and what its content is, beyond the name, size and time by which a batch knows it.

use super::provenance::SourceInfo;
use crate::error::{Context, Error, Result, error};
use crate::tree::{AttributesExt, Group, GroupExt};
use sha2::{Digest, Sha256};
use std::io::Read;
use std::path::{Path, PathBuf};

/// Attributes of `/source` that spine does not look at.
const PATH: &str = "memh5_path";
const SHA256: &str = "memh5_sha256";

/// What a cache tells of its source beyond spine's three attributes, where its writer knew: see
/// [`source_files`](super::StageHdf5WriterBuilder::source_files).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SourceOrigin {
    /// Where the source was, from the root of the file system.
    pub path: String,
    /// The SHA-256 of its content in hexadecimal, if that was asked for.
    pub sha256: Option<String>,
}

impl SourceOrigin {
    /// Reads what `/source` of a cache tells; `None` if it does not.
    ///
    /// # Errors
    /// `Dtype` if an attribute is no text.
    pub fn read(root: &dyn Group) -> Result<Option<Self>> {
        if !root.contains("source")? {
            return Ok(None);
        }
        let source = root.group("source")?;
        let text = |name: &str| if source.attrs().contains(name)? { source.attrs().get::<String>(name).map(Some) } else { Ok(None) };
        let Some(path) = text(PATH)? else { return Ok(None) };
        Ok(Some(Self { path, sha256: text(SHA256)? }))
    }

    /// Refuses a cache of a source with another content.
    pub(super) fn expect(&self, root: &dyn Group) -> Result<()> {
        match (Self::read(root)?.and_then(|o| o.sha256), &self.sha256) {
            (Some(found), Some(wanted)) if found != *wanted => Err(error!(
                InvalidArgument,
                "the cache is of another source: its content has the SHA-256 {found}, and that of the file is {wanted}"
            )
            .at("/source")
            .remedy("write to another file, or remove the cache of the old source")),
            _ => Ok(()),
        }
    }

    /// Adds it to `/source`, as far as it is not there.
    pub(super) fn write(&self, source: &dyn Group) -> Result<()> {
        source.attrs().set(PATH, self.path.as_str())?;
        match &self.sha256 {
            Some(sum) => source.attrs().set(SHA256, sum.as_str()),
            None => Ok(()),
        }
    }
}

/// The files that a writer was told of.
#[derive(Debug, Clone, Default)]
pub(super) struct Origins {
    pub files: Vec<PathBuf>,
    pub digests: bool,
}

impl Origins {
    /// The file of a source; `None` if none has its name.
    pub fn of(&self, source: &SourceInfo) -> Result<Option<SourceOrigin>> {
        let named = |p: &&PathBuf| p.file_name().is_some_and(|n| n.to_string_lossy() == source.file_name.as_str());
        let mut different = None;
        for path in self.files.iter().filter(named) {
            match SourceInfo::of_file(path)? {
                found if found == *source => {
                    let full = std::path::absolute(path).map_err(|e| Error::io(e, path))?;
                    let sha256 = self.digests.then(|| digest(path)).transpose()?;
                    return Ok(Some(SourceOrigin { path: full.to_string_lossy().into_owned(), sha256 }));
                }
                found => different = Some((path, found)),
            }
        }
        match different {
            None => Ok(None),
            Some((path, found)) => Err(found.expect(source).err().unwrap_or_else(|| error!(InvalidArgument, "the source is another one")))
                .context("/source", "compare the source with its file")
                .map_err(|e| e.in_file(path)),
        }
    }
}

/// The SHA-256 of a file.
fn digest(path: &Path) -> Result<String> {
    let fail = |e| Error::io(e, path).during("read the source file");
    let mut file = std::fs::File::open(path).map_err(fail)?;
    let (mut sum, mut block) = (Sha256::new(), vec![0u8; 1 << 20]);
    loop {
        match file.read(&mut block) {
            Ok(0) => break,
            Ok(n) => sum.update(block.get(..n).unwrap_or_default()),
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) => return Err(fail(e)),
        }
    }
    Ok(sum.finalize().iter().map(|b| format!("{b:02x}")).collect())
}
