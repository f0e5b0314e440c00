//! What the command line says about a new Zarr store.

use crate::args::Storage;
use memh5::format::Format;
use memh5::tree::GroupRef;
use memh5::{Error, ErrorKind, Result};
use std::path::Path;

/// The choices, as far as they were made.
#[derive(Debug, Default)]
pub struct Choices {
    version: Option<u8>,
    shards: Option<usize>,
    crc32c: bool,
}

impl Choices {
    /// Reads the choices.
    pub fn new(storage: &Storage) -> Result<Self> {
        let shards = storage.shards.map(usize::try_from).transpose();
        let shards = shards.map_err(|_| Error::new(ErrorKind::InvalidArgument, "--shards asks for more than this machine can address"))?;
        let choices = Self { version: storage.zarr_format, shards, crc32c: storage.crc32c };
        if choices.version == Some(2) && (choices.shards.is_some() || choices.crc32c) {
            let error = Error::new(ErrorKind::InvalidArgument, "Zarr version 2 has neither shards nor checksums of that kind");
            return Err(error.remedy("leave --shards and --crc32c out, or make version 3"));
        }
        Ok(choices)
    }

    fn are_made(&self) -> bool {
        self.version.is_some() || self.shards.is_some() || self.crc32c
    }

    /// Refuses choices where they cannot be followed.
    #[cfg_attr(not(feature = "mpi"), allow(dead_code))]
    pub fn refuse(&self, with: &str) -> Result<()> {
        if !self.are_made() {
            return Ok(());
        }
        let error = Error::new(ErrorKind::Unsupported, format!("--zarr-format, --shards and --crc32c cannot be said with {with}"));
        Err(error.remedy("copy the new store once more, with them"))
    }

    /// What makes the new store, if it is one and something was chosen; a store that is replaced by its own content keeps its version.
    pub fn maker(&self, format: &dyn Format, from: &GroupRef, path: &Path) -> Result<Option<Box<dyn Format>>> {
        #[cfg(feature = "zarr")]
        if format.name() == "zarr" {
            use memh5::format::zarr::{ZarrFormat, ZarrGroup, ZarrOptions, ZarrVersion};
            let own = from.as_any().downcast_ref::<ZarrGroup>().filter(|_| from.location().file.as_deref() == Some(path));
            let version = match (self.version, own.map(ZarrGroup::version)) {
                (Some(2), _) => ZarrVersion::V2,
                (None, Some(version)) if self.shards.is_none() && !self.crc32c => version,
                _ => ZarrVersion::V3,
            };
            let mut options = ZarrOptions::default().version(version).crc32c(self.crc32c);
            if let Some(bytes) = self.shards {
                options = options.shard_bytes(bytes);
            }
            return Ok(Some(Box::new(ZarrFormat::with(options))));
        }
        let _ = (from, path);
        if self.are_made() {
            let message =
                format!("--zarr-format, --shards and --crc32c are said of Zarr stores, and the new file is one of {}", format.name());
            return Err(Error::new(ErrorKind::InvalidArgument, message).remedy("choose a target that ends in .zarr"));
        }
        Ok(None)
    }
}
