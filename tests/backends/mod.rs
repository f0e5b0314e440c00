//! The backends of this build beside plain memory, each as the contract and the model test want it.

use memh5::MemGroup;
#[cfg(any(feature = "hdf5", feature = "zarr"))]
use memh5::contract::Capabilities;
use memh5::contract::{Backend, Fresh};
use memh5::distributed::SelfComm;
use memh5::mem_disk::MemDiskGroup;
use memh5::prelude::*;
use std::sync::Arc;

/// All of them.
pub fn others() -> Vec<Box<dyn Backend>> {
    #[cfg_attr(not(feature = "hdf5"), allow(unused_mut))]
    let mut all: Vec<Box<dyn Backend>> = vec![
        Box::new(Fresh::new("MemDiskGroup over memory", || Ok(MemDiskGroup::new().to_ref()))),
        Box::new(Fresh::new("memory of one rank", || Ok(MemGroup::distributed(Arc::new(SelfComm::new())).to_ref()))),
    ];
    #[cfg(feature = "hdf5")]
    all.extend(stored::all());
    all
}

/// Memory has no file to open for reading only, and nothing to close.
#[cfg(feature = "hdf5")]
pub const SAVED: Capabilities = {
    let mut has = Capabilities::ALL;
    has.read_only = false;
    has.closes = false;
    has
};

#[cfg(feature = "hdf5")]
mod stored {
    use super::*;
    use memh5::format::{Format, hdf5};
    use memh5::tree::{GroupRef, Mode};
    use memh5::{Error, ErrorKind, Result};
    use std::path::PathBuf;
    use std::sync::atomic::{AtomicUsize, Ordering};

    pub fn all() -> Vec<Box<dyn Backend>> {
        vec![Box::new(Hdf5Files(Names::new())), Box::new(Hdf5Images), Box::new(OnDisk(Names::new())), Box::new(Saved(Names::new()))]
    }

    /// Fresh file names in a directory that goes at the end.
    struct Names(tempfile::TempDir, AtomicUsize);

    impl Names {
        fn new() -> Self {
            Self(tempfile::tempdir().expect("a directory"), AtomicUsize::new(0))
        }
        fn next(&self) -> PathBuf {
            self.0.path().join(format!("{}.h5", self.1.fetch_add(1, Ordering::Relaxed)))
        }
    }

    fn file_of(root: &GroupRef) -> Result<PathBuf> {
        root.location().file.ok_or_else(|| Error::new(ErrorKind::NotFound, "the tree tells no file"))
    }

    struct Hdf5Files(Names);

    impl Backend for Hdf5Files {
        fn name(&self) -> String {
            "HDF5 files".into()
        }
        fn fresh(&self) -> Result<GroupRef> {
            hdf5::Hdf5Format.open(&self.0.next(), Mode::CreateNew)
        }
        fn reopen(&self, root: GroupRef, mode: Mode) -> Result<GroupRef> {
            let file = file_of(&root)?;
            root.close_tree()?;
            hdf5::Hdf5Format.open(&file, mode)
        }
        fn capabilities(&self) -> Capabilities {
            Capabilities::ALL
        }
    }

    struct Hdf5Images;

    impl Backend for Hdf5Images {
        fn name(&self) -> String {
            "HDF5 images in memory".into()
        }
        fn fresh(&self) -> Result<GroupRef> {
            Ok(hdf5::Hdf5File::in_memory()?.root()?.to_ref())
        }
        fn reopen(&self, root: GroupRef, _: Mode) -> Result<GroupRef> {
            let group = root.as_any().downcast_ref::<hdf5::Hdf5Group>();
            let bytes = group.ok_or_else(|| Error::new(ErrorKind::Unsupported, "no HDF5 group"))?.to_bytes()?;
            root.close_tree()?;
            Ok(hdf5::Hdf5File::from_bytes(&bytes)?.root()?.to_ref())
        }
        fn capabilities(&self) -> Capabilities {
            let mut has = Capabilities::ALL;
            has.read_only = false;
            has
        }
    }

    struct OnDisk(Names);

