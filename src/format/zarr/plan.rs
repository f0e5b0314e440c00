//! What never changes about an array: its type, its chunks, its codecs.

use super::carrier::{self, Carrier, Held, named};
use super::document::Document;
use super::json::{self, Object};
use super::pipeline::Pipeline;
use super::version::{ZarrOptions, ZarrVersion};
use super::{codecs, exact, fill};
use crate::array::AnyArray;
use crate::dtype::{DType, Order};
use crate::error::{Error, Result, bail, error};
use crate::tree::{DatasetSpec, Fill, Filter, Layout};
use serde_json::{Value, json};
use std::num::NonZeroU64;
use zarrs::array::{DataType, FillValue};
use zarrs::metadata::FillValueMetadata;
use zarrs::metadata::v3::MetadataV3;

/// How the elements of an array get from and to its files.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) dtype: DType,
    pub(super) held: Held,
    /// The shape of what is one file.
    pub(super) chunks: Vec<usize>,
    /// The chunks within a file, if there are any.
    pub(super) inner: Option<Vec<usize>>,
    pub(super) pipeline: Pipeline,
    /// One element that is not zero throughout.
    pub(super) fill: Option<AnyArray>,
    /// True if a chunk's file is the bytes of its elements as they are in memory.
    pub(super) raw: bool,
    /// True if the elements of a chunk come out of its file in their place.
    pub(super) straight: bool,
    keys: Keys,
    pub(super) filters: Vec<Filter>,
}

#[derive(Debug, Clone)]
struct Keys {
    /// Version 3's "default" keys begin with "c".
    prefixed: bool,
    separator: char,
}

/// The size of an element of a data type that only the library knows.
pub(super) fn foreign_size(name: &Value) -> Result<usize> {
    let shown = named(name).map_or_else(|| name.to_string(), |(n, _)| n.to_owned());
    let unknown = || error!(Unsupported, "the data type '{shown}' is not known here");
    let metadata: MetadataV3 = serde_json::from_value(name.clone()).map_err(|e| unknown().because(e))?;
    let data_type = DataType::from_metadata(&metadata).map_err(|e| unknown().because(e))?;
    data_type.fixed_size().filter(|n| *n > 0).ok_or_else(unknown)
}

impl Plan {
    /// The plan of an array that is there.
    pub(super) fn read(document: &Document) -> Result<Self> {
        let shape = document.shape()?;
        let (dtype, held, file_codecs) = type_of(document)?;
        crate::array::byte_len(&shape, dtype.itemsize())?;
        let (grid, keys) = match document.version {
            ZarrVersion::V3 => (grid_v3(&document.meta)?, keys_v3(&document.meta)?),
            ZarrVersion::V2 => {
                let separator = document.meta.get("dimension_separator").and_then(Value::as_str).unwrap_or(".");
                let keys = Keys { prefixed: false, separator: if separator == "/" { '/' } else { '.' } };
                (document.meta.get("chunks").and_then(json::numbers), keys)
            }
        };
        let chunks = grid.filter(|c| c.len() == shape.len() && !c.contains(&0));
        let chunks = chunks.ok_or_else(|| error!(Corrupt, "the array of shape {shape:?} has no valid chunk shape"))?;
        if document.version == ZarrVersion::V3 {
            refuse_unknown(&document.meta)?;
        }
        let fill = fill::read(document, &dtype, &held)?;
        let inner = inner_chunks(&file_codecs);
        let filters = filters_of(&file_codecs);
        let fill_value = document.meta.get("fill_value").cloned().unwrap_or(Value::Null);
        Self::build(dtype, held, chunks, inner, &file_codecs, keys, fill, fill_value, filters)
    }

