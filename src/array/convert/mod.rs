//! Conversion between element types: explicit, checked, never silent.

pub(crate) mod longdouble;
pub(crate) mod number;
mod plan;
pub(crate) mod string;

use super::{AnyArray, Arena, ElementRef, Item, select};
use crate::dtype::{Cast, DType, FloatType, FloatWidth, Order};
use crate::error::{Error, Result, error};
use number::Kernel;
use plan::Plan;
use std::sync::Arc;

impl AnyArray {
    /// The elements converted to another type. The result is a relabelled clone, without a copy, if the values are the same.
    ///
    /// Numbers become numbers, strings become strings, enumerations become integers or the names of their members and back, compounds go
    /// field by field by name, sub-arrays and sequences item by item. No number is ever read from a string. A complex number becomes
    /// real only if its imaginary part is 0. What may happen to values that do not fit is said by [`Cast`].
    ///
    /// ```
    /// use memh5::{AnyArray, Cast, DType};
    /// let a = AnyArray::from(vec![1.0, 2.0, 300.0]);
    /// assert_eq!(a.astype(&DType::I16, Cast::Exact)?, AnyArray::from(vec![1i16, 2, 300]));
    /// assert_eq!(a.astype(&DType::U8, Cast::Saturate)?, AnyArray::from(vec![1u8, 2, 255]));
    /// let error = a.astype(&DType::U8, Cast::Exact).unwrap_err();
    /// assert_eq!(error.message(), "the element [2] is 300.0, which |u1 cannot hold exactly");
    /// # Ok::<(), memh5::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Dtype` if there is no conversion, or a value cannot be converted under the policy; names the first one. `Shape` or `Io` if the result
    /// does not fit the memory.
    pub fn astype(&self, dtype: &DType, cast: Cast) -> Result<AnyArray> {
        if plan::is_relabelling(&self.dtype, dtype) {
            return self.relabelled(dtype);
        }
        dtype.validate()?;
        let plan = Plan::new(&self.dtype, dtype, cast)?;
        if self.is_null() {
            return Ok(AnyArray::null(dtype.clone()));
        }
        let mut out = AnyArray::zeros(dtype.clone(), self.shape())?;
        if self.is_empty() {
            return Ok(out);
        }
        // Slots that keep their items share the heap of the source; new items go to a new one.
        let adopt = plan.makes_items();
        if !adopt && out.heap.is_some() {
            out.heap.clone_from(&self.heap);
        }
        let heap = out.heap.clone();
        let span = Span { from: 0, from_step: self.dtype.itemsize(), to: 0, to_step: dtype.itemsize(), count: self.len() };
        let bytes = out.buffer.make_mut()?;
        let mut work = Work { source: self, heap: heap.as_ref(), adopt, cast, field: Vec::new() };
        work.run(&plan, &self.dtype, dtype, span, bytes)?;
        Ok(out)
    }
}

/// Which parts of the elements: where the first begins, and how far the next is.
#[derive(Clone, Copy)]
struct Span {
    from: usize,
    from_step: usize,
    to: usize,
    to_step: usize,
    count: usize,
}

/// Elements of a block that is gathered, converted and scattered.
const BLOCK: usize = 512;

struct Work<'a> {
    source: &'a AnyArray,
    heap: Option<&'a Arc<Arena>>,
    /// True if kept items are copied to a new heap.
    adopt: bool,
    cast: Cast,
    /// The names of the fields on the way to the part at hand.
    field: Vec<&'a str>,
}

