//! Elements in memory and in chunks: fields without padding, in the stored byte order.

use crate::array::{AnyArray, Arena, Item, select};
use crate::dtype::{DType, Order};
use crate::error::{Result, bail, error};

/// How an element of fixed size is put together for a chunk.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Pack {
    steps: Vec<Step>,
    /// Bytes in memory.
    pub(super) memory: usize,
    /// Bytes in a chunk.
    pub(super) packed: usize,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Step {
    Copy {
        memory: usize,
        packed: usize,
        len: usize,
    },
    Swap {
        memory: usize,
        packed: usize,
        len: usize,
    },
    /// UTF-8 in memory, UTF-32 in the chunk; both have 4 bytes for each character.
    Wide {
        memory: usize,
        packed: usize,
        len: usize,
        order: Order,
    },
}

/// Which byte order numbers have in a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Orders {
    /// This one, whatever the type says.
    All(Order),
    /// Those that the type says (for the fields of Zarr v2).
    Stored,
}

impl Pack {
    /// The layout of a plain type.
    pub(super) fn new(dtype: &DType, orders: Orders) -> Self {
        let mut pack = Self { memory: dtype.itemsize(), ..Self::default() };
        pack.packed = pack.add(dtype, 0, 0, orders);
        pack
    }

    /// The layout of numbers that the codecs bring into their order.
    pub(super) fn same(size: usize) -> Self {
        Self { steps: vec![Step::Copy { memory: 0, packed: 0, len: size }], memory: size, packed: size }
    }

    /// The layout of numpy's fixed-length Unicode.
    pub(super) fn wide(size: usize, order: Order) -> Self {
        Self { steps: vec![Step::Wide { memory: 0, packed: 0, len: size, order }], memory: size, packed: size }
    }

    /// True if elements have the same bytes in memory and in a chunk.
    pub(super) fn is_same(&self) -> bool {
        self.memory == self.packed && self.steps == [Step::Copy { memory: 0, packed: 0, len: self.memory }]
    }

    /// Adds a type; returns where the next one begins in the chunk.
    fn add(&mut self, dtype: &DType, memory: usize, packed: usize, orders: Orders) -> usize {
        let stored = |own: Order| match orders {
            Orders::All(one) => one,
            Orders::Stored => own,
        };
        let size = dtype.itemsize();
        match dtype {
            DType::Int(t) | DType::BitField(t) => self.number(memory, packed, size, stored(t.order)),
            DType::Enum(e) => self.number(memory, packed, size, stored(e.base.order)),
            DType::Float(t) => self.number(memory, packed, size, stored(t.order)),
            DType::Complex(t) => {
                let half = size / 2;
                self.number(memory, packed, half, stored(t.order));
                self.number(memory + half, packed + half, half, stored(t.order));
            }
            DType::Array { base, shape } => {
                // What is no number by itself in Zarr is little-endian there.
                let count: usize = shape.iter().product();
                let mut at = packed;
                for i in 0..count {
                    at = self.add(base, memory + i * base.itemsize(), at, Orders::All(Order::Little));
                }
                return at;
            }
            DType::Compound(c) => return c.fields().iter().fold(packed, |at, f| self.add(&f.dtype, memory + f.offset, at, orders)),
            _ => self.copy(memory, packed, size),
        }
        packed + size
    }

    fn number(&mut self, memory: usize, packed: usize, len: usize, order: Order) {
        if len == 1 || order == Order::NATIVE {
            self.copy(memory, packed, len);
        } else {
            self.steps.push(Step::Swap { memory, packed, len });
        }
    }

    fn copy(&mut self, memory: usize, packed: usize, len: usize) {
        if let Some(Step::Copy { memory: m, packed: p, len: n }) = self.steps.last_mut()
            && *m + *n == memory
            && *p + *n == packed
        {
            *n += len;
            return;
        }
        self.steps.push(Step::Copy { memory, packed, len });
    }

    /// Elements for a chunk.
    pub(super) fn pack(&self, from: &[u8]) -> Result<Vec<u8>> {
        let mut out = vec![0; from.len() / self.memory.max(1) * self.packed];
        for (from, to) in from.chunks_exact(self.memory.max(1)).zip(out.chunks_exact_mut(self.packed.max(1))) {
            for step in &self.steps {
                match *step {
                    Step::Copy { memory, packed, len } => to[packed..packed + len].copy_from_slice(&from[memory..memory + len]),
                    Step::Swap { memory, packed, len } => {
                        to[packed..packed + len].copy_from_slice(&from[memory..memory + len]);
                        to[packed..packed + len].reverse();
                    }
                    Step::Wide { memory, packed, len, order } => widen(&from[memory..memory + len], &mut to[packed..packed + len], order)?,
                }
            }
        }
        Ok(out)
    }

