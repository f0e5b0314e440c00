//! The codecs of an array: from the elements of a chunk to the bytes of its file, and back.

use super::carrier::{Carrier, Held, named};
use super::delta::{self, Delta};
use super::scratch;
use super::shards::{self, Shards};
use crate::dtype::Order;
use crate::error::{Error, ErrorKind, Result, bail, error};
use crate::format::zstandard;
use serde_json::Value;
use std::borrow::Cow;
use std::num::NonZeroU64;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use zarrs::array::{
    ArrayBytes, ArrayBytesOffsets, ArrayToBytesCodecTraits, BytesRepresentation, BytesToBytesCodecTraits, Codec, CodecChain, CodecError,
    CodecOptions, DataType, FillValue,
};
use zarrs::metadata::v3::MetadataV3;

/// All codecs of an array.
#[derive(Debug)]
pub(super) struct Pipeline {
    front: Front,
    /// Each with what it is given when a chunk is written.
    back: Vec<(Back, BytesRepresentation)>,
    shape: Vec<NonZeroU64>,
    data_type: DataType,
    fill_value: FillValue,
}

/// From elements to bytes.
#[derive(Debug)]
enum Front {
    /// The bytes are those of the elements.
    Same,
    /// A transposition, another byte order, shards.
    Chain(Box<CodecChain>),
    /// Elements of any size, each with its length before it.
    Variable,
    Shards(Box<Shards>),
}

/// From bytes to bytes.
#[derive(Debug)]
enum Back {
    Library(Arc<dyn BytesToBytesCodecTraits>),
    Zstd {
        level: i32,
        checksum: bool,
    },
    Delta(Delta),
    /// HDF5's checksum; that of the library is another one for an odd number of bytes.
    Fletcher32,
    /// A block of LZ4 with its length before it, as numcodecs writes it.
    Lz4,
}

/// What a chunk is made of, as the codecs see it.
#[derive(Debug)]
pub(super) enum Encoded<'a> {
    Fixed(Cow<'a, [u8]>),
    /// The bytes of all elements, where each begins, and where the last one ends.
    Variable(Vec<u8>, Vec<usize>),
}

pub(super) fn options() -> CodecOptions {
    CodecOptions::default().with_concurrent_target(1)
}

pub(super) fn unsupported(message: &str, e: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(ErrorKind::Unsupported, message).because(e)
}