impl<'a> Work<'a> {
    fn run(&mut self, plan: &'a Plan, from: &'a DType, to: &'a DType, span: Span, out: &mut [u8]) -> Result<()> {
        let bytes = self.source.buffer.as_slice();
        match plan {
            Plan::Copy(layout) => {
                for i in 0..span.count {
                    let source = &bytes[span.from + i * span.from_step..][..layout.itemsize];
                    let target = &mut out[span.to + i * span.to_step..][..layout.itemsize];
                    for run in &layout.runs {
                        target[run.offset..run.offset + run.len].copy_from_slice(&source[run.offset..run.offset + run.len]);
                    }
                    for slot in &layout.slots {
                        let number = select::slot_number(source, slot.offset);
                        let number = match (self.adopt, self.heap, self.item(number)) {
                            (true, Some(heap), Some(item)) => heap.push(item.clone()),
                            (true, ..) => 0,
                            (false, ..) => number,
                        };
                        select::set_slot(target, slot.offset, number);
                    }
                }
                Ok(())
            }
            Plan::Number { kernel, from: a, to: b } => {
                let at = numbers(*kernel, (bytes, *a), (out, *b), span);
                at.map_or(Ok(()), |i| Err(self.unfit(from, to, span, i, &cannot_hold(to))))
            }
            Plan::RealPart { kernel, part, to: b } => {
                for i in 0..span.count {
                    let imaginary = &bytes[span.from + i * span.from_step + part..][..*part];
                    if let DType::Complex(t) = from
                        && number::read_float(t.width, imaginary).0 != 0.0
                    {
                        return Err(self.unfit(from, to, span, i, "which is not real"));
                    }
                }
                let at = numbers(*kernel, (bytes, *part), (out, *b), span);
                at.map_or(Ok(()), |i| Err(self.unfit(from, to, span, i, &cannot_hold(to))))
            }
            Plan::Lookup { from: a, to: b, table } => {
                self.each(from, to, span, out, |source, target, _| match table.get(&number::read_int(*a, source)) {
                    Some(value) if number::write_int(*b, *value, target) => Ok(()),
                    _ => Err(format!("which is no member of {to}")),
                })
            }
            Plan::Text(a, b) => {
                let (array, cast) = (self.source, self.cast);
                self.each(from, to, span, out, |source, target, heap| {
                    let text = array.string_bytes(a, source).unwrap_or(&[]);
                    string::encode(text, b, target, heap, cast).map_err(|e| format!("which {e} in {b}"))
                })
            }
            Plan::MemberName(base, names, b) => {
                let cast = self.cast;
                self.each(from, to, span, out, |source, target, heap| match names.get(&number::read_int(*base, source)) {
                    Some(name) => string::encode(name.as_bytes(), b, target, heap, cast).map_err(|e| format!("which {e} in {b}")),
                    None => Err("which is no member of its enumeration and so has no name".into()),
                })
            }
            Plan::MemberOf(a, members, base) => {
                let array = self.source;
                self.each(from, to, span, out, |source, target, _| match members.get(array.string_bytes(a, source).unwrap_or(&[])) {
                    Some(value) if number::write_int(*base, *value, target) => Ok(()),
                    _ => Err(format!("which is no member of {to}")),
                })
            }
            Plan::Fields(fields) => {
                for ((name, a, b, plan), target) in fields.iter().zip(to.fields()) {
                    let Some(source) = from.fields().iter().find(|f| f.name == *name) else { continue };
                    self.field.push(name);
                    self.run(plan, &source.dtype, &target.dtype, Span { from: span.from + a, to: span.to + b, ..span }, out)?;
                    self.field.pop();
                }
                Ok(())
            }
            Plan::Items { count, from: a, to: b, plan } => {
                let part = |t: &'a DType| match t {
                    DType::Array { base, .. } => &**base,
                    DType::Complex(t) => part_of_complex(t.width),
                    other => other,
                };
                let (from, to) = (part(from), part(to));
                // The longer of the two loops is the inner one; both are one where the elements touch.
                if span.from_step == count * a && span.to_step == count * b {
                    return self.run(plan, from, to, Span { from_step: *a, to_step: *b, count: span.count * count, ..span }, out);
                }
                if *count > span.count {
                    for i in 0..span.count {
                        let (at, into) = (span.from + i * span.from_step, span.to + i * span.to_step);
                        self.run(plan, from, to, Span { from: at, from_step: *a, to: into, to_step: *b, count: *count }, out)?;
                    }
                } else {
                    for k in 0..*count {
                        self.run(plan, from, to, Span { from: span.from + k * a, to: span.to + k * b, ..span }, out)?;
                    }
                }
                Ok(())
            }
            Plan::Sequence(b) => {
                for i in 0..span.count {
                    let slot = select::slot_number(bytes, span.from + i * span.from_step);
                    if let (Some(Item::Seq(items)), Some(heap)) = (self.item(slot), self.heap) {
                        let items = items.astype(b, self.cast).map_err(|e| {
                            let place = self.place(span, i);
                            Error::new(e.kind(), format!("in the sequence of {place}: {}", e.message()))
                        })?;
                        select::set_slot(out, span.to + i * span.to_step, heap.push(Item::Seq(Box::new(items))));
                    }
                }
                Ok(())
            }
        }
    }

    /// Converts element by element.
    fn each(
        &self,
        from: &DType,
        to: &DType,
        span: Span,
        out: &mut [u8],
        convert: impl Fn(&'a [u8], &mut [u8], Option<&Arena>) -> Result<(), String>,
    ) -> Result<()> {
        let bytes = self.source.buffer.as_slice();
        let heap = self.heap.map(|h| &**h);
        for i in 0..span.count {
            let source = &bytes[span.from + i * span.from_step..][..from.itemsize()];
            let target = &mut out[span.to + i * span.to_step..][..to.itemsize()];
            convert(source, target, heap).map_err(|why| self.unfit(from, to, span, i, &why))?;
        }
        Ok(())
    }

    fn item(&self, number: u64) -> Option<&'a Item> {
        self.source.heap.as_ref()?.get(number)
    }

    /// Which element, by its indices, and which field of it.
    fn place(&self, span: Span, i: usize) -> String {
        let mut at = (span.from + i * span.from_step) / self.source.dtype.itemsize().max(1);
        let mut indices: Vec<usize> = Vec::new();
        for n in self.source.shape().iter().rev() {
            indices.push(at % n);
            at /= n;
        }
        indices.reverse();
        let mut place = if indices.is_empty() { "the element".to_owned() } else { format!("the element {indices:?}") };
        if !self.field.is_empty() {
            place = format!("the field '{}' of {place}", self.field.join("."));
        }
        place
    }

    fn unfit(&self, from: &DType, to: &DType, span: Span, i: usize, why: &str) -> Error {
        let at = span.from + i * span.from_step;
        let bytes = &self.source.buffer.as_slice()[at..at + from.itemsize()];
        let value = ElementRef { array: self.source, dtype: from, bytes };
        let error = error!(Dtype, "{} is {value}, {why}", self.place(span, i));
        match (from, to) {
            (DType::Complex(_), DType::Float(_) | DType::Int(_)) => error,
            _ if self.cast == Cast::Exact && from.is_numeric() && to.is_numeric() => {
                error.remedy("convert with Cast::Saturate if the nearest value will do")
            }
            _ => error,
        }
    }
}

