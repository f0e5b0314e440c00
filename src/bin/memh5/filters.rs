//! The notation of filters: `gzip:4+shuffle`.

use memh5::Filter;
use memh5::tree::BitshuffleCompressor;

/// Filters in the order in which data that are written pass them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pipeline(pub Vec<Filter>);

/// Reads filters joined by `+`; shuffles come first and checksums last, in whatever order they are named.
pub fn parse(text: &str) -> Result<Pipeline, String> {
    if text == "none" {
        return Ok(Pipeline(Vec::new()));
    }
    let mut filters = text.split('+').map(one).collect::<Result<Vec<_>, _>>()?;
    filters.sort_by_key(|f| match f {
        Filter::Shuffle => 0,
        Filter::Fletcher32 => 2,
        _ => 1,
    });
    Ok(Pipeline(filters))
}

fn one(text: &str) -> Result<Filter, String> {
    let (name, value) = match text.split_once(':') {
        Some((name, value)) => (name, Some(value)),
        None => (text, None),
    };
    let level = |default: i32, low: i32, high: i32| match value {
        None => Ok(default),
        Some(value) => match value.parse() {
            Ok(level) if (low..=high).contains(&level) => Ok(level),
            _ => Err(format!("the level of {name} is a number from {low} to {high}, not '{value}'")),
        },
    };
    let plain = |filter: Filter| match value {
        None => Ok(filter),
        Some(_) => Err(format!("{name} has no level")),
    };
    match name {
        "gzip" | "deflate" => Ok(Filter::Gzip(u8::try_from(level(4, 0, 9)?).unwrap_or(4))),
        "zstd" => Ok(Filter::Zstd(level(3, -7, 22)?)),
        "shuffle" => plain(Filter::Shuffle),
        "fletcher32" => plain(Filter::Fletcher32),
        "lzf" => plain(Filter::Lzf),
        "bitshuffle" => plain(Filter::Bitshuffle { block_size: 0, compressor: BitshuffleCompressor::Lz4 }),
        "blosc" => Ok(Filter::blosc_lz4(u8::try_from(level(5, 0, 9)?).unwrap_or(5))),
        "lz4" => plain(Filter::Other { id: 32004, optional: true, values: Vec::new() }),
        "bzip2" => Ok(Filter::Other { id: 307, optional: true, values: vec![u32::try_from(level(9, 1, 9)?).unwrap_or(9)] }),
        "szip" => plain(Filter::Szip { options: 32, pixels_per_block: 8 }),
        _ => Err(format!(
            "'{name}' is no filter; there are gzip, shuffle, fletcher32, lzf, blosc, lz4, bzip2, bitshuffle, zstd, szip, and none"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_put_in_order() {
        assert_eq!(parse("gzip:4+shuffle").unwrap().0, [Filter::Shuffle, Filter::Gzip(4)]);
        assert_eq!(parse("fletcher32+zstd").unwrap().0, [Filter::Zstd(3), Filter::Fletcher32]);
        assert_eq!(parse("none").unwrap().0, []);
        assert_eq!(parse("blosc:3").unwrap().0, [Filter::blosc_lz4(3)]);
        for wrong in ["", "gzip:10", "gzip:x", "shuffle:1", "brotli", "bzip2:0", "lz4:1", "gzip++shuffle"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