impl Pipeline {
    /// The pipeline of codecs in the words of version 3.
    pub(super) fn new(
        codecs: &[Value],
        held: &Held,
        shape: Vec<NonZeroU64>,
        bytes: usize,
        data_type: DataType,
        fill_value: FillValue,
    ) -> Result<Self> {
        let moved = delta::moved(codecs);
        let codecs = moved.as_deref().unwrap_or(codecs);
        let (mut front, mut back) = (Vec::<MetadataV3>::new(), Vec::new());
        let mut big = false;
        let (mut serialised, mut variable, mut same) = (false, false, true);
        for codec in codecs {
            let name = named(codec).map_or("", |(name, _)| name);
            let metadata: MetadataV3 = serde_json::from_value(codec.clone())
                .map_err(|e| error!(Corrupt, "the codecs of the array are no valid ones").because(e))?;
            if serialised {
                back.push(match name {
                    "numcodecs.fletcher32" => Back::Fletcher32,
                    "numcodecs.lz4" => Back::Lz4,
                    delta::DELTA => Back::Delta(Delta::new(named(codec).and_then(|(_, configuration)| configuration), big)?),
                    _ => match Codec::from_metadata(&metadata)
                        .map_err(|e| unsupported(&format!("the codec '{name}' is not known here"), e))?
                    {
                        Codec::BytesToBytes(library) => zstd(codec).unwrap_or(Back::Library(library)),
                        _ => bail!(Corrupt, "the codec '{name}' is out of its place"),
                    },
                });
                continue;
            }
            serialised = matches!(
                name,
                "bytes" | "endian" | "sharding_indexed" | "pcodec" | "numcodecs.pcodec" | "packbits" | "zfp" | "numcodecs.zfpy"
            ) || name.starts_with("vlen-");
            variable |= name.starts_with("vlen-");
            big |= delta::is_big(codec);
            let native = held.carrier == Carrier::Fixed || held.order == Order::NATIVE || held.pack.packed == 1;
            same &= matches!(name, "bytes" | "endian") && native;
            if name != "sharding_indexed" && !name.starts_with("vlen-") {
                Codec::from_metadata(&metadata).map_err(|e| unsupported(&format!("the codec '{name}' is not known here"), e))?;
            }
            front.push(metadata);
        }
        if !serialised {
            bail!(Corrupt, "the codecs of the array do not say how its elements become bytes");
        }
        let heap = matches!(held.carrier, Carrier::Text | Carrier::Bytes);
        let shards = match codecs.first() {
            Some(codec) if front.len() == 1 => shards::said(codec)?,
            _ => None,
        };
        if shards.is_none() && codecs.iter().any(hides_fletcher32) {
            bail!(Unsupported, "the checksum 'fletcher32' in shards behind other codecs is not known here");
        }
        let front = match () {
            () if let Some(said) = &shards => {
                let chunk = said.chunk.iter().filter_map(|n| NonZeroU64::new(*n as u64)).collect();
                let size = if heap { 0 } else { held.pack.packed };
                let bytes = crate::array::byte_len(&said.chunk, size.max(1))?;
                let inner = Self::new(said.codecs, held, chunk, bytes, data_type.clone(), fill_value.clone())?;
                let shard: Vec<usize> = shape.iter().map(|n| n.get() as usize).collect();
                Front::Shards(Box::new(Shards::new(said, inner, &shard, size, fill_value.as_ne_bytes().to_vec())?))
            }
            () if variable && heap && front.len() == 1 => Front::Variable,
            () if same && !heap => Front::Same,
            () => {
                let chain = catch_unwind(AssertUnwindSafe(|| CodecChain::from_metadata(&front)));
                let chain = chain.map_err(|_| error!(Corrupt, "the codecs of the array contradict themselves"))?;
                Front::Chain(Box::new(chain.map_err(|e| unsupported("the codecs of the array are not all known here", e))?))
            }
        };
        let mut given = if heap { BytesRepresentation::UnboundedSize } else { BytesRepresentation::FixedSize(bytes as u64) };
        let back = back.into_iter().map(|codec| {
            let before = given;
            given = match (&codec, before) {
                (Back::Library(codec), before) => codec.encoded_representation(&before),
                (Back::Zstd { .. }, BytesRepresentation::FixedSize(n)) => {
                    BytesRepresentation::BoundedSize(zstandard::bound(n as usize) as u64)
                }
                (Back::Zstd { .. }, _) => BytesRepresentation::UnboundedSize,
                (Back::Delta(delta), BytesRepresentation::FixedSize(n)) => BytesRepresentation::FixedSize(delta.encoded_len(n)),
                (Back::Delta(_), before) => before,
                (Back::Fletcher32, BytesRepresentation::FixedSize(n)) => BytesRepresentation::FixedSize(n + 4),
                (Back::Fletcher32, BytesRepresentation::BoundedSize(n)) => BytesRepresentation::BoundedSize(n + 4),
                (Back::Fletcher32, before) => before,
                (Back::Lz4, _) => BytesRepresentation::UnboundedSize,
            };
            (codec, before)
        });
        let back = back.collect();
        Ok(Self { front, back, shape, data_type, fill_value })
    }

    /// True if a chunk's file is the bytes of its elements.
    pub(super) fn is_plain(&self) -> bool {
        matches!(self.front, Front::Same) && self.back.is_empty()
    }

