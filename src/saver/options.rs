//! What a save is told beside its data: typed, or by name as Python's keyword arguments.

use crate::dtype::{Cast, DType};
use crate::error::{Result, bail, error};
use crate::publish::Durability;
use crate::tree::Filter;
use std::str::FromStr;
use std::time::Duration;

/// What becomes of what is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Approach {
    /// The data go behind it, along axis 0. What is not there is made.
    #[default]
    Append,
    /// The data take its place. It stays until they are complete.
    Overwrite,
    /// The data go to the places that the indices name. Nothing changes its size.
    Update,
}

impl Approach {
    /// The name, as the option `approach` has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Append => "append",
            Self::Overwrite => "overwrite",
            Self::Update => "update",
        }
    }
}

impl FromStr for Approach {
    type Err = crate::Error;

    /// Reads the name; blanks around it and capitals do not matter.
    fn from_str(name: &str) -> Result<Self> {
        match name.trim().to_ascii_lowercase().as_str() {
            "append" => Ok(Self::Append),
            "overwrite" => Ok(Self::Overwrite),
            "update" => Ok(Self::Update),
            _ => bail!(InvalidArgument, "'{name}' is no approach; the approaches are append, overwrite and update"),
        }
    }
}

/// How long a save waits for another writer, when it is not told otherwise.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

/// The options by name.
const NAMES: &[&str] = &[
    "approach",
    "dtype",
    "cast",
    "chunks",
    "chunk_bytes",
    "compression",
    "compression_opts",
    "shuffle",
    "fletcher32",
    "timeout",
    "durability",
];

/// The options of a save. What is not given is taken from the saver, and then has its default.
///
/// ```
/// use memh5::saver::{Approach, SaveOptions};
/// use memh5::{Cast, DType, Filter};
/// let options = SaveOptions::new().approach(Approach::Append).dtype(DType::F32).cast(Cast::Saturate);
/// let same = SaveOptions::from_pairs([("approach", "append"), ("dtype", "f4"), ("cast", "saturate")])?;
/// assert_eq!(options, same);
/// let packed = SaveOptions::from_pairs([("compression", "gzip"), ("compression_opts", "9"), ("shuffle", "true")])?;
/// assert_eq!(packed, SaveOptions::new().filters([Filter::Shuffle, Filter::Gzip(9)]));
/// assert!(SaveOptions::from_pairs([("compresion", "gzip")]).is_err());
/// # Ok::<(), memh5::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SaveOptions {
    pub(super) approach: Option<Approach>,
    pub(super) dtype: Option<DType>,
    pub(super) cast: Option<Cast>,
    pub(super) chunks: Option<Vec<usize>>,
    pub(super) chunk_bytes: Option<usize>,
    pub(super) filters: Option<Vec<Filter>>,
    pub(super) timeout: Option<Duration>,
    pub(super) durability: Option<Durability>,
}

impl SaveOptions {
    /// No options.
    pub fn new() -> Self {
        Self::default()
    }

    /// What becomes of what is there already; [`Approach::Append`] when not given.
    #[must_use]
    pub fn approach(mut self, approach: Approach) -> Self {
        self.approach = Some(approach);
        self
    }

    /// The type of the elements. When not given: that of what is there already, else that of the data. One that contradicts what is there
    /// is an error.
    #[must_use]
    pub fn dtype(mut self, dtype: DType) -> Self {
        self.dtype = Some(dtype);
        self
    }

    /// How data of another type may be converted; [`Cast::Exact`] when not given: what cannot be held exactly is an error.
    #[must_use]
    pub fn cast(mut self, cast: Cast) -> Self {
        self.cast = Some(cast);
        self
    }

    /// The shape of the chunks of what is made. One that contradicts what is there is an error.
    #[must_use]
    pub fn chunks(mut self, chunks: impl Into<Vec<usize>>) -> Self {
        self.chunks = Some(chunks.into());
        self
    }

    /// The bytes that a chunk of what is made has at most, before filters; 1 MiB when not given, 256 KiB with filters. Whole rows, as
    /// many as fit: the size of the first batch does not matter.
    #[must_use]
    pub fn chunk_bytes(mut self, bytes: usize) -> Self {
        self.chunk_bytes = Some(bytes);
        self
    }

    /// The filters of the chunks of what is made. Ones that contradict what is there are an error.
    #[must_use]
    pub fn filters(mut self, filters: impl IntoIterator<Item = Filter>) -> Self {
        self.filters = Some(filters.into_iter().collect());
        self
    }

