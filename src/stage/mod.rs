//! Staged caches: what each stage of a pipeline has made of the events of a source file, kept beside each other.
//!
//! The layout is that of [spine](https://github.com/DeepLearnPhysics/spine) 0.12 to 1.0 (version 1), so that its readers read what is
//! written here and the other way round; the products of its version 2 are a choice. `docs/stage.md` has the layout, the rules and what
//! they cost.
//!
//! | piece | in spine |
//! | --- | --- |
//! | [`StageHdf5Writer`], [`StageHdf5WriterBuilder`] | the class `StageHDF5Writer` and its arguments |
//! | [`Batch`], [`Product`] | the dictionary of a batch and its values |
//! | [`DataFormat`], [`StageState`] | the dataclasses of these names |
//! | [`SpreadStageWriter`] | nothing: a writer on several ranks |
//! | [`SourceInfo`] | the three keys of a batch's source |
//! | [`StageReader`] | `StageHDF5Reader`, and `HDF5Reader` for flat files |
//!
//! # A stage is absent, incomplete, or complete and valid
//!
//! A writer builds its stage in a copy of the cache beside it (`.NAME`, under the lock `.NAME.lock`) and puts it in the place of the cache at
//! [`finalize_stage`](StageHdf5Writer::finalize_stage). So readers of finished stages are never disturbed, and a run that is killed at any
//! moment costs the stage that it was writing and nothing else. It costs a copy of the cache for every stage that is finished: none where the
//! file system shares blocks between copies (btrfs, XFS), else one read and one write of the file.

mod batch;
mod builder;
mod cache;
mod check;
mod format;
mod growing;
mod into_product;
mod keys;
mod naming;
mod objects;
mod options;
mod origin;
mod product;
mod provenance;
mod read;
mod regions;
mod rows;
mod spread;
mod status;
mod store;
mod target;
mod typed;
mod v1;
mod v2;
mod version;
mod wire;
mod writer;
mod yaml;

pub use batch::{
    Batch, FILE_ENTRY_INDEX, FILE_INDEX, INDEX, SOURCE_FILE_ENTRY_INDEX, SOURCE_FILE_INDEX, SOURCE_FILE_MTIME_NS, SOURCE_FILE_NAME,
    SOURCE_FILE_SIZE,
};
pub use builder::StageHdf5WriterBuilder;
pub use check::{StageCheck, check_stages, check_stages_with, list_stages};
pub use format::{DataFormat, ElementFormat, ProductKind};
pub use into_product::IntoProduct;
pub use naming::get_file_names;
pub use options::StageOptions;
pub use origin::SourceOrigin;
pub use product::{EventValue, Product};
pub use provenance::{SourceInfo, ensure_source_group, get_batch_source_info, split_batch_by_source, with_source_provenance};
pub use read::{Event, StageReader, StageReaderBuilder};
pub use spread::SpreadStageWriter;
pub use status::{StageInfo, StageStatus};
pub use version::{FormatVersion, SPINE_VERSION};
pub use writer::{StageHdf5Writer, StageState};

/// A name for a session that no other has.
fn session() -> String {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let time = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |d| d.as_nanos());
    format!("{}-{time}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Who has written a stage, as it is recorded.
fn holder() -> String {
    format!("memh5 {}", env!("CARGO_PKG_VERSION"))
}