    /// True if the bytes of the elements come out of one decompression, which [`decode_into`](Self::decode_into) then does in their place.
    pub(super) fn is_straight(&self) -> bool {
        matches!(self.front, Front::Same) && matches!(self.back.first(), Some((Back::Zstd { .. }, _)))
    }

    /// Puts the elements of a chunk's file where they belong.
    pub(super) fn decode_into(&self, file: &[u8], out: &mut [u8]) -> Result<()> {
        let mut bytes = Cow::Borrowed(file);
        for (codec, given) in self.back.iter().skip(1).rev() {
            bytes = codec.decode(bytes, given)?;
        }
        unpack_zstd(&bytes, out)
    }

    /// The elements of a chunk's file. (`count` of them.)
    pub(super) fn decode<'a>(&self, file: Cow<'_, [u8]>, count: usize) -> Result<Encoded<'a>> {
        let mut bytes = file;
        for (codec, given) in self.back.iter().rev() {
            bytes = codec.decode(bytes, given)?;
        }
        match &self.front {
            Front::Same => Ok(Encoded::Fixed(Cow::Owned(bytes.into_owned()))),
            Front::Variable => split_variable(bytes.into_owned(), count),
            Front::Shards(shards) => shards.decode(&bytes),
            Front::Chain(chain) => match guarded(|| chain.decode(bytes, &self.shape, &self.data_type, &self.fill_value, &options()))? {
                ArrayBytes::Fixed(bytes) => Ok(Encoded::Fixed(Cow::Owned(bytes.into_owned()))),
                ArrayBytes::Variable(parts) => {
                    let (bytes, offsets) = parts.into_parts();
                    Ok(Encoded::Variable(bytes.into_owned(), offsets.to_vec()))
                }
                ArrayBytes::Optional(_) => bail!(Unsupported, "optional elements are not known here"),
            },
        }
    }

    /// The file of a chunk.
    pub(super) fn encode<'a>(&self, elements: Encoded<'a>) -> Result<Cow<'a, [u8]>> {
        let mut bytes = match (&self.front, elements) {
            (Front::Same, Encoded::Fixed(bytes)) => bytes,
            (Front::Variable, Encoded::Variable(bytes, offsets)) => Cow::Owned(join_variable(&bytes, &offsets)?),
            (Front::Shards(shards), elements) => Cow::Owned(shards.encode(&elements)?),
            (Front::Chain(chain), elements) => {
                let whole = match elements {
                    Encoded::Fixed(bytes) => ArrayBytes::new_flen(bytes),
                    Encoded::Variable(bytes, offsets) => {
                        let offsets = ArrayBytesOffsets::new(offsets).map_err(|e| refused(&e))?;
                        ArrayBytes::new_vlen(bytes, offsets).map_err(|e| refused(&e))?
                    }
                };
                chain.encode(whole, &self.shape, &self.data_type, &self.fill_value, &options()).map_err(|e| refused(&e))?
            }
            _ => bail!(Unsupported, "the codecs of the array are not those of its type"),
        };
        for (codec, _) in &self.back {
            bytes = codec.encode(bytes)?;
        }
        Ok(bytes)
    }
}

