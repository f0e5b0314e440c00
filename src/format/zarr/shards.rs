//! Shards: files that hold many chunks, and an index of where each begins.

use super::carrier::named;
use super::grid::strides;
use super::json;
use super::pipeline::{Encoded, Pipeline, guarded, options, unsupported};
use crate::error::{Result, bail, error};
use serde_json::Value;
use std::borrow::Cow;
use std::num::NonZeroU64;
use zarrs::array::{ArrayBytes, ArrayToBytesCodecTraits, CodecChain, FillValue, data_type};
use zarrs::metadata::v3::MetadataV3;

/// What stands in the index for a chunk that is not there.
const NOWHERE: u64 = u64::MAX;

/// The chunks of a file.
#[derive(Debug)]
pub(super) struct Shards {
    /// From a chunk to its bytes.
    inner: Box<Pipeline>,
    /// The shape of a chunk, and how many of them a file has along each axis.
    chunk: Vec<usize>,
    counts: Vec<usize>,
    index: CodecChain,
    index_shape: Vec<NonZeroU64>,
    index_at_start: bool,
    /// The bytes of an element; 0 if they differ.
    size: usize,
    /// One element of fill value.
    fill: Vec<u8>,
}

/// What a codec of shards says.
pub(super) struct Said<'c> {
    configuration: &'c Value,
    pub(super) chunk: Vec<usize>,
    pub(super) codecs: &'c [Value],
}

/// The configuration of the codec, if it is one of shards.
pub(super) fn said(codec: &Value) -> Result<Option<Said<'_>>> {
    let Some(("sharding_indexed", configuration)) = named(codec) else { return Ok(None) };
    let chunk = configuration.and_then(|c| c.get("chunk_shape")).and_then(json::numbers);
    let codecs = configuration.and_then(|c| c.get("codecs")).and_then(Value::as_array);
    match (configuration, chunk, codecs) {
        (Some(configuration), Some(chunk), Some(codecs)) => Ok(Some(Said { configuration, chunk, codecs })),
        _ => bail!(Corrupt, "the codec of shards does not say what a chunk is"),
    }
}

impl Shards {
    pub(super) fn new(said: &Said<'_>, inner: Pipeline, shard: &[usize], size: usize, fill: Vec<u8>) -> Result<Self> {
        let chunk = said.chunk.clone();
        if chunk.len() != shard.len() || chunk.iter().zip(shard).any(|(c, s)| *c == 0 || !s.is_multiple_of(*c)) {
            bail!(Corrupt, "shards of shape {shard:?} do not consist of whole chunks of shape {chunk:?}");
        }
        let counts: Vec<usize> = shard.iter().zip(&chunk).map(|(s, c)| s / c).collect();
        let codecs = said.configuration.get("index_codecs").cloned().unwrap_or(Value::Array(Vec::new()));
        let codecs: Vec<MetadataV3> = serde_json::from_value(codecs)
            .map_err(|e| error!(Corrupt, "the codecs of the index of shards are no valid ones").because(e))?;
        let index =
            CodecChain::from_metadata(&codecs).map_err(|e| unsupported("the codecs of the index of shards are not known here", e))?;
        let index_shape = counts.iter().chain(&[2]).filter_map(|n| NonZeroU64::new(*n as u64)).collect();
        let index_at_start = match said.configuration.get("index_location").and_then(Value::as_str) {
            None | Some("end") => false,
            Some("start") => true,
            Some(other) => bail!(Corrupt, "the index of shards cannot be at '{other}'"),
        };
        Ok(Self { inner: Box::new(inner), chunk, counts, index, index_shape, index_at_start, size, fill })
    }

    fn chunk_len(&self) -> usize {
        self.chunk.iter().product()
    }

    fn no_value() -> FillValue {
        FillValue::from(NOWHERE)
    }

