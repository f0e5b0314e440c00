//! What a new store is to be.

/// The version of the Zarr format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub enum ZarrVersion {
    /// Version 2: `.zgroup`, `.zarray`, `.zattrs`.
    V2,
    /// Version 3: `zarr.json`.
    #[default]
    V3,
}

/// What a store that is made is to be. What is opened keeps its version.
///
/// ```
/// use memh5::format::zarr::{ZarrFormat, ZarrOptions, ZarrVersion};
/// use memh5::{format::Format, prelude::*, tree::Mode};
/// # let dir = tempfile::tempdir()?;
/// let old = ZarrFormat::with(ZarrOptions::default().version(ZarrVersion::V2));
/// let root = old.open(&dir.path().join("old.zarr"), Mode::CreateNew)?;
/// root.create_dataset("vis").write(vec![1.0, 2.0])?;
/// root.close_tree()?;
/// assert!(dir.path().join("old.zarr/vis/.zarray").is_file());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ZarrOptions {
    /// The version of the format: 3 when not said.
    pub version: ZarrVersion,
    /// Puts chunks together in files ("shards") of about so many bytes; version 3 only. Chunks stay what is compressed and read.
    pub shard_bytes: Option<usize>,
    /// A CRC-32C behind every chunk; version 3 only.
    pub crc32c: bool,
}

impl ZarrOptions {
    /// The version of the format.
    #[must_use]
    pub fn version(mut self, version: ZarrVersion) -> Self {
        self.version = version;
        self
    }

    /// Puts chunks together in files of about so many bytes; version 3 only.
    #[must_use]
    pub fn shard_bytes(mut self, bytes: usize) -> Self {
        self.shard_bytes = Some(bytes);
        self
    }

    /// A CRC-32C behind every chunk, checked at each read; version 3 only.
    #[must_use]
    pub fn crc32c(mut self, checksum: bool) -> Self {
        self.crc32c = checksum;
        self
    }
}
