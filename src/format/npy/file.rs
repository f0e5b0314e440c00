//! A `.npy` file: read, grown and changed in place.

use super::Recovered;
use super::codec::Codec;
use super::header::NpyHeader;
use crate::array::AnyArray;
use crate::dtype::{DType, Order};
use crate::error::{Error, Result, bail, error};
use crate::publish::journal::{self, Change};
use crate::publish::{Durability, File, FileKind, FileSystem, OpenMode, retry};
use crate::selection::Selection;
use std::borrow::Cow;
use std::path::{Path, PathBuf};

/// How much is read at once while elements are converted.
const BLOCK: usize = 8 << 20;

/// An array as it will stand in a file; everything that can be wrong with it is found when it is made.
pub(crate) struct Content<'a> {
    header: Vec<u8>,
    elements: Cow<'a, [u8]>,
}

impl<'a> Content<'a> {
    /// The type is one that [`suited`](super::suited) has given.
    pub(crate) fn new(data: &'a AnyArray, dtype: DType) -> Result<Content<'a>> {
        if data.is_null() {
            bail!(Shape, "a null array cannot be in a .npy file");
        }
        let header = NpyHeader::new(dtype.clone(), data.shape())?;
        let bytes = header.to_bytes().ok_or_else(|| error!(Shape, "the shape has no room in the header"))?;
        let elements = if data.dtype().same_values(&dtype) {
            encode(data, &dtype, Order::NATIVE)?
        } else {
            let same = data.astype(&dtype, crate::Cast::Exact)?;
            Cow::Owned(encode(&same, &dtype, Order::NATIVE)?.into_owned())
        };
        Ok(Self { header: bytes, elements })
    }

    /// Writes a new file.
    pub(crate) fn write_to(&self, fs: &dyn FileSystem, path: &Path) -> Result<()> {
        let write = || {
            let file = retry(|| fs.open(path, OpenMode::Create))?;
            file.write_all_at(&self.header, 0)?;
            file.write_all_at(&self.elements, self.header.len() as u64)
        };
        write().map_err(|e| Error::io(e, path))
    }
}

/// The bytes of elements for a file of that type.
fn encode<'a>(data: &'a AnyArray, dtype: &DType, text: Order) -> Result<Cow<'a, [u8]>> {
    let Some(bytes) = data.as_bytes() else { bail!(Dtype, "elements of type {} are not plain bytes", data.dtype()) };
    Codec::new(dtype, text).encode(bytes)
}

/// An open file, and what its header says.
#[derive(Debug)]
pub(crate) struct NpyFile {
    file: Box<dyn File>,
    path: PathBuf,
    header: NpyHeader,
    codec: Codec,
}

impl NpyFile {
    /// Opens a file and reads its header.
    pub(crate) fn open(fs: &dyn FileSystem, path: &Path, mode: OpenMode) -> Result<Self> {
        let file = retry(|| fs.open(path, mode)).map_err(|e| match e.kind() {
            std::io::ErrorKind::IsADirectory => directory(path),
            _ => Error::io(e, path),
        })?;
        let io = |e| Error::io(e, path);
        if retry(|| file.info()).map_err(io)?.kind == FileKind::Directory {
            return Err(directory(path));
        }
        let header = NpyHeader::read(&mut |at, len| read_at(&*file, at as u64, len).map_err(io))?;
        let codec = Codec::new(&header.dtype, header.text_order);
        Ok(Self { file, path: path.to_owned(), header, codec })
    }

    pub(crate) fn header(&self) -> &NpyHeader {
        &self.header
    }

