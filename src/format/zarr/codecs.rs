//! Filters of HDF5 and codecs of Zarr: which one stands for which.

use super::carrier::named;
use super::json::Object;
use super::version::ZarrVersion;
use crate::error::{Result, error};
use crate::tree::{BitshuffleCompressor, Filter};
use serde_json::{Value, json};

/// The number under which Blosc is registered with the HDF Group.
const BLOSC: u32 = 32001;
/// Those of LZ4 alone, and of bzip2.
const LZ4: u32 = 32004;
const BZIP2: u32 = 307;
/// Blosc's compressors, by their numbers.
const COMPRESSORS: [&str; 6] = ["blosclz", "lz4", "lz4hc", "snappy", "zlib", "zstd"];

/// Why Zarr has no counterpart of a filter; `None` if it has one.
pub(super) fn lacks(filter: &Filter) -> Option<String> {
    let known = match filter {
        Filter::Gzip(_) | Filter::Shuffle | Filter::Fletcher32 | Filter::Zstd(_) => true,
        Filter::Bitshuffle { compressor, .. } => *compressor != BitshuffleCompressor::None,
        Filter::Other { id, values, .. } => matches!(*id, LZ4 | BZIP2) || *id == BLOSC && values.len() >= 6,
        _ => false,
    };
    (!known).then(|| format!("Zarr has no counterpart of the filter '{}' ({})", filter.name(), filter.id()))
}

/// The codec of a filter, in the words of the version. `size` is that of an element in a chunk.
fn codec(filter: &Filter, size: usize, version: ZarrVersion) -> Result<Value> {
    let v3 = version == ZarrVersion::V3;
    let make = |name_v3: &str, id_v2: &str, configuration: Value| match version {
        ZarrVersion::V3 => json!({ "name": name_v3, "configuration": configuration }),
        ZarrVersion::V2 => {
            let mut map = Object::new();
            map.insert("id".into(), id_v2.into());
            map.extend(configuration.as_object().cloned().unwrap_or_default());
            Value::Object(map)
        }
    };
    let blosc = |cname: &str, clevel: u32, shuffle: u32, block: u32| {
        if v3 {
            let shuffle = ["noshuffle", "shuffle", "bitshuffle"].get(shuffle as usize).copied().unwrap_or("noshuffle");
            let configuration =
                json!({ "cname": cname, "clevel": clevel, "shuffle": shuffle, "typesize": size.clamp(1, 255), "blocksize": block });
            make("blosc", "blosc", configuration)
        } else {
            make("blosc", "blosc", json!({ "cname": cname, "clevel": clevel, "shuffle": shuffle, "blocksize": block }))
        }
    };
    Ok(match filter {
        Filter::Gzip(level) => make("gzip", "gzip", json!({ "level": level })),
        Filter::Shuffle => make("numcodecs.shuffle", "shuffle", json!({ "elementsize": size })),
        Filter::Fletcher32 => make("numcodecs.fletcher32", "fletcher32", json!({})),
        Filter::Zstd(level) if v3 => make("zstd", "zstd", json!({ "level": level, "checksum": false })),
        Filter::Zstd(level) => make("zstd", "zstd", json!({ "level": level })),
        Filter::Bitshuffle { block_size, compressor: BitshuffleCompressor::Lz4 } => blosc("lz4", 5, 2, *block_size),
        Filter::Bitshuffle { block_size, compressor: BitshuffleCompressor::Zstd(level) } => {
            blosc("zstd", (*level).clamp(1, 9), 2, *block_size)
        }
        Filter::Other { id: LZ4, .. } => make("numcodecs.lz4", "lz4", json!({ "acceleration": 1 })),
        Filter::Other { id: BZIP2, values, .. } => {
            make("numcodecs.bz2", "bz2", json!({ "level": values.first().copied().unwrap_or(9).clamp(1, 9) }))
        }
        Filter::Other { id: BLOSC, values, .. } => {
            let value = |k: usize| values.get(k).copied().unwrap_or_default();
            let cname = COMPRESSORS.get(value(6) as usize).copied().unwrap_or("blosclz");
            blosc(cname, value(4).min(9), value(5).min(2), 0)
        }
        other => {
            return Err(error!(Unsupported, "{}", lacks(other).unwrap_or_default()).remedy("choose gzip, zstd, bitshuffle or no filter"));
        }
    })
}

/// The codecs of filters, in their order.
pub(super) fn of_filters(filters: &[Filter], size: usize, version: ZarrVersion) -> Result<Vec<Value>> {
    filters.iter().map(|f| codec(f, size, version)).collect()
}

/// True if the codec compresses: what Zarr v2 calls the compressor, which comes last.
pub(super) fn is_compressor(codec: &Value) -> bool {
    matches!(codec.get("id").and_then(Value::as_str), Some("gzip" | "zstd" | "blosc" | "lz4" | "bz2"))
}

/// The filters that codecs stand for. A codec that has none (a checksum of Zarr's own, a transposition) is left out.
pub(super) fn to_filters<'c>(codecs: impl IntoIterator<Item = &'c Value>) -> Vec<Filter> {
    codecs.into_iter().filter_map(to_filter).collect()
}