    /// Elements of a chunk into memory; padding is left as it is.
    pub(super) fn unpack(&self, from: &[u8], to: &mut [u8]) -> Result<()> {
        for (from, to) in from.chunks_exact(self.packed.max(1)).zip(to.chunks_exact_mut(self.memory.max(1))) {
            for step in &self.steps {
                match *step {
                    Step::Copy { memory, packed, len } => to[memory..memory + len].copy_from_slice(&from[packed..packed + len]),
                    Step::Swap { memory, packed, len } => {
                        to[memory..memory + len].copy_from_slice(&from[packed..packed + len]);
                        to[memory..memory + len].reverse();
                    }
                    Step::Wide { memory, packed, len, order } => narrow(&from[packed..packed + len], &mut to[memory..memory + len], order)?,
                }
            }
        }
        Ok(())
    }
}

fn widen(from: &[u8], to: &mut [u8], order: Order) -> Result<()> {
    let end = from.iter().rposition(|b| *b != 0).map_or(0, |i| i + 1);
    let text =
        std::str::from_utf8(&from[..end]).map_err(|e| error!(Dtype, "a text is not UTF-8, and cannot be stored as Unicode").because(e))?;
    to.fill(0);
    for (c, to) in text.chars().zip(to.chunks_exact_mut(4)) {
        let code = u32::from(c);
        to.copy_from_slice(&if order == Order::Little { code.to_le_bytes() } else { code.to_be_bytes() });
    }
    Ok(())
}

fn narrow(from: &[u8], to: &mut [u8], order: Order) -> Result<()> {
    let mut text = String::with_capacity(to.len());
    for code in from.chunks_exact(4) {
        let mut raw = [0; 4];
        raw.copy_from_slice(code);
        let code = if order == Order::Little { u32::from_le_bytes(raw) } else { u32::from_be_bytes(raw) };
        text.push(char::from_u32(code).ok_or_else(|| error!(Corrupt, "{code:#x} is no Unicode character"))?);
    }
    let text = text.trim_end_matches('\0');
    to.fill(0);
    to[..text.len()].copy_from_slice(text.as_bytes());
    Ok(())
}

/// Writes an element of any type, strings and sequences in it with their lengths before them.
///
/// A string or sequence that *is* the element has no length before it: the element ends with it.
pub(super) fn put_element(dtype: &DType, element: &[u8], heap: Option<&Arena>, out: &mut Vec<u8>) -> Result<()> {
    match dtype {
        DType::VarString { .. } => out.extend_from_slice(string(element, heap)),
        DType::VarSeq(base) => {
            if let Some(items) = sequence(element, heap) {
                put_items(base, items, out)?;
            }
        }
        _ => put(dtype, element, heap, out)?,
    }
    Ok(())
}

/// Reads an element that [`put_element`] has written; its slots hold numbers of the heap.
pub(super) fn take_element(dtype: &DType, bytes: &[u8], element: &mut [u8], heap: Option<&Arena>) -> Result<()> {
    let mut rest = bytes;
    match dtype {
        DType::VarString { .. } => set_string(bytes, element, heap)?,
        DType::VarSeq(base) => {
            let mut items = Vec::new();
            let own = Arena::default();
            while !rest.is_empty() {
                let at = items.len();
                items.resize(at + base.itemsize(), 0);
                let before = rest.len();
                take(base, &mut rest, items.get_mut(at..).unwrap_or_default(), Some(&own))?;
                if rest.len() == before {
                    bail!(Corrupt, "a sequence has items of no bytes");
                }
            }
            set_sequence(base, items, own, element, heap)?;
        }
        _ => {
            take(dtype, &mut rest, element, heap)?;
            if !rest.is_empty() {
                bail!(Corrupt, "an element of type {dtype} has {} bytes too many", rest.len());
            }
        }
    }
    Ok(())
}

fn string<'a>(element: &[u8], heap: Option<&'a Arena>) -> &'a [u8] {
    match heap.and_then(|h| h.get(select::slot_number(element, 0))) {
        Some(Item::Str(s)) => s,
        _ => &[],
    }
}

fn sequence<'a>(element: &[u8], heap: Option<&'a Arena>) -> Option<&'a AnyArray> {
    match heap.and_then(|h| h.get(select::slot_number(element, 0))) {
        Some(Item::Seq(items)) => Some(items),
        _ => None,
    }
}