    /// Calls `f(chunk, place in the chunk, place in the file, elements)` for each run of adjacent elements.
    fn for_each_run(&self, f: &mut dyn FnMut(usize, usize, usize, usize)) {
        let shard: Vec<usize> = self.chunk.iter().zip(&self.counts).map(|(c, n)| c * n).collect();
        let (of_shard, of_chunk, of_counts) = (strides(&shard), strides(&self.chunk), strides(&self.counts));
        let run = self.chunk.last().copied().unwrap_or(1);
        for number in 0..self.counts.iter().product() {
            let base: usize = (0..shard.len()).map(|k| number / of_counts[k] % self.counts[k] * self.chunk[k] * of_shard[k]).sum();
            for inner in (0..self.chunk_len()).step_by(run.max(1)) {
                let place: usize = (0..shard.len()).map(|k| inner / of_chunk[k] % self.chunk[k] * of_shard[k]).sum();
                f(number, inner, base + place, run);
            }
        }
    }

    /// The elements of a file.
    pub(super) fn decode<'a>(&self, file: &[u8]) -> Result<Encoded<'a>> {
        let chunks: usize = self.counts.iter().product();
        let places = self.read_index(file, chunks)?;
        let len = self.chunk_len();
        let mut parts: Vec<Option<Encoded<'_>>> = Vec::with_capacity(chunks);
        for pair in places.chunks_exact(2) {
            if pair == [NOWHERE, NOWHERE] {
                parts.push(None);
                continue;
            }
            let range = usize::try_from(pair[0]).ok().zip(pair[0].checked_add(pair[1]).and_then(|end| usize::try_from(end).ok()));
            let Some(bytes) = range.and_then(|(from, to)| file.get(from..to)) else {
                bail!(Corrupt, "its index leads beyond its end");
            };
            parts.push(Some(self.inner.decode(Cow::Borrowed(bytes), len)?));
        }
        let mut result = Ok(());
        if self.size > 0 {
            let mut out = vec![0; crate::array::byte_len(&[chunks, len], self.size)?];
            self.for_each_run(&mut |number, inner, outer, run| {
                let Some(to) = out.get_mut(outer * self.size..(outer + run) * self.size) else { return };
                match parts.get(number) {
                    Some(Some(Encoded::Fixed(bytes))) => match bytes.get(inner * self.size..(inner + run) * self.size) {
                        Some(from) => to.copy_from_slice(from),
                        None => result = Err(error!(Corrupt, "a chunk in it is too short")),
                    },
                    _ => to.chunks_exact_mut(self.size).for_each(|element| element.copy_from_slice(&self.fill)),
                }
            });
            return result.map(|()| Encoded::Fixed(Cow::Owned(out)));
        }
        let mut elements: Vec<&[u8]> = vec![&self.fill; chunks * len];
        self.for_each_run(&mut |number, inner, outer, run| {
            let Some(Some(Encoded::Variable(bytes, offsets))) = parts.get(number) else { return };
            for k in 0..run {
                let part = offsets.get(inner + k).zip(offsets.get(inner + k + 1)).and_then(|(a, b)| bytes.get(*a..*b));
                match (elements.get_mut(outer + k), part) {
                    (Some(to), Some(part)) => *to = part,
                    _ => result = Err(error!(Corrupt, "a chunk in it is too short")),
                }
            }
        });
        result?;
        Ok(joined(elements.into_iter()))
    }

    fn read_index(&self, file: &[u8], chunks: usize) -> Result<Vec<u64>> {
        let size = match self.index.encoded_representation(&self.index_shape, &data_type::uint64(), &Self::no_value()) {
            Ok(representation) => representation.size().and_then(|n| usize::try_from(n).ok()),
            Err(e) => return Err(unsupported("the codecs of the index of shards cannot be used", e)),
        };
        let Some(size) = size else { bail!(Unsupported, "an index of shards of no fixed size cannot be read here") };
        let part = if self.index_at_start { file.get(..size) } else { file.len().checked_sub(size).and_then(|at| file.get(at..)) };
        let Some(part) = part else { bail!(Corrupt, "it is too short for its index") };
        let decoded =
            guarded(|| self.index.decode(Cow::Borrowed(part), &self.index_shape, &data_type::uint64(), &Self::no_value(), &options()))?;
        let ArrayBytes::Fixed(bytes) = decoded else { bail!(Corrupt, "its index is none") };
        let (words, _) = bytes.as_chunks::<8>();
        if words.len() != 2 * chunks {
            bail!(Corrupt, "its index is of another length");
        }
        Ok(words.iter().map(|word| u64::from_ne_bytes(*word)).collect())
    }