impl Back {
    fn decode<'b>(&self, bytes: Cow<'b, [u8]>, given: &BytesRepresentation) -> Result<Cow<'b, [u8]>> {
        Ok(match self {
            Self::Fletcher32 => Cow::Owned(check_fletcher32(bytes.into_owned())?),
            Self::Lz4 => Cow::Owned(unpack_lz4(&bytes)?),
            Self::Delta(delta) => Cow::Owned(delta.decode(&bytes)?),
            Self::Library(codec) => guarded(|| codec.decode(bytes, given, &options()))?,
            Self::Zstd { .. } => {
                let len = match given {
                    BytesRepresentation::FixedSize(n) => usize::try_from(*n).ok(),
                    _ => zstandard::told_len(&bytes)?,
                };
                let Some(len) = len else { return zstandard::decompress(&bytes).map(Cow::Owned) };
                // Before memory is taken for it.
                zstandard::check_len(&bytes, len)?;
                let mut out = Vec::new();
                out.try_reserve_exact(len).map_err(|e| error!(Io, "there is no memory for a chunk of {len} bytes").because(e))?;
                out.resize(len, 0);
                unpack_zstd(&bytes, &mut out)?;
                Cow::Owned(out)
            }
        })
    }

    fn encode<'b>(&self, bytes: Cow<'b, [u8]>) -> Result<Cow<'b, [u8]>> {
        Ok(match self {
            Self::Library(codec) => codec.encode(bytes, &options()).map_err(|e| refused(&e))?,
            Self::Lz4 => Cow::Owned(pack_lz4(&bytes)?),
            Self::Delta(delta) => Cow::Owned(delta.encode(&bytes)),
            Self::Zstd { level, checksum } => {
                let mut out = scratch::take();
                zstandard::compress(&bytes, *level, *checksum, &mut out)?;
                Cow::Owned(out)
            }
            Self::Fletcher32 => {
                let mut bytes = bytes.into_owned();
                bytes.extend_from_slice(&fletcher32(&bytes).to_le_bytes());
                Cow::Owned(bytes)
            }
        })
    }
}

fn refused(e: &dyn std::fmt::Display) -> Error {
    error!(Unsupported, "the codecs cannot store the elements: {e}")
}

/// Zstandard by its own library, with contexts and buffers that are kept.
fn zstd(codec: &Value) -> Option<Back> {
    let (name, configuration) = named(codec)?;
    let level = configuration.and_then(|c| c.get("level")).and_then(Value::as_i64).and_then(|level| i32::try_from(level).ok())?;
    let checksum = configuration.and_then(|c| c.get("checksum")).and_then(Value::as_bool).unwrap_or(false);
    (name == "zstd").then_some(Back::Zstd { level, checksum })
}

fn unpack_zstd(bytes: &[u8], out: &mut [u8]) -> Result<()> {
    zstandard::check_len(bytes, out.len())?;
    match zstandard::decompress_into(bytes, out)? {
        len if len == out.len() => Ok(()),
        len => bail!(Corrupt, "it holds {len} bytes in place of {}", out.len()),
    }
}

/// True if a codec has HDF5's checksum within it, where only the library would see it.
fn hides_fletcher32(codec: &Value) -> bool {
    let inner = named(codec).and_then(|(_, c)| c?.get("codecs")?.as_array());
    inner.is_some_and(|codecs| codecs.iter().any(|c| named(c).is_some_and(|(n, _)| n == "numcodecs.fletcher32") || hides_fletcher32(c)))
}

/// Runs a decoder of the library, which may panic on bytes that no encoder has made.
pub(super) fn guarded<T>(decode: impl FnOnce() -> Result<T, CodecError>) -> Result<T> {
    match catch_unwind(AssertUnwindSafe(decode)) {
        Ok(Ok(decoded)) => Ok(decoded),
        Ok(Err(e)) => Err(error!(Corrupt, "its bytes cannot be decoded").because(e)),
        Err(_) => Err(error!(Corrupt, "its bytes cannot be decoded")),
    }
}

/// The number of elements, and each with its length before it.
fn join_variable(bytes: &[u8], offsets: &[usize]) -> Result<Vec<u8>> {
    let length = |n: usize| u32::try_from(n).map_err(|_| error!(Unsupported, "Zarr holds texts and sequences of at most 4 GiB"));
    let mut out = Vec::with_capacity(bytes.len() + 4 * offsets.len());
    out.extend_from_slice(&length(offsets.len().saturating_sub(1))?.to_le_bytes());
    for pair in offsets.windows(2) {
        let element = bytes.get(pair[0]..pair[1]).unwrap_or_default();
        out.extend_from_slice(&length(element.len())?.to_le_bytes());
        out.extend_from_slice(element);
    }
    Ok(out)
}