fn set_string(text: &[u8], element: &mut [u8], heap: Option<&Arena>) -> Result<()> {
    if text.contains(&0) {
        bail!(Corrupt, "a text holds a NUL, which no string can");
    }
    element.fill(0);
    if let (Some(heap), false) = (heap, text.is_empty()) {
        select::set_slot(element, 0, heap.push(Item::Str(text.into())));
    }
    Ok(())
}

fn set_sequence(base: &DType, items: Vec<u8>, own: Arena, element: &mut [u8], heap: Option<&Arena>) -> Result<()> {
    element.fill(0);
    let count = items.len() / base.itemsize().max(1);
    if let (Some(heap), true) = (heap, count > 0) {
        let array = if base.is_plain() {
            AnyArray::from_bytes(base.clone(), [count], &items)?
        } else {
            AnyArray::with_slots(base.clone(), own, items)
        };
        select::set_slot(element, 0, heap.push(Item::Seq(Box::new(array))));
    }
    Ok(())
}

fn put_items(base: &DType, items: &AnyArray, out: &mut Vec<u8>) -> Result<()> {
    let (bytes, heap) = items.raw();
    if base.is_plain() {
        out.extend_from_slice(&Pack::new(base, Orders::All(Order::Little)).pack(bytes)?);
        return Ok(());
    }
    bytes.chunks_exact(base.itemsize().max(1)).try_for_each(|item| put(base, item, heap.map(|h| &**h), out))
}

fn put_len(len: usize, out: &mut Vec<u8>) -> Result<()> {
    let len = u32::try_from(len).map_err(|_| error!(Unsupported, "a text or sequence within an element is longer than 4 GiB"))?;
    out.extend_from_slice(&len.to_le_bytes());
    Ok(())
}

fn put(dtype: &DType, element: &[u8], heap: Option<&Arena>, out: &mut Vec<u8>) -> Result<()> {
    match dtype {
        _ if dtype.is_plain() => out.extend_from_slice(&Pack::new(dtype, Orders::All(Order::Little)).pack(element)?),
        DType::VarString { .. } => {
            let text = string(element, heap);
            put_len(text.len(), out)?;
            out.extend_from_slice(text);
        }
        DType::VarSeq(base) => match sequence(element, heap) {
            Some(items) => {
                put_len(items.len(), out)?;
                put_items(base, items, out)?;
            }
            None => put_len(0, out)?,
        },
        DType::Compound(c) => {
            for f in c.fields() {
                put(&f.dtype, &element[f.offset..f.offset + f.dtype.itemsize()], heap, out)?;
            }
        }
        DType::Array { base, .. } => element.chunks_exact(base.itemsize().max(1)).try_for_each(|item| put(base, item, heap, out))?,
        other => bail!(Unsupported, "Zarr cannot hold elements of type {other}"),
    }
    Ok(())
}

fn take(dtype: &DType, rest: &mut &[u8], element: &mut [u8], heap: Option<&Arena>) -> Result<()> {
    let mut next = |n: usize| -> Result<&[u8]> {
        let Some((head, tail)) = rest.split_at_checked(n) else { bail!(Corrupt, "an element of type {dtype} is cut short") };
        *rest = tail;
        Ok(head)
    };
    let len = |raw: &[u8]| raw.try_into().map_or(0, u32::from_le_bytes) as usize;
    match dtype {
        _ if dtype.is_plain() => {
            let pack = Pack::new(dtype, Orders::All(Order::Little));
            pack.unpack(next(pack.packed)?, element)
        }
        DType::VarString { .. } => {
            let n = len(next(4)?);
            set_string(next(n)?, element, heap)
        }
        DType::VarSeq(base) => {
            let n = len(next(4)?);
            if n > rest.len() {
                bail!(Corrupt, "a sequence of {n} items is cut short");
            }
            let own = Arena::default();
            let mut items = vec![0; n.saturating_mul(base.itemsize())];
            for item in items.chunks_exact_mut(base.itemsize().max(1)) {
                take(base, rest, item, Some(&own))?;
            }
            set_sequence(base, items, own, element, heap)
        }
        DType::Compound(c) => {
            c.fields().iter().try_for_each(|f| take(&f.dtype, rest, &mut element[f.offset..f.offset + f.dtype.itemsize()], heap))
        }
        DType::Array { base, .. } => element.chunks_exact_mut(base.itemsize().max(1)).try_for_each(|item| take(base, rest, item, heap)),
        other => bail!(Unsupported, "Zarr cannot hold elements of type {other}"),
    }
}