    fn io(&self) -> impl Fn(std::io::Error) -> Error + '_ {
        |e| Error::io(e, &self.path)
    }

    fn len(&self) -> Result<u64> {
        Ok(retry(|| self.file.info()).map_err(self.io())?.len)
    }

    /// Where the elements end by the header.
    fn end(&self) -> Result<u64> {
        Ok(self.header.data_offset as u64 + self.header.data_len()? as u64)
    }

    /// Refuses a file that ends before its elements do.
    pub(crate) fn check_complete(&self) -> Result<()> {
        let (len, end) = (self.len()?, self.end()?);
        if len < end {
            return Err(error!(Corrupt, "the file is cut: its elements end at byte {end}, and it has {len}")
                .in_file(&self.path)
                .remedy("npy::recover keeps the whole rows that are there"));
        }
        Ok(())
    }

    /// The elements, in C order.
    pub(crate) fn read(&self) -> Result<AnyArray> {
        self.check_complete()?;
        let mut array = AnyArray::zeros(self.header.dtype.clone(), self.header.shape.clone())?;
        let item = self.header.dtype.itemsize();
        let (out, _) = array.raw_mut()?;
        let block = (BLOCK / item.max(1)).max(1) * item.max(1);
        let mut at = self.header.data_offset as u64;
        for part in out.chunks_mut(if self.codec.is_plain() { usize::MAX } else { block }) {
            read_exact(&*self.file, at, part).map_err(self.io())?;
            self.codec.decode(part)?;
            at += part.len() as u64;
        }
        if self.header.fortran_order && self.header.shape.len() > 1 && !array.is_empty() {
            return transposed(&array);
        }
        Ok(array)
    }

    /// True if rows can be put behind those that are there: the order is that of C, and the header has room for the longer shape.
    pub(crate) fn can_append(&self, rows: usize) -> bool {
        let mut longer = self.header.clone();
        if let Some(n) = longer.shape.first_mut() {
            *n = n.saturating_add(rows);
        }
        !self.is_column_major() && longer.to_bytes().is_some()
    }

    fn is_column_major(&self) -> bool {
        self.header.fortran_order && self.header.shape.len() > 1
    }

    /// Puts rows behind those that are there: first the elements, then the header that counts them. If the elements cannot be written, nothing has
    /// changed.
    pub(crate) fn append(&mut self, fs: &dyn FileSystem, target: &Path, rows: &AnyArray, durability: Durability) -> Result<()> {
        let bytes = encode(rows, &self.header.dtype, self.header.text_order)?;
        let end = self.end()?;
        let mut next = self.header.clone();
        if let (Some(n), Some(added)) = (next.shape.first_mut(), rows.shape().first()) {
            *n += added;
        }
        let header = next.to_bytes().ok_or_else(|| error!(Shape, "the header has no room for the shape {:?}", next.shape))?;
        let sync = || if durability == Durability::Full { retry(|| self.file.sync()) } else { Ok(()) };
        self.file.write_all_at(&bytes, end).and_then(|()| sync()).map_err(|e| {
            // Bytes behind the last row mean nothing; what could be written of them goes, if it can.
            let _ = self.file.set_len(end);
            Error::io(e, &self.path)
        })?;
        // A header within a page is written whole or not at all; a longer one, of very many fields, is not.
        let counted = if header.len() <= journal::PAGE as usize {
            self.file.write_all_at(&header, 0).and_then(|()| sync())
        } else {
            journal::apply(fs, target, &*self.file, 0, &[(0, &header)], durability).map_err(|failed| failed.error)
        };
        counted.map_err(self.io())?;
        self.header = next;
        Ok(())
    }

    /// Writes the selected elements in place, all of them or none.
    pub(crate) fn update(
        &self,
        fs: &dyn FileSystem,
        target: &Path,
        selection: &Selection,
        data: &AnyArray,
        durability: Durability,
    ) -> Result<()> {
        let bytes = encode(data, &self.header.dtype, self.header.text_order)?;
        let (item, shape) = (self.header.dtype.itemsize(), &self.header.shape);
        let place = |element: usize| (self.header.data_offset + element * item) as u64;
        let mut changes: Vec<Change<'_>> = Vec::new();
        let mut at = 0;
        selection.resolve(shape)?.for_each_run(shape, |start, count| {
            let run = &bytes[at..at + count * item];
            at += run.len();
            if self.is_column_major() {
                changes.extend((start..start + count).zip(run.chunks_exact(item)).map(|(k, one)| (place(column_major(k, shape)), one)));
            } else {
                changes.push((place(start), run));
            }
        });
        journal::apply(fs, target, &*self.file, 0, &changes, durability).map_err(|failed| Error::io(failed.error, &self.path))
    }

    /// Makes the header and the length agree; see [`recover`](super::recover).
    pub(crate) fn agree(&mut self) -> Result<Recovered> {
        let (len, end, row) = (self.len()?, self.end()?, self.header.row_len() as u64);
        let rows_before = self.header.shape.first().copied().unwrap_or(1);
        let mut found = Recovered { rows_before, rows: rows_before, cut: 0 };
        if len >= end {
            found.cut = len - end;
            if found.cut > 0 {
                retry(|| self.file.set_len(end)).map_err(self.io())?;
            }
            return Ok(found);
        }
        if self.header.shape.is_empty() {
            bail!(Corrupt, "the only element of the file is cut, and nothing can be recovered");
        }
        if self.is_column_major() {
            bail!(
                Unsupported,
                "the array is in Fortran order, in which each row is spread over the file; rows that are cut cannot be told apart"
            );
        }
        found.rows = usize::try_from((len - self.header.data_offset as u64) / row.max(1)).unwrap_or(rows_before);
        self.header.shape[0] = found.rows;
        let header = self.header.to_bytes().ok_or_else(|| error!(Corrupt, "the header has no room for the shape that was found"))?;
        self.file.write_all_at(&header, 0).map_err(self.io())?;
        let end = self.end()?;
        found.cut = len - end;
        retry(|| self.file.set_len(end)).and_then(|()| retry(|| self.file.sync())).map_err(self.io())?;
        Ok(found)
    }
}

fn directory(path: &Path) -> Error {
    error!(Io, "this is a directory, not a file").in_file(path).remedy("give the name of a file")
}

fn read_at(file: &dyn File, offset: u64, len: usize) -> std::io::Result<Vec<u8>> {
    let mut out = vec![0; len];
    let mut have = 0;
    while have < len {
        match retry(|| file.read_at(out.get_mut(have..).unwrap_or_default(), offset + have as u64))? {
            0 => break,
            n => have += n,
        }
    }
    out.truncate(have);
    Ok(out)
}

fn read_exact(file: &dyn File, offset: u64, out: &mut [u8]) -> std::io::Result<()> {
    let mut have = 0;
    while have < out.len() {
        match retry(|| file.read_at(out.get_mut(have..).unwrap_or_default(), offset + have as u64))? {
            0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            n => have += n,
        }
    }
    Ok(())
}

/// The place in Fortran order of an element, by its place in C order.
fn column_major(mut element: usize, shape: &[usize]) -> usize {
    let mut place = 0;
    let mut stride: usize = shape.iter().product();
    for n in shape.iter().rev() {
        stride /= n;
        place += element % n * stride;
        element /= n;
    }
    place
}

/// Elements that lie in Fortran order, put in C order.
fn transposed(array: &AnyArray) -> Result<AnyArray> {
    let (shape, item) = (array.shape().to_vec(), array.dtype().itemsize());
    let mut out = AnyArray::zeros(array.dtype().clone(), shape.clone())?;
    let from = array.raw().0;
    let (to, _) = out.raw_mut()?;
    for (element, to) in to.chunks_exact_mut(item).enumerate() {
        let place = column_major(element, &shape) * item;
        to.copy_from_slice(&from[place..place + item]);
    }
    Ok(out)
}