    #[allow(clippy::too_many_arguments)]
    fn build(
        dtype: DType,
        held: Held,
        chunks: Vec<usize>,
        inner: Option<Vec<usize>>,
        file_codecs: &[Value],
        keys: Keys,
        fill: Option<AnyArray>,
        fill_value: Value,
        filters: Vec<Filter>,
    ) -> Result<Self> {
        let (name, zero): (Value, Value) = match &held.carrier {
            Carrier::Number(name) => (name.clone(), if name == "bool" { false.into() } else { 0.into() }),
            Carrier::Fixed => (format!("r{}", 8 * held.pack.packed).into(), Value::Null),
            Carrier::Text => ("string".into(), "".into()),
            Carrier::Bytes => ("bytes".into(), json!([])),
        };
        // What the codecs fill with matters within shards only; a value that the library cannot read is none that it has written.
        let packed_fill = || -> Result<Value> {
            Ok(match (&held.carrier, &fill) {
                (Carrier::Fixed, Some(fill)) => held.pack.pack(fill.raw().0)?.into_iter().map(Value::from).collect(),
                (Carrier::Fixed, None) => vec![Value::from(0); held.pack.packed].into(),
                (Carrier::Number(_), Some(_)) => fill_value.clone(),
                (Carrier::Text, Some(fill)) => fill.element(0).and_then(|e| e.as_str()).unwrap_or_default().into(),
                _ => zero.clone(),
            })
        };
        let metadata: MetadataV3 =
            serde_json::from_value(name.clone()).map_err(|e| error!(Corrupt, "{name} is no data type of Zarr").because(e))?;
        let data_type = DataType::from_metadata(&metadata).map_err(|e| unsupported(format!("the data type {name} cannot be read"), e))?;
        let value = |value: Value| -> Option<FillValue> {
            let metadata: FillValueMetadata = serde_json::from_value(value).ok()?;
            data_type.fill_value_v3(&metadata).ok()
        };
        let imaginary = match &held.carrier {
            Carrier::Number(name) if name.as_str().is_some_and(|n| n.starts_with("complex")) => json!([0.0, 0.0]),
            Carrier::Number(name) if name.as_str().is_some_and(|n| n.contains("float")) => json!(0.0),
            _ => zero.clone(),
        };
        let fill_value =
            value(packed_fill()?).or_else(|| value(imaginary)).or_else(|| data_type.fixed_size().map(|n| FillValue::new(vec![0; n])));
        let Some(fill_value) = fill_value else { bail!(Unsupported, "the data type {name} has no fill value that is known here") };
        let shape = chunks.iter().filter_map(|n| NonZeroU64::new(*n as u64)).collect();
        let bytes = crate::array::byte_len(&chunks, held.pack.packed.max(1))?;
        let pipeline = Pipeline::new(file_codecs, &held, shape, bytes, data_type, fill_value)?;
        let raw = held.pack.is_same() && pipeline.is_plain();
        let straight = held.pack.is_same() && pipeline.is_straight();
        Ok(Self { dtype, held, chunks, inner, pipeline, fill, raw, straight, keys, filters })
    }

    /// Where a chunk is, relative to the array.
    pub(super) fn chunk_key(&self, index: &[usize]) -> String {
        use std::fmt::Write;
        let mut key = String::new();
        if self.keys.prefixed {
            key.push('c');
        }
        for (axis, i) in index.iter().enumerate() {
            if axis > 0 || self.keys.prefixed {
                key.push(self.keys.separator);
            }
            let _ = write!(key, "{i}");
        }
        if key.is_empty() {
            key.push('0');
        }
        key
    }

    /// The chunk that a key names; `None` if it names none.
    pub(super) fn chunk_index(&self, key: &str) -> Option<Vec<usize>> {
        let rank = self.chunks.len();
        let rest = match self.keys.prefixed {
            true => key.strip_prefix('c')?,
            false if rank == 0 => return (key == "0").then(Vec::new),
            false => key,
        };
        if rank == 0 {
            return rest.is_empty().then(Vec::new);
        }
        let rest = if self.keys.prefixed { rest.strip_prefix(self.keys.separator)? } else { rest };
        let index: Vec<usize> = rest.split(self.keys.separator).map(|n| n.parse().ok()).collect::<Option<_>>()?;
        (index.len() == rank).then_some(index)
    }

