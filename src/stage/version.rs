//! The versions of the layout, and what a cache says of itself.

use crate::dtype::{Cast, DType};
use crate::error::{Result, bail, error};
use crate::tree::{AttributesExt, Group, GroupExt};

/// The release of spine whose layout is written; it is what spine's readers show as the version.
pub const SPINE_VERSION: &str = "0.17.3";

/// How products lie in a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum FormatVersion {
    /// Region references from `events` to the rows of products: what spine 0.12 to 1.0 reads.
    #[default]
    V1,
    /// Columns with offsets under `products`: what spine 1.1 reads in caches, and every spine from 0.16 on in flat files.
    V2,
}

impl FormatVersion {
    /// The number that files have.
    pub fn number(self) -> i64 {
        match self {
            Self::V1 => 1,
            Self::V2 => 2,
        }
    }

    /// The version of a file; one without a number is of version 1.
    pub(crate) fn read(root: &dyn Group) -> Result<Self> {
        let stored = if root.contains("info")? { root.group("info")?.attrs().get_array("format_version")? } else { None };
        let Some(stored) = stored else { return Ok(Self::V1) };
        match stored.astype(&DType::I64, Cast::Exact).ok().and_then(|v| v.element(0).and_then(|e| e.as_i64())) {
            Some(1) => Ok(Self::V1),
            Some(2) => Ok(Self::V2),
            _ => Err(error!(Unsupported, "the layout has the version {stored}, and 1 and 2 are known").at("/info")),
        }
    }
}

/// The name of the format in `/info`.
pub(crate) const STAGE_FORMAT: &str = "stage_hdf5";

/// Refuses a group that is no cache of stages of that version. An empty group becomes one.
pub(crate) fn check_container(root: &dyn Group, version: FormatVersion) -> Result<()> {
    if root.is_empty()? {
        return Ok(());
    }
    let format = if root.contains("info")? { root.group("info")?.attrs().get_array("format")? } else { None };
    match format.map(|f| f.to_strings()) {
        None if root.contains("stages")? => {}
        None => bail!(InvalidArgument, "there is something else here, and no cache of stages"),
        Some(found) => {
            let found = found.ok().and_then(|f| f.into_iter().next()).unwrap_or_default();
            if found != STAGE_FORMAT {
                return Err(error!(InvalidArgument, "the format here is '{found}', and a cache of stages is '{STAGE_FORMAT}'")
                    .at("/info")
                    .remedy("write to another file"));
            }
        }
    }
    let found = FormatVersion::read(root)?;
    if found != version {
        return Err(error!(Unsupported, "the cache has the format version {}, and the writer {}", found.number(), version.number())
            .at("/info")
            .remedy("write to another file, or make the writer with the version of the cache"));
    }
    Ok(())
}

/// Writes what a cache says of itself: at the first touch by a session.
pub(crate) fn write_info(root: &dyn Group, version: FormatVersion) -> Result<()> {
    let info = root.require_group("info")?;
    let attrs = info.attrs();
    attrs.set("version", SPINE_VERSION)?;
    attrs.set("spine_version", SPINE_VERSION)?;
    attrs.set("format", STAGE_FORMAT)?;
    attrs.set("format_version", version.number())?;
    attrs.set("memh5_version", env!("CARGO_PKG_VERSION"))?;
    root.require_group("stages")?;
    Ok(())
}