fn split_variable<'a>(file: Vec<u8>, count: usize) -> Result<Encoded<'a>> {
    let mut rest = &file[..];
    let length = |rest: &mut &[u8]| -> Result<usize> {
        let Some((head, tail)) = rest.split_first_chunk::<4>() else { bail!(Corrupt, "it is cut short") };
        *rest = tail;
        Ok(u32::from_le_bytes(*head) as usize)
    };
    let there = length(&mut rest)?;
    if there != count || rest.len() / 4 < count {
        bail!(Corrupt, "it holds {there} elements in place of {count}, or is cut short");
    }
    let (mut bytes, mut offsets) = (Vec::with_capacity(rest.len()), Vec::with_capacity(count + 1));
    offsets.push(0);
    for _ in 0..count {
        let n = length(&mut rest)?;
        let Some((element, tail)) = rest.split_at_checked(n) else { bail!(Corrupt, "it is cut short") };
        bytes.extend_from_slice(element);
        offsets.push(bytes.len());
        rest = tail;
    }
    if !rest.is_empty() {
        bail!(Corrupt, "it has {} bytes too many", rest.len());
    }
    Ok(Encoded::Variable(bytes, offsets))
}

fn pack_lz4(bytes: &[u8]) -> Result<Vec<u8>> {
    let len = i32::try_from(bytes.len()).map_err(|_| error!(Unsupported, "the codec 'lz4' holds chunks of at most 2 GiB"))?;
    let mut out = len.to_le_bytes().to_vec();
    out.extend_from_slice(&lz4_flex::block::compress(bytes));
    Ok(out)
}

fn unpack_lz4(bytes: &[u8]) -> Result<Vec<u8>> {
    let Some((len, block)) = bytes.split_first_chunk::<4>() else { bail!(Corrupt, "it is cut short") };
    let len = u32::from_le_bytes(*len) as usize;
    // A byte of LZ4 stands for 255 at most.
    if len / 256 > block.len() {
        bail!(Corrupt, "it cannot hold the {len} bytes that it promises");
    }
    match lz4_flex::block::decompress(block, len) {
        Ok(out) if out.len() == len => Ok(out),
        Ok(out) => bail!(Corrupt, "it holds {} bytes in place of {len}", out.len()),
        Err(e) => Err(error!(Corrupt, "its bytes are no LZ4").because(e)),
    }
}

/// The checksum of HDF5's filter 3.
fn fletcher32(data: &[u8]) -> u32 {
    let (mut sum1, mut sum2) = (0u32, 0u32);
    let (pairs, rest) = data.as_chunks::<2>();
    for block in pairs.chunks(360) {
        for pair in block {
            sum1 += u32::from(u16::from_be_bytes(*pair));
            sum2 += sum1;
        }
        sum1 = (sum1 & 0xffff) + (sum1 >> 16);
        sum2 = (sum2 & 0xffff) + (sum2 >> 16);
    }
    if let [last] = rest {
        sum1 += u32::from(*last) << 8;
        sum2 += sum1;
        sum1 = (sum1 & 0xffff) + (sum1 >> 16);
        sum2 = (sum2 & 0xffff) + (sum2 >> 16);
    }
    sum1 = (sum1 & 0xffff) + (sum1 >> 16);
    sum2 = (sum2 & 0xffff) + (sum2 >> 16);
    (sum2 << 16) | sum1
}

fn check_fletcher32(mut bytes: Vec<u8>) -> Result<Vec<u8>> {
    let Some((data, sum)) = bytes.split_last_chunk::<4>() else { bail!(Corrupt, "it is too short for its checksum") };
    if fletcher32(data) != u32::from_le_bytes(*sum) {
        bail!(Corrupt, "its checksum differs");
    }
    bytes.truncate(bytes.len() - 4);
    Ok(bytes)
}