    /// The elements of a chunk.
    pub(super) fn chunk_len(&self) -> Result<usize> {
        crate::array::byte_len(&self.chunks, 1)
    }

    /// The dataset's spec, apart from its shape.
    pub(super) fn spec(&self, document: &Document) -> Result<DatasetSpec> {
        let shape = document.shape()?;
        let mut spec = DatasetSpec::new(self.dtype.clone(), shape.clone());
        spec.maxshape = maxshape_of(document, &shape);
        spec.layout = match document.ours.get("layout").and_then(Value::as_str) {
            Some("contiguous") => Layout::Contiguous,
            Some("compact") => Layout::Compact,
            _ if shape.is_empty() => Layout::Contiguous,
            _ => Layout::Chunked(self.inner.clone().unwrap_or_else(|| self.chunks.clone())),
        };
        spec.filters = if shape.is_empty() { Vec::new() } else { self.filters.clone() };
        if !spec.filters.is_empty() && matches!(spec.layout, Layout::Contiguous | Layout::Compact) {
            spec.layout = Layout::Chunked(self.inner.clone().unwrap_or_else(|| self.chunks.clone()));
        }
        spec.fill = match (document.ours.get("fill").and_then(Value::as_str), &self.fill) {
            (Some("undefined"), None) => Fill::Undefined,
            (Some("value"), None) => Fill::Value(AnyArray::zeros(self.dtype.clone(), [])?),
            (_, None) => Fill::Default,
            (_, Some(fill)) => Fill::Value(fill.clone()),
        };
        spec.track_order = document.is_tracked();
        Ok(spec)
    }
}

fn unsupported(message: String, e: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(crate::ErrorKind::Unsupported, message).because(e)
}

/// How far the axes can grow: as we have noted; in a store of somebody else without limit.
pub(super) fn maxshape_of(document: &Document, shape: &[usize]) -> Option<Vec<Option<usize>>> {
    let noted = document.ours.get("maxshape").and_then(Value::as_array).map(|max| {
        let max: Vec<Option<usize>> = max.iter().map(|m| m.as_u64().and_then(|n| usize::try_from(n).ok())).collect();
        max
    });
    let max = match noted {
        Some(max) if max.len() == shape.len() && max.iter().zip(shape).all(|(m, n)| m.is_none_or(|m| m >= *n)) => max,
        _ => vec![None; shape.len()],
    };
    (!max.iter().zip(shape).all(|(m, n)| *m == Some(*n))).then_some(max)
}

/// The type of the elements, how they are held, and the codecs in the words of version 3.
fn type_of(document: &Document) -> Result<(DType, Held, Vec<Value>)> {
    let noted = document.ours.get("dtype").map(exact::from_json).transpose().unwrap_or_default();
    // A noted type counts only while it is held as the array says.
    let agreed = |name: &Value, order: Option<Order>| {
        let dtype = noted.clone()?;
        let held = carrier::hold(&dtype, document.version).ok()?;
        (held.name == *name && order.is_none_or(|o| o == held.order)).then_some((dtype, held))
    };
    match document.version {
        ZarrVersion::V3 => {
            let name = document.meta.get("data_type").ok_or_else(|| error!(Corrupt, "the array has no data type"))?;
            let codecs = document.meta.get("codecs").and_then(Value::as_array).cloned();
            let codecs = codecs.ok_or_else(|| error!(Corrupt, "the array has no codecs"))?;
            let order = order_of(&codecs);
            let numeric = matches!(carrier_of(&noted, document.version), Some(Carrier::Number(_)));
            let (dtype, held) = match agreed(name, order.filter(|_| numeric)) {
                Some(agreed) => agreed,
                None => carrier::infer_v3(name, order.unwrap_or(Order::Little))?,
            };
            Ok((dtype, held, codecs))
        }
        ZarrVersion::V2 => {
            let name = document.meta.get("dtype").ok_or_else(|| error!(Corrupt, "the array has no dtype"))?;
            let list = match document.meta.get("filters") {
                Some(Value::Array(filters)) => filters.clone(),
                _ => Vec::new(),
            };
            let is_object = |f: &Value| f.get("id").and_then(Value::as_str).is_some_and(|id| id.starts_with("vlen-"));
            let (dtype, held) = match agreed(name, None) {
                Some(agreed) => agreed,
                None => carrier::infer_v2(name, list.iter().find(|f| is_object(f)).or(list.first()))?,
            };
            let codecs = codecs_v2(document, &held, &list)?;
            Ok((dtype, held, codecs))
        }
    }
}

