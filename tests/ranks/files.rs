//! Files that ranks write and read together.

use memh5::copy::DeepCopy;
use memh5::distributed::{AXIS_HINT, CommRef, CommonData, DATASET_HINT, FILE_HINT, FileAccess, Hints, Partition};
use memh5::dtype::{CompoundType, FloatType, FloatWidth, IntType, Order};
use memh5::selection::Item;
use memh5::tree::{BitshuffleCompressor, DumpOptions, dump};
use memh5::{AnyArray, DType, ErrorKind, Filter, MemGroup, Mode, Result, Selection, format, prelude::*};
use std::path::{Path, PathBuf};
use std::sync::Arc;

crate::cases![
    every_plain_type_on_every_axis,
    filters_and_chunks,
    common_data_and_links,
    empty_arrays_and_ranks,
    hints_choose,
    differences_are_found,
    failures_leave_the_old_file,
    caputs_sample,
    parts_of_the_ranks,
    mem_disk_groups,
];

/// A directory that all ranks see, removed at the end.
pub struct Scratch {
    path: PathBuf,
    comm: CommRef,
    _owner: Option<tempfile::TempDir>,
}

impl Scratch {
    pub fn new(comm: &CommRef) -> Result<Self> {
        let owner = (comm.rank() == 0).then(|| tempfile::tempdir().unwrap());
        let mut name = owner.as_ref().map_or(Vec::new(), |d| d.path().to_str().unwrap().as_bytes().to_vec());
        comm.broadcast(&mut name, 0)?;
        Ok(Self { path: String::from_utf8(name).unwrap().into(), comm: comm.clone(), _owner: owner })
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The names in the directory, seen by all at one moment.
    pub fn names(&self) -> Result<Vec<String>> {
        self.comm.barrier()?;
        let mut names: Vec<String> =
            std::fs::read_dir(&self.path).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        self.comm.barrier()?;
        Ok(names)
    }
}

/// Does something on rank 0, and lets nobody go on before it is done.
pub fn on_first(comm: &CommRef, f: impl FnOnce()) -> Result<()> {
    if comm.rank() == 0 {
        f();
    }
    comm.barrier()
}

/// An array whose elements all differ, as far as the type can.
pub fn pattern(dtype: &DType, shape: &[usize]) -> AnyArray {
    let count: usize = shape.iter().product();
    let has_bool = dtype.to_string().contains('?') || dtype.to_string().contains("bool");
    let bytes: Vec<u8> = (0..count * dtype.itemsize())
        .map(|k| {
            let mixed = (k as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(17).wrapping_mul(0xC2B2_AE3D_27D4_EB4F);
            (mixed >> 40) as u8 & if has_bool { 1 } else { 0x3f }
        })
        .collect();
    AnyArray::from_bytes(dtype.clone(), shape, &bytes).unwrap()
}

/// What this rank has of an array.
pub fn mine(comm: &CommRef, whole: &AnyArray, axis: usize) -> AnyArray {
    let range = Partition::new(whole.shape()[axis], comm.size()).range(comm.rank());
    let items = (0..whole.ndim()).map(|k| if k == axis { Item::from(range.clone()) } else { Item::FULL });
    whole.select(Selection::Axes(items.collect())).unwrap()
}

pub struct Sample {
    pub name: String,
    pub whole: AnyArray,
    pub axis: usize,
    pub chunks: Option<Vec<usize>>,
    pub filters: Vec<Filter>,
}

impl Sample {
    pub fn new(name: &str, whole: AnyArray, axis: usize) -> Self {
        Self { name: name.to_owned(), whole, axis, chunks: None, filters: Vec::new() }
    }

    pub fn put(&self, tree: &MemGroup, comm: &CommRef) -> Result<()> {
        let mut builder = tree.create_distributed(&self.name).dtype(self.whole.dtype().clone()).shape(self.whole.shape()).axis(self.axis);
        if let Some(chunks) = &self.chunks {
            builder = builder.chunks(chunks.clone());
        }
        builder.filters(self.filters.clone()).create()?.set_local_data(mine(comm, &self.whole, self.axis))
    }

    /// Checks that a tree has this rank's part.
    pub fn check(&self, tree: &MemGroup, comm: &CommRef) -> Result<()> {
        let there = tree.dataset(&self.name)?.into_distributed()?;
        assert_eq!((there.global_shape()?, there.distributed_axis()?), (self.whole.shape().to_vec(), self.axis), "{}", self.name);
        let (got, wanted) = (there.local_data()?, mine(comm, &self.whole, self.axis));
        assert_eq!(got.dtype(), wanted.dtype(), "{}", self.name);
        assert!(got.as_bytes() == wanted.as_bytes(), "{} on rank {} of {}", self.name, comm.rank(), comm.size());
        Ok(())
    }
}

/// Saves datasets, checks the file as one process sees it, and loads it again on other axes too: by system calls where that can be, and by the library.
pub fn round_trip(comm: &CommRef, datasets: &[Sample]) -> Result<()> {
    round_trip_by(comm, datasets, FileAccess::Auto)?;
    round_trip_by(comm, datasets, FileAccess::Library)
}

fn round_trip_by(comm: &CommRef, datasets: &[Sample], access: FileAccess) -> Result<()> {
    let scratch = Scratch::new(comm)?;
    let path = scratch.file("a.h5");
    let tree = MemGroup::distributed(comm.clone());
    for dataset in datasets {
        dataset.put(&tree, comm)?;
    }
    let report = DeepCopy::new().file_access(access).save(&tree, &path)?;
    assert_eq!(report.datasets, datasets.len());
    assert_eq!(report.bytes, datasets.iter().map(|d| d.whole.nbytes() as u64).sum::<u64>());
    on_first(comm, || {
        let file = format::open(&path, Mode::Read).unwrap();
        for d in datasets {
            let there = file.dataset(&d.name).unwrap();
            let got = there.read_array().unwrap();
            assert_eq!((got.dtype(), got.shape()), (d.whole.dtype(), d.whole.shape()), "{}", d.name);
            assert!(got.as_bytes() == d.whole.as_bytes(), "{} in the file of {} ranks", d.name, comm.size());
            let spec = there.spec().unwrap();
            assert_eq!(spec.filters, d.filters, "{}", d.name);
            if let Some(chunks) = &d.chunks {
                assert_eq!(spec.chunks(), Some(&chunks[..]), "{}", d.name);
            }
            assert_eq!(there.attrs().get::<i64>(AXIS_HINT).unwrap(), d.axis as i64);
        }
        file.close_tree().unwrap();
    })?;
    let (back, _) = DeepCopy::new().file_access(access).load_distributed(&path, comm)?;
    for dataset in datasets {
        dataset.check(&back, comm)?;
        assert_eq!(back.dataset(&dataset.name)?.attrs().keys()?, Vec::<String>::new(), "the marks are no attributes");
        assert_eq!(back.dataset(&dataset.name)?.spec()?.filters, dataset.filters);
    }
    // The same, each on its next axis.
    let mut hints = Hints::new();
    for d in datasets {
        hints = hints.distribute(&d.name, ((d.axis + 1) % d.whole.ndim()) as isize);
    }
    let (turned, _) = DeepCopy::new().hints(hints).file_access(access).load_distributed(&path, comm)?;
    for d in datasets {
        Sample { axis: (d.axis + 1) % d.whole.ndim(), ..Sample::new(&d.name, d.whole.clone(), 0) }.check(&turned, comm)?;
    }
    assert_eq!(scratch.names()?, ["a.h5"]);
    Ok(())
}

fn int(size: u8, signed: bool, order: Order) -> DType {
    DType::Int(IntType { size, signed, order })
}

fn every_plain_type_on_every_axis(comm: &CommRef) -> Result<()> {
    let big = |width| DType::Float(FloatType { width, order: Order::Big });
    let packed = CompoundType::packed([("a", DType::I8), ("b", big(FloatWidth::F64)), ("c", DType::array(DType::I16, [2, 3]))]).unwrap();
    let mut types = vec![DType::Bool, DType::F32, DType::F64, big(FloatWidth::F32), big(FloatWidth::F64)];
    for size in [1, 2, 4, 8] {
        for signed in [true, false] {
            types.extend([int(size, signed, Order::Little), int(size, signed, Order::Big)]);
        }
    }
    types.extend([
        DType::Float(FloatType { width: FloatWidth::F16, order: Order::Little }),
        DType::Complex(FloatType { width: FloatWidth::F32, order: Order::Little }),
        DType::Complex(FloatType { width: FloatWidth::F64, order: Order::Big }),
        DType::opaque(5, "raw"),
        DType::Compound(Arc::new(packed)),
        "S7".parse().unwrap(),
    ]);
    let datasets: Vec<Sample> = types
        .iter()
        .enumerate()
        .map(|(k, dtype)| {
            let shape = [[7, 3, 5], [2, 9, 4], [3, 1, 8]][k % 3];
            Sample::new(&format!("group/t{k}"), pattern(dtype, &shape), k % 3)
        })
        .collect();
    round_trip(comm, &datasets)
}

fn filters_and_chunks(comm: &CommRef) -> Result<()> {
    let bitshuffle = Filter::Bitshuffle { block_size: 0, compressor: BitshuffleCompressor::Lz4 };
    let pipelines = [
        vec![],
        vec![Filter::Gzip(1)],
        vec![Filter::Shuffle, Filter::Gzip(4)],
        vec![bitshuffle],
        vec![Filter::Shuffle, Filter::Lzf, Filter::Fletcher32],
        vec![Filter::Zstd(3)],
    ];
    let chunks: [Option<Vec<usize>>; 5] = [None, Some(vec![1, 1]), Some(vec![3, 4]), Some(vec![13, 2]), Some(vec![13, 11])];
    let mut datasets = Vec::new();
    for (k, filters) in pipelines.iter().enumerate() {
        for (c, chunks) in chunks.iter().enumerate() {
            let whole = pattern(if (k + c) % 2 == 0 { &DType::F64 } else { &DType::I16 }, &[13, 11]);
            let mut dataset = Sample::new(&format!("f{k}c{c}"), whole, (k + c / 2) % 2);
            (dataset.chunks, dataset.filters) = (chunks.clone(), filters.clone());
            datasets.push(dataset);
        }
    }
    round_trip(comm, &datasets)
}

/// The dump of a file or tree as text.
pub fn dump_of(group: &dyn memh5::tree::Group) -> String {
    let mut out = Vec::new();
    dump(group, &DumpOptions::default(), &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

pub fn dump_of_file(path: &Path) -> String {
    let file = format::open(path, Mode::Read).unwrap();
    let text = dump_of(&*file);
    file.close_tree().unwrap();
    text
}

fn common_data_and_links(comm: &CommRef) -> Result<()> {
    let scratch = Scratch::new(comm)?;
    let path = scratch.file("common.h5");
    let tree = MemGroup::distributed(comm.clone());
    let vis = Sample::new("night/vis", pattern(&DType::F32, &[9, 4]), 0);
    vis.put(&tree, comm)?;
    tree.create_dataset("night/names").write(vec!["a", "", "longer"])?;
    tree.create_dataset("night/weights").gzip(1).write(ndarray::Array2::<f64>::ones((5, 3)))?;
    tree.create_dataset("scalar").write(5)?;
    tree.attrs().set("title", "µ")?;
    tree.dataset("night/vis")?.attrs().set("unit", "Jy")?;
    tree.link_soft("/night/vis", "latest")?;
    let target = GroupExt::dataset(&tree, "night/vis")?;
    tree.link_hard("night/vis", "again")?;
    tree.attrs().set("target", target.reference()?)?;
    tree.to_file(&path)?;

    // The same content, made by one process.
    let alone = scratch.file("alone.h5");
    on_first(comm, || {
        let tree = MemGroup::new();
        tree.create_dataset("night/vis").write(vis.whole.clone()).unwrap();
        tree.create_dataset("night/names").write(vec!["a", "", "longer"]).unwrap();
        tree.create_dataset("night/weights").gzip(1).write(ndarray::Array2::<f64>::ones((5, 3))).unwrap();
        tree.create_dataset("scalar").write(5).unwrap();
        tree.attrs().set("title", "µ").unwrap();
        tree.attrs().set(FILE_HINT, true).unwrap();
        for (name, axis) in [("night/vis", Some(0i64)), ("night/names", None), ("night/weights", None), ("scalar", None)] {
            let dataset = tree.dataset(name).unwrap();
            dataset.attrs().set(DATASET_HINT, axis.is_some()).unwrap();
            if let Some(axis) = axis {
                dataset.attrs().set(AXIS_HINT, axis).unwrap();
            }
        }
        tree.dataset("night/vis").unwrap().attrs().set("unit", "Jy").unwrap();
        tree.link_soft("/night/vis", "latest").unwrap();
        let target = GroupExt::dataset(&tree, "night/vis").unwrap();
        tree.link_hard("night/vis", "again").unwrap();
        tree.attrs().set("target", target.reference().unwrap()).unwrap();
        tree.to_file(&alone).unwrap();
        assert_eq!(dump_of_file(&path), dump_of_file(&alone));
    })?;
    let back = MemGroup::from_file_distributed(&path, comm)?;
    vis.check(&back, comm)?;
    assert_eq!(back.dataset("night/names")?.read_slice::<Vec<String>>(..)?, ["a", "", "longer"]);
    assert_eq!(back.dataset("latest")?.id()?, back.dataset("night/vis")?.id()?);
    assert_eq!(back.dataset("again")?.id()?, back.dataset("night/vis")?.id()?);
    assert_eq!(back.attrs().keys()?, ["target", "title"]);
    assert_eq!(back.dataset("night/vis")?.attrs().keys()?, ["unit"]);
    // And once more into a file: nothing changes.
    let second = scratch.file("second.h5");
    back.to_file(&second)?;
    on_first(comm, || assert_eq!(dump_of_file(&path), dump_of_file(&second)))?;
    Ok(())
}

fn empty_arrays_and_ranks(comm: &CommRef) -> Result<()> {
    let mut datasets = Vec::new();
    for (k, shape) in [vec![0, 4], vec![4, 0], vec![1, 3], vec![2, 5], vec![1], vec![0]].into_iter().enumerate() {
        for axis in 0..shape.len() {
            let mut plain = Sample::new(&format!("e{k}a{axis}"), pattern(&DType::I32, &shape), axis);
            if k % 2 == 1 {
                plain.filters = vec![Filter::Shuffle, Filter::Gzip(2)];
            }
            datasets.push(plain);
        }
    }
    round_trip(comm, &datasets)
}

fn hints_choose(comm: &CommRef) -> Result<()> {
    let scratch = Scratch::new(comm)?;
    let path = scratch.file("plain.h5");
    let whole = pattern(&DType::U16, &[6, 5]);
    on_first(comm, || {
        let tree = MemGroup::new();
        tree.create_dataset("g/x").write(whole.clone()).unwrap();
        tree.create_dataset("g/text").write(vec!["a", "b"]).unwrap();
        tree.to_file(&path).unwrap();
    })?;
    // A file without marks: all is common.
    let tree = MemGroup::from_file_distributed(&path, comm)?;
    assert!(tree.dataset("g/x")?.is_common() && tree.is_distributed());
    for (hints, axis) in [(Hints::new().distribute("/g/x", -1), 1), (Hints::off().distribute("g/x", 0), 0)] {
        let (tree, _) = DeepCopy::new().hints(hints).load_distributed(&path, comm)?;
        Sample::new("g/x", whole.clone(), axis).check(&tree, comm)?;
        assert!(tree.dataset("g/text")?.is_common());
        // Marked files are read back as they were; `off` takes the marks for attributes.
        let marked = scratch.file("marked.h5");
        tree.to_file(&marked)?;
        Sample::new("g/x", whole.clone(), axis).check(&MemGroup::from_file_distributed(&marked, comm)?, comm)?;
        let (plain, _) = DeepCopy::new().hints(Hints::off()).load_distributed(&marked, comm)?;
        assert!(plain.dataset("g/x")?.is_common());
        assert_eq!(plain.dataset("g/x")?.attrs().keys()?, [AXIS_HINT, DATASET_HINT]);
        let (common, _) = DeepCopy::new().hints(Hints::new().common("g/x")).load_distributed(&marked, comm)?;
        assert!(common.dataset("g/x")?.is_common() && common.dataset("g/x")?.attrs().is_empty()?);
        DeepCopy::new().hints(Hints::off()).save(&tree, &marked)?;
        on_first(comm, || assert_eq!(dump_of_file(&marked), dump_of_file(&path)))?;
    }
    for hints in [Hints::new().distribute("g/x", 2), Hints::new().distribute("g/text", 0), Hints::new().distribute("nothing", 0)] {
        let error = DeepCopy::new().hints(hints).load_distributed(&path, comm).unwrap_err();
        assert!(comm.size() == 1 || (error.kind(), error.rank()) == (ErrorKind::Collective, Some(0)), "{error}");
    }
    Ok(())
}

fn differences_are_found(comm: &CommRef) -> Result<()> {
    let scratch = Scratch::new(comm)?;
    let path = scratch.file("same.h5");
    let tree = MemGroup::distributed(comm.clone());
    tree.create_dataset("g/same").write(vec![1, 2, 3])?;
    tree.create_dataset("g/differs").write(vec![1.0, 2.0])?;
    let last = comm.size() - 1;
    let alone = comm.size() == 1;
    if comm.rank() == last {
        tree.dataset("g/differs")?.write(vec![1.0, 2.5])?;
    }
    let result = tree.to_file(&path);
    if !alone {
        let error = result.unwrap_err();
        assert_eq!((error.kind(), error.rank(), error.path()), (ErrorKind::Collective, Some(last), Some("/g/differs")), "{error}");
        assert!(scratch.names()?.is_empty());
    }
    // The choice: rank 0's are written.
    DeepCopy::new().common_data(CommonData::RankZero).save(&tree, &path)?;
    let back = MemGroup::from_file_distributed(&path, comm)?;
    assert_eq!(back.dataset("g/differs")?.read::<f64>()?[[1]], if alone { 2.5 } else { 2.0 });
    tree.dataset("g/differs")?.write(vec![1.0, 2.0])?;
    tree.to_file(&path)?;
    // An attribute.
    if comm.rank() == last {
        tree.group("g")?.attrs().set("n", 1)?;
    }
    if !alone {
        let error = tree.to_file(&path).unwrap_err();
        assert_eq!((error.rank(), error.path()), (Some(last), Some("/g")), "{error}");
    }
    Ok(())
}

fn failures_leave_the_old_file(comm: &CommRef) -> Result<()> {
    let scratch = Scratch::new(comm)?;
    let path = scratch.file("old.h5");
    let tree = MemGroup::distributed(comm.clone());
    let x = Sample::new("x", pattern(&DType::F64, &[5, 6]), 1);
    x.put(&tree, comm)?;
    tree.to_file(&path)?;
    let before = std::fs::read(&path).unwrap();
    let last = comm.size() - 1;
    // No such directory: rank 0 meets it.
    let error = tree.to_file(scratch.file("missing/old.h5")).unwrap_err();
    assert!(comm.size() == 1 || (error.kind(), error.rank()) == (ErrorKind::Collective, Some(0)), "{error}");
    assert!(error.to_string().contains("missing"), "{error}");
    // A file that is not there, and one that is none.
    for name in ["nothing.h5", "broken.h5"] {
        on_first(comm, || std::fs::write(scratch.file("broken.h5"), "no tree").unwrap())?;
        let error = MemGroup::from_file_distributed(scratch.file(name), comm).unwrap_err();
        assert!(error.to_string().contains(name), "{error}");
        on_first(comm, || std::fs::remove_file(scratch.file("broken.h5")).unwrap())?;
    }
    // Different files, different options: nobody waits for ever.
    if comm.size() > 1 {
        let other = if comm.rank() == last { "other.h5" } else { "old.h5" };
        let error = tree.to_file(scratch.file(other)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Collective, "{error}");
        let hints = if comm.rank() == last { Hints::off() } else { Hints::new() };
        assert_eq!(DeepCopy::new().hints(hints).load_distributed(&path, comm).unwrap_err().kind(), ErrorKind::Collective);
    }
    // Another writer has the lock.
    let lock = (comm.rank() == 0).then(|| memh5::lock_file(&path).acquire().unwrap());
    comm.barrier()?;
    let error = tree.to_file(&path).unwrap_err();
    assert!(error.to_string().contains("lock"), "{error}");
    comm.barrier()?;
    drop(lock);
    assert_eq!(scratch.names()?, ["old.h5"]);
    assert_eq!(std::fs::read(&path).unwrap(), before);
    comm.barrier()?;
    // And it works again.
    tree.to_file(&path)?;
    x.check(&MemGroup::from_file_distributed(&path, comm)?, comm)
}

fn caputs_sample(comm: &CommRef) -> Result<()> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let sample = here.join("tests/data/caput/dist_np2.h5");
    let scratch = Scratch::new(comm)?;
    let tree = MemGroup::from_file_distributed(&sample, comm)?;
    let mut distributed = 0;
    let mut names = Vec::new();
    (&tree as &dyn memh5::tree::Group).visit(|path, node| {
        if let memh5::tree::Node::Dataset(_) = node {
            names.push(path.to_owned());
        }
        Ok(None::<()>)
    })?;
    for name in &names {
        distributed += usize::from(tree.dataset(name)?.is_distributed());
    }
    assert!(distributed > 0, "{names:?}");
    let path = scratch.file("again.h5");
    tree.to_file(&path)?;
    on_first(comm, || assert_eq!(dump_of_file(&path), dump_of_file(&sample)))?;
    Ok(())
}

fn parts_of_the_ranks(comm: &CommRef) -> Result<()> {
    // Every second rank writes a file of its own group: the others are never asked.
    let scratch = Scratch::new(comm)?;
    let color = (comm.rank() % 2) as u32;
    let Some(part) = comm.split(Some(color), comm.rank())? else { panic!("every rank has a color") };
    let path = scratch.file(&format!("part{color}.h5"));
    let x = Sample::new("x", pattern(&DType::I64, &[5 + color as usize, 3]), 0);
    let tree = MemGroup::distributed(part.clone());
    x.put(&tree, &part)?;
    tree.to_file(&path)?;
    x.check(&MemGroup::from_file_distributed(&path, &part)?, &part)?;
    comm.barrier()?;
    // All of them read what a part wrote.
    x_of(0).check(&MemGroup::from_file_distributed(scratch.file("part0.h5"), comm)?, comm)
}

fn x_of(color: usize) -> Sample {
    Sample::new("x", pattern(&DType::I64, &[5 + color, 3]), 0)
}

fn mem_disk_groups(comm: &CommRef) -> Result<()> {
    use memh5::mem_disk::LoadOptions;
    let scratch = Scratch::new(comm)?;
    let path = scratch.file("container.h5");
    let tree = MemGroup::distributed(comm.clone());
    let vis = Sample::new("vis", pattern(&DType::F32, &[8, 6]), 1);
    vis.put(&tree, comm)?;
    tree.dataset("vis")?.attrs().set("axis", vec!["time", "freq"])?;
    let group = memh5::MemDiskGroup::from_group(&tree).with_type_tag("example.Container");
    group.save(&path)?;
    assert_eq!(group.to_disk(scratch.file("no.h5")).unwrap_err().kind(), ErrorKind::Unsupported);
    let back = LoadOptions::new().distributed(comm.clone()).axis("time", 2..7).open(&path)?;
    assert_eq!(back.type_tag()?.as_deref(), Some("example.Container"));
    let Some(memory) = back.storage().as_any().downcast_ref::<MemGroup>() else { panic!("it is in memory") };
    Sample::new("vis", vis.whole.select(2..7)?, 1).check(memory, comm)?;
    let common = LoadOptions::new().distributed(comm.clone()).hints(Hints::new().common("vis")).open(&path)?;
    assert!(memh5::MemDataset::from_dyn(&*common.dataset("vis")?).unwrap().is_common());
    assert!(LoadOptions::new().distributed(comm.clone()).ondisk(true).open(&path).is_err());
    assert_eq!(scratch.names()?, ["container.h5"]);
    Ok(())
}