    impl Backend for OnDisk {
        fn name(&self) -> String {
            "MemDiskGroup over HDF5".into()
        }
        fn fresh(&self) -> Result<GroupRef> {
            Ok(MemDiskGroup::create(self.0.next())?.to_ref())
        }
        fn reopen(&self, root: GroupRef, mode: Mode) -> Result<GroupRef> {
            let file = file_of(&root)?;
            root.close_tree()?;
            Ok(MemDiskGroup::open(file, mode)?.to_ref())
        }
        fn capabilities(&self) -> Capabilities {
            Capabilities::ALL
        }
    }

    /// A tree in memory that is saved to a file, and loaded into memory from it.
    struct Saved(Names);

    impl Backend for Saved {
        fn name(&self) -> String {
            "memory, saved and loaded".into()
        }
        fn fresh(&self) -> Result<GroupRef> {
            Ok(MemDiskGroup::new().to_ref())
        }
        fn reopen(&self, root: GroupRef, _: Mode) -> Result<GroupRef> {
            let file = self.0.next();
            MemDiskGroup::from_group(&*root).save(&file)?;
            Ok(MemDiskGroup::from_file(file, false)?.to_ref())
        }
        fn capabilities(&self) -> Capabilities {
            SAVED
        }
    }
}

/// Those that cannot hold everything: programs that run in lock step do without links on them.
#[cfg(feature = "zarr")]
#[allow(dead_code)] // not every program that has this module uses them
pub mod zarr {
    use super::*;
    use memh5::format::Format;
    use memh5::format::zarr::{ZarrFormat, ZarrOptions, ZarrVersion};
    use memh5::tree::{GroupRef, Mode};
    use memh5::{Error, ErrorKind, Result};
    use std::path::PathBuf;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// What Zarr can hold.
    pub const HAS: Capabilities = {
        let mut has = Capabilities::ALL;
        has.hard_links = false;
        has.soft_links = false;
        has.external_links = false;
        has.references = false;
        has.committed_types = false;
        has.null_datasets = false;
        has.long_names = false;
        has
    };

    pub fn all() -> Vec<Box<dyn Backend>> {
        let format = |options: ZarrOptions| ZarrFormat::with(options);
        let v3 = ZarrOptions::default;
        let stores = |name, format| Box::new(Stores { name, format, dir: fresh_dir(), next: AtomicUsize::new(0) }) as Box<dyn Backend>;
        vec![
            stores("Zarr 3", format(v3())),
            stores("Zarr 2", format(v3().version(ZarrVersion::V2))),
            stores("Zarr 3 with shards and checksums", format(v3().shard_bytes(4096).crc32c(true))),
            Box::new(OnDisk(fresh_dir(), AtomicUsize::new(0))),
        ]
    }

    fn fresh_dir() -> tempfile::TempDir {
        tempfile::tempdir().expect("a directory")
    }

    fn file_of(root: &GroupRef) -> Result<PathBuf> {
        root.location().file.ok_or_else(|| Error::new(ErrorKind::NotFound, "the tree tells no file"))
    }

    struct Stores {
        name: &'static str,
        format: ZarrFormat,
        dir: tempfile::TempDir,
        next: AtomicUsize,
    }

    impl Backend for Stores {
        fn name(&self) -> String {
            self.name.into()
        }
        fn fresh(&self) -> Result<GroupRef> {
            let name = format!("{}.zarr", self.next.fetch_add(1, Ordering::Relaxed));
            self.format.open(&self.dir.path().join(name), Mode::CreateNew)
        }
        fn reopen(&self, root: GroupRef, mode: Mode) -> Result<GroupRef> {
            let file = file_of(&root)?;
            root.close_tree()?;
            drop(root);
            self.format.open(&file, mode)
        }
        fn capabilities(&self) -> Capabilities {
            HAS
        }
    }

    struct OnDisk(tempfile::TempDir, AtomicUsize);

    impl Backend for OnDisk {
        fn name(&self) -> String {
            "MemDiskGroup over Zarr".into()
        }
        fn fresh(&self) -> Result<GroupRef> {
            let name = format!("{}.zarr", self.1.fetch_add(1, Ordering::Relaxed));
            Ok(MemDiskGroup::create(self.0.path().join(name))?.to_ref())
        }
        fn reopen(&self, root: GroupRef, mode: Mode) -> Result<GroupRef> {
            let file = file_of(&root)?;
            root.close_tree()?;
            Ok(MemDiskGroup::open(file, mode)?.to_ref())
        }
        fn capabilities(&self) -> Capabilities {
            HAS
        }
    }
}