fn carrier_of(dtype: &Option<DType>, version: ZarrVersion) -> Option<Carrier> {
    carrier::hold(dtype.as_ref()?, version).ok().map(|h| h.carrier)
}

/// The byte order that the `bytes` codec says, also within shards.
fn order_of(codecs: &[Value]) -> Option<Order> {
    for codec in codecs {
        let (name, configuration) = named(codec)?;
        match name {
            "bytes" | "endian" => {
                return match configuration.and_then(|c| c.get("endian")).and_then(Value::as_str) {
                    Some("big") => Some(Order::Big),
                    Some("little") => Some(Order::Little),
                    _ => None,
                };
            }
            "sharding_indexed" => return order_of(configuration.and_then(|c| c.get("codecs")).and_then(Value::as_array)?),
            _ => {}
        }
    }
    None
}

/// The chunks within a shard.
fn inner_chunks(codecs: &[Value]) -> Option<Vec<usize>> {
    let shard = codecs.iter().find_map(|c| named(c).filter(|(n, _)| *n == "sharding_indexed"))?;
    shard.1?.get("chunk_shape").and_then(json::numbers)
}

/// The filters that the codecs stand for, those within shards too.
fn filters_of(file_codecs: &[Value]) -> Vec<Filter> {
    fn flat(codecs: &[Value]) -> Vec<Value> {
        let mut out = Vec::new();
        for codec in codecs {
            match named(codec) {
                Some(("sharding_indexed", Some(configuration))) => {
                    out.extend(configuration.get("codecs").and_then(Value::as_array).map(|c| flat(c)).unwrap_or_default());
                }
                _ => out.push(codec.clone()),
            }
        }
        out
    }
    codecs::to_filters(&flat(file_codecs))
}

fn grid_v3(meta: &Object) -> Result<Option<Vec<usize>>> {
    let Some((name, configuration)) = meta.get("chunk_grid").and_then(named) else { return Ok(None) };
    if name != "regular" {
        bail!(Unsupported, "the chunk grid '{name}' is not known here; only regular ones are");
    }
    Ok(configuration.and_then(|c| c.get("chunk_shape")).and_then(json::numbers))
}

fn keys_v3(meta: &Object) -> Result<Keys> {
    let Some((name, configuration)) = meta.get("chunk_key_encoding").and_then(named) else {
        bail!(Corrupt, "the array does not say how its chunks are named");
    };
    let separator = configuration.and_then(|c| c.get("separator")).and_then(Value::as_str);
    let separator = |default: char| match separator {
        Some("/") => '/',
        Some(".") => '.',
        _ => default,
    };
    match name {
        "default" => Ok(Keys { prefixed: true, separator: separator('/') }),
        "v2" => Ok(Keys { prefixed: false, separator: separator('.') }),
        other => bail!(Unsupported, "chunks that are named by '{other}' cannot be found here"),
    }
}