/// The type of the two numbers of a complex one.
pub(crate) fn part_of_complex(width: FloatWidth) -> &'static DType {
    static PARTS: [DType; 4] =
        [DType::F16, DType::F32, DType::F64, DType::Float(FloatType { width: FloatWidth::LongDouble, order: Order::NATIVE })];
    let at = match width {
        FloatWidth::F16 => 0,
        FloatWidth::F32 => 1,
        FloatWidth::F64 => 2,
        FloatWidth::LongDouble => 3,
    };
    &PARTS[at]
}

fn cannot_hold(to: &DType) -> String {
    format!("which {to} cannot hold exactly")
}

/// Runs a loop over the span; the index of the first number that does not fit.
fn numbers(kernel: Kernel, from: (&[u8], usize), to: (&mut [u8], usize), span: Span) -> Option<usize> {
    let ((source, a), (target, b)) = (from, to);
    let (mut gathered, mut converted) = (Vec::new(), Vec::new());
    let (touching_from, touching_to) = (span.from_step == a, span.to_step == b);
    let mut done = 0;
    while done < span.count {
        let n = BLOCK.min(span.count - done);
        let start = span.from + done * span.from_step;
        let block = if touching_from {
            &source[start..start + n * a]
        } else {
            gathered.clear();
            for i in 0..n {
                let at = start + i * span.from_step;
                gathered.extend_from_slice(&source[at..at + a]);
            }
            &gathered[..]
        };
        let into = span.to + done * span.to_step;
        let fits = if touching_to {
            kernel(block, &mut target[into..into + n * b])
        } else {
            converted.resize(n * b, 0);
            let fits = kernel(block, &mut converted);
            for (i, value) in converted.chunks_exact(b).enumerate() {
                let at = into + i * span.to_step;
                target[at..at + b].copy_from_slice(value);
            }
            fits
        };
        if !fits {
            let mut one = vec![0; b];
            return block.chunks_exact(a).position(|value| !kernel(value, &mut one)).map(|i| done + i);
        }
        done += n;
    }
    None
}