    /// How long to wait for another writer of the target before the save fails with `Locked`; 30 seconds when not given.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// What a save that has returned survives: [`Durability::Process`] when not given, the end of the process, by `kill -9` too;
    /// [`Durability::Full`], which waits for the device, a power failure as well.
    #[must_use]
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = Some(durability);
        self
    }

    /// Reads options by name, as Python's keyword arguments: `approach`, `dtype` (`f4`), `cast` (`exact`, `safe`, `saturate`), `chunks`
    /// (`100,3`), `chunk_bytes`, `compression` (`gzip`, `lzf`, `zstd`, `bitshuffle`, or a gzip level), `compression_opts`, `shuffle`,
    /// `fletcher32`, `timeout` (seconds), `durability` (`process`, `full`).
    ///
    /// # Errors
    /// `InvalidArgument` for a name that is none of these or comes twice, or a value that cannot be read; `Dtype` for a type.
    pub fn from_pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self> {
        let mut options = Self::new();
        let mut filters = FilterWords::default();
        let mut seen: Vec<&str> = Vec::new();
        for (name, value) in pairs {
            if seen.contains(&name) {
                bail!(InvalidArgument, "the option '{name}' is given twice");
            }
            seen.push(name);
            options.set(name, value.trim(), &mut filters)?;
        }
        options.filters = filters.resolve()?;
        Ok(options)
    }

    fn set<'a>(&mut self, name: &str, value: &'a str, filters: &mut FilterWords<'a>) -> Result<()> {
        match name {
            "approach" => self.approach = Some(value.parse()?),
            "dtype" => self.dtype = Some(value.parse()?),
            "cast" => {
                self.cast = Some(match value.to_ascii_lowercase().as_str() {
                    "exact" => Cast::Exact,
                    "safe" => Cast::Safe,
                    "saturate" => Cast::Saturate,
                    _ => bail!(InvalidArgument, "'{value}' is no way to convert; there are exact, safe and saturate"),
                });
            }
            "chunks" => {
                let inner = value.trim_start_matches(['(', '[']).trim_end_matches([')', ']', ',']);
                self.chunks = Some(inner.split(',').map(|n| number(name, n)).collect::<Result<_>>()?);
            }
            "chunk_bytes" => self.chunk_bytes = Some(number(name, value)?),
            "compression" => filters.compression = Some(value),
            "compression_opts" => filters.level = Some(value),
            "shuffle" => filters.shuffle = Some(truth(name, value)?),
            "fletcher32" => filters.fletcher32 = Some(truth(name, value)?),
            "timeout" => {
                let seconds: f64 = number(name, value)?;
                self.timeout = Some(match seconds {
                    s if s.is_infinite() && s > 0.0 => Duration::MAX,
                    s => Duration::try_from_secs_f64(s)
                        .map_err(|_| error!(InvalidArgument, "the option 'timeout' is '{value}', and it is a time in seconds"))?,
                });
            }
            "durability" => {
                self.durability = Some(match value.to_ascii_lowercase().as_str() {
                    "process" => Durability::Process,
                    "full" => Durability::Full,
                    _ => bail!(InvalidArgument, "'{value}' is no durability; there are process and full"),
                });
            }
            _ => {
                return Err(error!(InvalidArgument, "there is no option '{name}'").remedy(format!("the options are {}", NAMES.join(", "))));
            }
        }
        Ok(())
    }

    /// These options, and where one is not given, that of the other.
    #[must_use]
    pub fn or(&self, other: &SaveOptions) -> SaveOptions {
        SaveOptions {
            approach: self.approach.or(other.approach),
            dtype: self.dtype.clone().or_else(|| other.dtype.clone()),
            cast: self.cast.or(other.cast),
            chunks: self.chunks.clone().or_else(|| other.chunks.clone()),
            chunk_bytes: self.chunk_bytes.or(other.chunk_bytes),
            filters: self.filters.clone().or_else(|| other.filters.clone()),
            timeout: self.timeout.or(other.timeout),
            durability: self.durability.or(other.durability),
        }
    }

    pub(super) fn the_approach(&self) -> Approach {
        self.approach.unwrap_or_default()
    }

    pub(super) fn the_cast(&self) -> Cast {
        self.cast.unwrap_or_default()
    }

    pub(super) fn the_timeout(&self) -> Duration {
        self.timeout.unwrap_or(DEFAULT_TIMEOUT)
    }

    pub(super) fn the_durability(&self) -> Durability {
        self.durability.unwrap_or(Durability::Process)
    }

    /// Refuses what a target without chunks cannot do: no option is ignored.
    pub(super) fn refuse_layout(&self, target: &str) -> Result<()> {
        let given = [("chunks", self.chunks.is_some()), ("chunk_bytes", self.chunk_bytes.is_some()), ("filters", self.filters.is_some())];
        match given.iter().find(|(_, given)| *given) {
            Some((name, _)) => Err(error!(Unsupported, "{target} has no chunks and no filters, so it cannot have the option '{name}'")
                .remedy("leave it out, or save to HDF5 or Zarr")),
            None => Ok(()),
        }
    }
}

fn number<T: FromStr>(name: &str, value: &str) -> Result<T> {
    value.trim().parse().map_err(|_| error!(InvalidArgument, "the option '{name}' is '{value}', which is no number of its kind"))
}