/// Version 3 demands that a reader knows every key that does not say otherwise.
fn refuse_unknown(meta: &Object) -> Result<()> {
    const KNOWN: [&str; 10] = [
        "zarr_format",
        "node_type",
        "shape",
        "data_type",
        "chunk_grid",
        "chunk_key_encoding",
        "fill_value",
        "codecs",
        "dimension_names",
        "storage_transformers",
    ];
    if meta.get("storage_transformers").and_then(Value::as_array).is_some_and(|t| !t.is_empty()) {
        bail!(Unsupported, "the array has storage transformers, which are not known here");
    }
    for (key, value) in meta {
        if !KNOWN.contains(&key.as_str()) && value.get("must_understand").and_then(Value::as_bool) != Some(false) {
            bail!(Unsupported, "the metadata of the array hold '{key}', which is not known here");
        }
    }
    Ok(())
}

/// The codecs of an array of version 2 in the words of version 3.
fn codecs_v2(document: &Document, held: &Held, filters: &[Value]) -> Result<Vec<Value>> {
    let size = match &held.carrier {
        Carrier::Text | Carrier::Bytes => 1,
        _ => held.pack.packed,
    };
    let rank = document.shape()?.len();
    let mut out = Vec::new();
    let mut serialised = false;
    if document.meta.get("order").and_then(Value::as_str) == Some("F") && rank > 1 {
        let order: Vec<usize> = (0..rank).rev().collect();
        out.push(json!({ "name": "transpose", "configuration": { "order": order } }));
    }
    let endian = if held.order == Order::Big { "big" } else { "little" };
    let bytes = json!({ "name": "bytes", "configuration": { "endian": endian } });
    let compressor = document.meta.get("compressor").filter(|c| !c.is_null());
    for codec in filters.iter().chain(compressor) {
        let codec = codecs::v2_to_v3(codec, size)?;
        let name = named(&codec).map_or("", |(n, _)| n);
        let to_array = matches!(name, "numcodecs.fixedscaleoffset" | "numcodecs.bitround");
        let to_bytes = name.starts_with("vlen-");
        if !serialised && !to_array {
            serialised = true;
            if !to_bytes {
                out.push(bytes.clone());
            }
        }
        out.push(codec);
    }
    if !serialised {
        out.push(bytes);
    }
    Ok(out)
}