    /// The file of elements.
    pub(super) fn encode(&self, elements: &Encoded<'_>) -> Result<Vec<u8>> {
        let (chunks, len) = (self.counts.iter().product::<usize>(), self.chunk_len());
        let mut bodies: Vec<Option<Vec<u8>>> = Vec::with_capacity(chunks);
        match elements {
            Encoded::Fixed(bytes) => {
                let mut parts = vec![vec![0; crate::array::byte_len(&[len], self.size)?]; chunks];
                self.for_each_run(&mut |number, inner, outer, run| {
                    let from = bytes.get(outer * self.size..(outer + run) * self.size);
                    let to = parts.get_mut(number).and_then(|part| part.get_mut(inner * self.size..(inner + run) * self.size));
                    if let (Some(from), Some(to)) = (from, to) {
                        to.copy_from_slice(from);
                    }
                });
                for part in parts {
                    let empty = part.chunks_exact(self.size.max(1)).all(|element| element == self.fill);
                    bodies.push(if empty { None } else { Some(self.inner.encode(Encoded::Fixed(Cow::Owned(part)))?.into_owned()) });
                }
            }
            Encoded::Variable(bytes, offsets) => {
                let mut parts: Vec<Vec<&[u8]>> = vec![vec![&[]; len]; chunks];
                self.for_each_run(&mut |number, inner, outer, run| {
                    for k in 0..run {
                        let element = offsets.get(outer + k).zip(offsets.get(outer + k + 1)).and_then(|(a, b)| bytes.get(*a..*b));
                        if let (Some(element), Some(to)) = (element, parts.get_mut(number).and_then(|part| part.get_mut(inner + k))) {
                            *to = element;
                        }
                    }
                });
                for part in parts {
                    let empty = part.iter().all(|element| *element == self.fill);
                    bodies.push(if empty { None } else { Some(self.inner.encode(joined(part.into_iter()))?.into_owned()) });
                }
            }
        }
        self.put_together(&bodies)
    }

    fn put_together(&self, bodies: &[Option<Vec<u8>>]) -> Result<Vec<u8>> {
        let encoded = |places: &[u64]| -> Result<Vec<u8>> {
            let bytes: Vec<u8> = places.iter().flat_map(|n| n.to_ne_bytes()).collect();
            let encoded =
                self.index.encode(ArrayBytes::new_flen(bytes), &self.index_shape, &data_type::uint64(), &Self::no_value(), &options());
            encoded.map(Cow::into_owned).map_err(|e| error!(Unsupported, "the index of shards cannot be written").because(e))
        };
        let before = if self.index_at_start { encoded(&vec![NOWHERE; 2 * bodies.len()])?.len() } else { 0 };
        let (mut out, mut places) = (vec![0; before], Vec::with_capacity(2 * bodies.len()));
        for body in bodies {
            match body {
                Some(body) => {
                    places.extend([out.len() as u64, body.len() as u64]);
                    out.extend_from_slice(body);
                }
                None => places.extend([NOWHERE; 2]),
            }
        }
        let index = encoded(&places)?;
        match out.get_mut(..before).filter(|_| self.index_at_start) {
            Some(head) if head.len() == index.len() => head.copy_from_slice(&index),
            Some(_) => bail!(Unsupported, "an index of shards of no fixed size cannot be written"),
            None => out.extend_from_slice(&index),
        }
        Ok(out)
    }
}

/// Elements of any size, one behind the other.
fn joined<'e, 'a>(elements: impl Iterator<Item = &'e [u8]>) -> Encoded<'a> {
    let (mut bytes, mut offsets) = (Vec::new(), vec![0]);
    for element in elements {
        bytes.extend_from_slice(element);
        offsets.push(bytes.len());
    }
    Encoded::Variable(bytes, offsets)
}
