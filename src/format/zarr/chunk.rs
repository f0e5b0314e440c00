//! One chunk: from its file to elements in memory, and back.

use super::carrier::Carrier;
use super::pack;
use super::pipeline::Encoded;
use super::plan::Plan;
use super::scratch;
use super::store::Store;
use crate::array::Arena;
use crate::error::{Error, ErrorKind, Result, bail, error};
use std::borrow::Cow;

/// The elements of a chunk.
#[derive(Debug)]
pub(super) enum Elements {
    /// As they are in memory.
    Fixed(Vec<u8>),
    /// As they are in the chunk: bytes, and where each begins, and the end.
    Variable(Vec<u8>, Vec<usize>),
}

/// Reads a chunk; `None` if there is none, and its elements have the fill value.
pub(super) fn read(plan: &Plan, store: &Store, key: &str) -> Result<Option<Elements>> {
    let Some(bytes) = store.get(key)? else { return Ok(None) };
    decode(plan, key, bytes).map(Some)
}

/// Reads the elements of a whole chunk to where they belong, if the [plan](Plan::straight) allows that. False if there is none.
pub(super) fn read_into(plan: &Plan, store: &Store, key: &str, out: &mut [u8]) -> Result<bool> {
    let mut buffer = scratch::take();
    let there = store.get_reusing(key, &mut buffer)?;
    if let Some(file) = there.and_then(|len| buffer.get(..len)) {
        plan.pipeline.decode_into(file, out).map_err(|e| damaged(key, e))?;
    }
    scratch::give(Cow::Owned(buffer));
    Ok(there.is_some())
}

fn damaged(key: &str, e: Error) -> Error {
    let kind = if e.kind() == ErrorKind::Unsupported { ErrorKind::Unsupported } else { ErrorKind::Corrupt };
    Error::new(kind, format!("the chunk '{key}' is damaged")).because(e)
}

fn decode(plan: &Plan, key: &str, bytes: Vec<u8>) -> Result<Elements> {
    let count = plan.chunk_len()?;
    if plan.raw {
        let wanted = crate::array::byte_len(&plan.chunks, plan.held.pack.packed)?;
        if bytes.len() != wanted {
            bail!(Corrupt, "the chunk '{key}' has {} bytes in place of {wanted}", bytes.len());
        }
        return Ok(Elements::Fixed(bytes));
    }
    let damaged = |e: Error| damaged(key, e);
    match plan.pipeline.decode(Cow::Owned(bytes), count).map_err(damaged)? {
        Encoded::Fixed(bytes) => {
            if bytes.len() != count.saturating_mul(plan.held.pack.packed) {
                bail!(Corrupt, "the chunk '{key}' has {} bytes for {count} elements", bytes.len());
            }
            if plan.held.pack.is_same() {
                return Ok(Elements::Fixed(bytes.into_owned()));
            }
            let mut out = vec![0; crate::array::byte_len(&plan.chunks, plan.held.pack.memory)?];
            plan.held.pack.unpack(&bytes, &mut out).map_err(damaged)?;
            Ok(Elements::Fixed(out))
        }
        Encoded::Variable(bytes, offsets) => {
            let valid = offsets.windows(2).all(|w| w[0] <= w[1]) && offsets.last().is_some_and(|end| *end <= bytes.len());
            if !valid || offsets.len() != count + 1 {
                bail!(Corrupt, "the chunk '{key}' has no valid places of its elements");
            }
            Ok(Elements::Variable(bytes, offsets))
        }
    }
}

/// The file of a chunk whose elements have a fixed size.
pub(super) fn encode_fixed<'a>(plan: &Plan, elements: &'a [u8]) -> Result<Cow<'a, [u8]>> {
    if plan.raw {
        return Ok(Cow::Borrowed(elements));
    }
    let packed = if plan.held.pack.is_same() { Cow::Borrowed(elements) } else { Cow::Owned(plan.held.pack.pack(elements)?) };
    plan.pipeline.encode(Encoded::Fixed(packed))
}

/// The file of a chunk whose elements have any size.
pub(super) fn encode_variable(plan: &Plan, elements: &[Cow<'_, [u8]>]) -> Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(elements.iter().map(|e| e.len()).sum());
    let mut offsets = Vec::with_capacity(elements.len() + 1);
    offsets.push(0);
    for (at, element) in elements.iter().enumerate() {
        if plan.held.carrier == Carrier::Text && std::str::from_utf8(element).is_err() {
            return Err(error!(Unsupported, "element {at} of the chunk is a text that is not UTF-8, which Zarr cannot hold")
                .remedy("store it as a fixed-length string or as bytes"));
        }
        if u32::try_from(element.len()).is_err() {
            bail!(Unsupported, "an element of {} bytes is too large: Zarr holds at most 4 GiB", element.len());
        }
        bytes.extend_from_slice(element);
        offsets.push(bytes.len());
    }
    plan.pipeline.encode(Encoded::Variable(bytes, offsets)).map(Cow::into_owned)
}

/// Puts elements of a chunk into a result; slots get numbers of the heap.
pub(super) fn place(plan: &Plan, elements: &Elements, inner: usize, out: &mut [u8], heap: Option<&Arena>) -> Result<()> {
    let size = plan.dtype.itemsize();
    match elements {
        Elements::Fixed(bytes) => {
            let Some(part) = bytes.get(inner * size..inner * size + out.len()) else { bail!(Corrupt, "a chunk is too short") };
            out.copy_from_slice(part);
            Ok(())
        }
        Elements::Variable(bytes, offsets) => {
            for (k, element) in out.chunks_exact_mut(size.max(1)).enumerate() {
                let part = offsets.get(inner + k).zip(offsets.get(inner + k + 1)).and_then(|(from, to)| bytes.get(*from..*to));
                pack::take_element(&plan.dtype, part.unwrap_or_default(), element, heap)?;
            }
            Ok(())
        }
    }
}