/// The metadata of a new array.
/// What is one file is as the grid says, if there is one and the spec does not say it.
pub(super) fn make(spec: &DatasetSpec, options: &ZarrOptions, grid: Option<&[usize]>) -> Result<Document> {
    let Some(shape) = &spec.shape else {
        return Err(error!(Unsupported, "Zarr cannot hold a null dataspace").remedy("store an empty array, or an attribute"));
    };
    let version = options.version;
    let held = carrier::hold(&spec.dtype, version)?;
    let size = match &held.carrier {
        Carrier::Text | Carrier::Bytes => 1,
        _ => held.pack.packed,
    };
    let filters = codecs::of_filters(&spec.filters, size, version)?;
    let chunks = match &spec.layout {
        Layout::Chunked(chunks) => chunks.clone(),
        Layout::AutoChunked => super::chunking::auto(shape, spec.maxshape.as_deref(), held_size(&spec.dtype), 1 << 20),
        _ if spec.needs_chunks() => super::chunking::auto(shape, spec.maxshape.as_deref(), held_size(&spec.dtype), 1 << 20),
        _ => match grid.filter(|grid| grid.len() == shape.len() && !grid.contains(&0)) {
            Some(grid) => grid.to_vec(),
            None => super::chunking::auto(shape, None, held_size(&spec.dtype), 8 << 20),
        },
    };
    let mut ours = Object::new();
    let (fill_value, fill_note) = fill::write(&spec.fill, &spec.dtype, &held, version)?;
    let mut meta = Object::new();
    match version {
        ZarrVersion::V3 => {
            let mut inner = vec![match held.carrier {
                Carrier::Text => json!({ "name": "vlen-utf8", "configuration": {} }),
                Carrier::Bytes => json!({ "name": "vlen-bytes", "configuration": {} }),
                _ => json!({ "name": "bytes", "configuration": { "endian": if held.order == Order::Big { "big" } else { "little" } } }),
            }];
            inner.extend(filters);
            if options.crc32c {
                inner.push(json!({ "name": "crc32c", "configuration": {} }));
            }
            let (grid, codecs) = match options.shard_bytes.filter(|_| !shape.is_empty()) {
                Some(bytes) => {
                    let shard = super::chunking::shard(&chunks, shape, spec.maxshape.as_deref(), held_size(&spec.dtype), bytes);
                    let index =
                        json!([{ "name": "bytes", "configuration": { "endian": "little" } }, { "name": "crc32c", "configuration": {} }]);
                    let codec = json!({ "name": "sharding_indexed", "configuration": {
                        "chunk_shape": chunks, "codecs": inner, "index_codecs": index, "index_location": "end" } });
                    (shard, vec![codec])
                }
                None => (chunks, inner),
            };
            meta.insert("zarr_format".into(), 3.into());
            meta.insert("node_type".into(), "array".into());
            meta.insert("shape".into(), json!(shape));
            meta.insert("data_type".into(), held.name.clone());
            meta.insert("chunk_grid".into(), json!({ "name": "regular", "configuration": { "chunk_shape": grid } }));
            meta.insert("chunk_key_encoding".into(), json!({ "name": "default", "configuration": { "separator": "/" } }));
            meta.insert("fill_value".into(), fill_value);
            meta.insert("codecs".into(), codecs.into());
        }
        ZarrVersion::V2 => {
            let mut list = match held.carrier {
                Carrier::Text => vec![json!({ "id": "vlen-utf8" })],
                Carrier::Bytes => vec![json!({ "id": "vlen-bytes" })],
                _ => Vec::new(),
            };
            list.extend(filters);
            let compressor = if list.last().is_some_and(codecs::is_compressor) { list.pop() } else { None };
            meta.insert("zarr_format".into(), 2.into());
            meta.insert("shape".into(), json!(shape));
            meta.insert("chunks".into(), json!(chunks));
            meta.insert("dtype".into(), held.name.clone());
            meta.insert("compressor".into(), compressor.unwrap_or(Value::Null));
            meta.insert("fill_value".into(), fill_value);
            meta.insert("order".into(), "C".into());
            meta.insert("filters".into(), if list.is_empty() { Value::Null } else { list.into() });
        }
    }
    let maxshape: Vec<Value> = match &spec.maxshape {
        Some(max) => max.iter().map(|m| m.map_or(Value::Null, Value::from)).collect(),
        None => shape.iter().map(|n| Value::from(*n)).collect(),
    };
    if !shape.is_empty() {
        ours.insert("maxshape".into(), maxshape.into());
    }
    match &spec.layout {
        Layout::Compact => drop(ours.insert("layout".into(), "compact".into())),
        Layout::Contiguous | Layout::Auto if !spec.needs_chunks() && !shape.is_empty() => {
            drop(ours.insert("layout".into(), "contiguous".into()))
        }
        _ => {}
    }
    if let Some(note) = fill_note {
        ours.insert("fill".into(), note.into());
    }
    if spec.track_order {
        ours.insert("track_order".into(), true.into());
    }
    let mut document = Document { version, kind: super::document::Kind::Array, meta, attributes: Object::new(), ours };
    let plain = type_of(&document).map(|(dtype, ..)| dtype);
    if plain.ok().as_ref() != Some(&spec.dtype) {
        document.ours.insert("dtype".into(), exact::to_json(&spec.dtype));
    }
    Ok(document)
}

/// The bytes that an element takes, roughly, to choose chunks by.
fn held_size(dtype: &DType) -> usize {
    if dtype.is_plain() { dtype.itemsize() } else { dtype.itemsize().max(32) }
}