fn to_filter(codec: &Value) -> Option<Filter> {
    let (name, configuration) = match codec.get("id").and_then(Value::as_str) {
        Some(id) => (id, Some(codec)),
        None => named(codec)?,
    };
    let number = |key: &str| configuration.and_then(|c| c.get(key)).and_then(Value::as_i64);
    let text = |key: &str| configuration.and_then(|c| c.get(key)).and_then(Value::as_str);
    Some(match name.strip_prefix("numcodecs.").unwrap_or(name) {
        "gzip" | "zlib" => Filter::Gzip(u8::try_from(number("level").unwrap_or(1)).ok().filter(|l| *l <= 9)?),
        "shuffle" => Filter::Shuffle,
        "fletcher32" => Filter::Fletcher32,
        "bz2" => {
            Filter::Other { id: BZIP2, optional: true, values: vec![number("level").and_then(|n| u32::try_from(n).ok()).unwrap_or(9)] }
        }
        "lz4" => Filter::Other { id: LZ4, optional: true, values: Vec::new() },
        "zstd" => Filter::Zstd(i32::try_from(number("level").unwrap_or(0)).ok()?.clamp(-7, 22)),
        "blosc" => {
            let shuffle = match (number("shuffle"), text("shuffle")) {
                (Some(n @ 0..=2), _) => n as u32,
                (_, Some("bitshuffle")) => 2,
                (_, Some("noshuffle")) => 0,
                _ => 1,
            };
            let cname = text("cname").unwrap_or("lz4");
            let clevel = u32::try_from(number("clevel").unwrap_or(5)).ok()?;
            let block = u32::try_from(number("blocksize").unwrap_or(0)).ok()?;
            match (cname, shuffle, clevel) {
                ("lz4", 2, 5) if block % 8 == 0 => Filter::Bitshuffle { block_size: block, compressor: BitshuffleCompressor::Lz4 },
                ("zstd", 2, 1..) if block % 8 == 0 => {
                    Filter::Bitshuffle { block_size: block, compressor: BitshuffleCompressor::Zstd(clevel) }
                }
                _ => {
                    let size = u32::try_from(number("typesize").unwrap_or(1)).unwrap_or(1);
                    let compressor = COMPRESSORS.iter().position(|c| *c == cname)? as u32;
                    Filter::Other { id: BLOSC, optional: true, values: vec![2, 2, size, 0, clevel, shuffle, compressor] }
                }
            }
        }
        _ => return None,
    })
}

/// Codecs of Zarr v2, as version 3 names them, for the library.
pub(super) fn v2_to_v3(codec: &Value, size: usize) -> Result<Value> {
    let Some(id) = codec.get("id").and_then(Value::as_str) else {
        return Err(error!(Corrupt, "{codec} is no codec: it has no id"));
    };
    let mut configuration = codec.as_object().cloned().unwrap_or_default();
    configuration.remove("id");
    let name = match id {
        "gzip" => {
            configuration.retain(|key, _| key == "level");
            "gzip"
        }
        "zstd" => {
            let level = configuration.get("level").cloned().unwrap_or(0.into());
            let checksum = configuration.get("checksum").and_then(Value::as_bool).unwrap_or(false);
            configuration = Object::from_iter([("level".into(), level), ("checksum".into(), checksum.into())]);
            "zstd"
        }
        "blosc" => {
            let shuffle = match configuration.get("shuffle").and_then(Value::as_i64).unwrap_or(1) {
                0 => "noshuffle",
                2 => "bitshuffle",
                -1 if size == 1 => "bitshuffle",
                _ => "shuffle",
            };
            let block = configuration.get("blocksize").cloned().unwrap_or(0.into());
            let cname = configuration.get("cname").cloned().unwrap_or("lz4".into());
            let clevel = configuration.get("clevel").cloned().unwrap_or(5.into());
            configuration = Object::from_iter([
                ("cname".into(), cname),
                ("clevel".into(), clevel),
                ("shuffle".into(), shuffle.into()),
                ("typesize".into(), size.clamp(1, 255).into()),
                ("blocksize".into(), block),
            ]);
            "blosc"
        }
        "lz4" => "numcodecs.lz4",
        "crc32c" => "numcodecs.crc32c",
        "vlen-utf8" => "vlen-utf8",
        "vlen-bytes" | "vlen-array" => {
            configuration.clear();
            "vlen-bytes"
        }
        "shuffle" | "delta" | "fletcher32" | "zlib" | "bz2" | "adler32" | "fixedscaleoffset" | "bitround" => &format!("numcodecs.{id}"),
        other => return Err(error!(Unsupported, "the codec '{other}' of Zarr v2 is not known here")),
    };
    Ok(json!({ "name": name, "configuration": configuration }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_come_back() {
        let bitshuffle = |compressor| Filter::Bitshuffle { block_size: 64, compressor };
        let all = [
            vec![Filter::Gzip(4)],
            vec![Filter::Shuffle, Filter::Gzip(9), Filter::Fletcher32],
            vec![Filter::Zstd(-3)],
            vec![bitshuffle(BitshuffleCompressor::Lz4)],
            vec![bitshuffle(BitshuffleCompressor::Zstd(3))],
            vec![Filter::Other { id: BLOSC, optional: true, values: vec![2, 2, 4, 0, 7, 1, 1] }],
            vec![Filter::Shuffle, Filter::Other { id: LZ4, optional: true, values: vec![] }],
            vec![Filter::Other { id: BZIP2, optional: true, values: vec![5] }],
        ];
        for filters in all {
            let v3 = of_filters(&filters, 4, ZarrVersion::V3).unwrap();
            assert_eq!(to_filters(&v3), filters);
            let v2 = of_filters(&filters, 4, ZarrVersion::V2).unwrap();
            let back = to_filters(&v2);
            assert_eq!(back.iter().map(Filter::id).collect::<Vec<_>>(), filters.iter().map(Filter::id).collect::<Vec<_>>());
        }
        for filter in [Filter::Lzf, Filter::Nbit, bitshuffle(BitshuffleCompressor::None)] {
            assert!(lacks(&filter).is_some());
            assert_eq!(of_filters(&[filter], 4, ZarrVersion::V3).unwrap_err().kind(), crate::ErrorKind::Unsupported);
        }
    }
}