fn truth(name: &str, value: &str) -> Result<bool> {
    match value.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" => Ok(false),
        _ => bail!(InvalidArgument, "the option '{name}' is '{value}', and it is true or false"),
    }
}

/// h5py's words for filters, which mean something only together.
#[derive(Default)]
struct FilterWords<'a> {
    compression: Option<&'a str>,
    level: Option<&'a str>,
    shuffle: Option<bool>,
    fletcher32: Option<bool>,
}

impl FilterWords<'_> {
    fn resolve(&self) -> Result<Option<Vec<Filter>>> {
        if self.compression.is_none() && self.level.is_none() && self.shuffle.is_none() && self.fletcher32.is_none() {
            return Ok(None);
        }
        let mut filters = Vec::new();
        if self.shuffle == Some(true) {
            filters.push(Filter::Shuffle);
        }
        let level = |default: i32| self.level.map_or(Ok(default), |l| number("compression_opts", l));
        let gzip = |level: i32| {
            u8::try_from(level)
                .ok()
                .filter(|l| *l <= 9)
                .map(Filter::Gzip)
                .ok_or_else(|| error!(InvalidArgument, "the gzip level {level} is not between 0 and 9"))
        };
        let without_level = |filter: Filter| match self.level {
            None => Ok(filter),
            Some(_) => Err(error!(InvalidArgument, "{} has no compression_opts", filter.name())),
        };
        match self.compression.map(str::to_ascii_lowercase).as_deref() {
            None | Some("none") if self.level.is_some() => bail!(InvalidArgument, "compression_opts without a compression mean nothing"),
            None | Some("none") => {}
            Some("gzip") => filters.push(gzip(level(4)?)?),
            Some("zstd") => filters.push(Filter::Zstd(level(3)?)),
            Some("lzf") => filters.push(without_level(Filter::Lzf)?),
            Some("blosc") => {
                let level = level(5)?;
                match u8::try_from(level) {
                    Ok(level @ 0..=9) => filters.push(Filter::blosc_lz4(level)),
                    _ => bail!(InvalidArgument, "the blosc level {level} is not between 0 and 9"),
                }
            }
            Some("bitshuffle") => {
                let compressor = crate::tree::BitshuffleCompressor::Lz4;
                filters.push(without_level(Filter::Bitshuffle { block_size: 0, compressor })?);
            }
            Some(other) => match other.parse::<i32>() {
                // h5py takes a gzip level for the name.
                Ok(n) if self.level.is_none() => filters.push(gzip(n)?),
                _ => bail!(InvalidArgument, "'{other}' is no compression; there are gzip, lzf, zstd, blosc, bitshuffle and none"),
            },
        }
        if self.fletcher32 == Some(true) {
            filters.push(Filter::Fletcher32);
        }
        Ok(Some(filters))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    #[test]
    fn names_are_checked() {
        for (name, value) in [
            ("aproach", "append"),
            ("approach", "apend"),
            ("cast", "unsafe"),
            ("chunks", "a,b"),
            ("chunks", ""),
            ("chunk_bytes", "-1"),
            ("compression", "gzip9"),
            ("compression", "10"),
            ("compression_opts", "4"),
            ("shuffle", "maybe"),
            ("timeout", "-1"),
            ("durability", "never"),
            ("", ""),
        ] {
            let e = SaveOptions::from_pairs([(name, value)]).unwrap_err();
            assert_eq!(e.kind(), ErrorKind::InvalidArgument, "{name}={value}: {e}");
        }
        assert_eq!(SaveOptions::from_pairs([("dtype", "f77")]).unwrap_err().kind(), ErrorKind::Dtype);
        assert!(SaveOptions::from_pairs([("dtype", "f4"), ("dtype", "f4")]).is_err());
        assert!(SaveOptions::from_pairs([("compression", "lzf"), ("compression_opts", "4")]).is_err());
        let all = SaveOptions::from_pairs([
            ("approach", " Append\n"),
            ("chunks", "(100, 3)"),
            ("compression", "4"),
            ("fletcher32", "True"),
            ("timeout", "0.5"),
            ("durability", "full"),
        ])
        .unwrap();
        assert_eq!(all.chunks, Some(vec![100, 3]));
        assert_eq!(all.filters, Some(vec![Filter::Gzip(4), Filter::Fletcher32]));
        assert_eq!(all.timeout, Some(Duration::from_millis(500)));
        assert_eq!(SaveOptions::from_pairs([("timeout", "inf")]).unwrap().timeout, Some(Duration::MAX));
    }

    #[test]
    fn what_is_given_wins() {
        let own = SaveOptions::new().dtype(DType::F32);
        let both = own.or(&SaveOptions::new().dtype(DType::F64).cast(Cast::Safe));
        assert_eq!(both, SaveOptions::new().dtype(DType::F32).cast(Cast::Safe));
    }
}
