//! Zip archives, for reading: the directory at the end, stored and deflated members, archives beyond 4 GiB.
//!
//! Of several members of one name the last one counts: appending to a zip store leaves the old ones behind.

use super::store::Entry;
use crate::error::{Error, Result, bail, error};
use crate::publish::{File, FileSystem, OpenMode};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// An archive that is open.
#[derive(Debug)]
pub(super) struct Archive {
    file: Box<dyn File>,
    path: PathBuf,
    members: BTreeMap<String, Member>,
}

#[derive(Debug, Clone, Copy)]
struct Member {
    method: u16,
    packed: u64,
    size: u64,
    crc: u32,
    /// Where its local header is.
    at: u64,
}

/// The largest value that is read into memory.
const LARGEST: u64 = 1 << 40;

struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(n)?;
        self.0 = rest;
        Some(head)
    }
    fn u16(&mut self) -> Option<u16> {
        Some(u16::from_le_bytes(self.take(2)?.try_into().ok()?))
    }
    fn u32(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.take(4)?.try_into().ok()?))
    }
    fn u64(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes(self.take(8)?.try_into().ok()?))
    }
}

/// True if the bytes are the beginning of a zip archive.
pub(super) fn is_zip(head: &[u8]) -> bool {
    head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06")
}

impl Archive {
    /// Opens an archive and reads its directory.
    pub(super) fn open(fs: &dyn FileSystem, path: &Path) -> Result<Self> {
        let file = fs.open(path, OpenMode::Read).map_err(|e| Error::io(e, path))?;
        let mut archive = Self { file, path: path.to_owned(), members: BTreeMap::new() };
        archive.read_directory().map_err(|e| e.in_file(path).during("open the zip archive"))?;
        Ok(archive)
    }

    fn bytes(&self, at: u64, len: u64) -> Result<Vec<u8>> {
        let total = self.file.info().map_err(|e| Error::io(e, &self.path))?.len;
        let fits = at.checked_add(len).is_some_and(|end| end <= total);
        let Some(len) = usize::try_from(len).ok().filter(|_| fits) else { bail!(Corrupt, "the archive is cut short") };
        let mut out = vec![0; len];
        let mut done = 0;
        while done < len {
            match self.file.read_at(out.get_mut(done..).unwrap_or_default(), at + done as u64) {
                Ok(0) => bail!(Corrupt, "the archive is cut short"),
                Ok(n) => done += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(Error::io(e, &self.path)),
            }
        }
        Ok(out)
    }

    fn read_directory(&mut self) -> Result<()> {
        let broken = || error!(Corrupt, "the directory of the zip archive is damaged or not there");
        let total = self.file.info().map_err(|e| Error::io(e, &self.path))?.len;
        // The end record, behind which there may be a comment.
        let tail_len = total.min(22 + 65_535);
        let tail = self.bytes(total - tail_len, tail_len)?;
        let end = tail.windows(4).rposition(|w| w == b"PK\x05\x06").ok_or_else(broken)?;
        let mut record = Bytes(tail.get(end + 4..).unwrap_or_default());
        let mut fields = || {
            record.take(6)?;
            Some((u64::from(record.u16()?), u64::from(record.u32()?), u64::from(record.u32()?)))
        };
        let (mut count, mut size, mut offset) = fields().ok_or_else(broken)?;
        if count == 0xffff || size == 0xffff_ffff || offset == 0xffff_ffff {
            let locator = end.checked_sub(20).and_then(|at| tail.get(at..end)).filter(|l| l.starts_with(b"PK\x06\x07"));
            if let Some(locator) = locator {
                let at = Bytes(locator.get(8..).unwrap_or_default()).u64().ok_or_else(broken)?;
                let record = self.bytes(at, 56)?;
                if !record.starts_with(b"PK\x06\x06") {
                    return Err(broken());
                }
                let mut record = Bytes(record.get(32..).unwrap_or_default());
                let mut fields = || Some((record.u64()?, record.u64()?, record.u64()?));
                (count, size, offset) = fields().ok_or_else(broken)?;
            }
        }
        let directory = self.bytes(offset, size)?;
        let mut rest = Bytes(&directory);
        for _ in 0..count {
            let (name, member) = central(&mut rest).ok_or_else(broken)?;
            if let Some((name, member)) = name.zip(Some(member)).filter(|(n, _)| !n.ends_with('/')) {
                let name = name.trim_start_matches('/').to_owned();
                if name.split('/').any(|part| part == "..") {
                    bail!(Corrupt, "the member '{name}' leads out of the archive");
                }
                self.members.insert(name, member);
            }
        }
        Ok(())
    }

    fn member(&self, key: &str) -> Option<Member> {
        self.members.get(key.strip_prefix("./").unwrap_or(key)).copied()
    }

    /// True if there is a value.
    pub(super) fn contains(&self, key: &str) -> bool {
        self.member(key).is_some()
    }

    /// The value of a member, checked.
    pub(super) fn get(&self, key: &str) -> Result<Option<Vec<u8>>> {
        match self.member(key) {
            Some(member) => self.read(key, member).map(Some).map_err(|e| e.in_file(&self.path)),
            None => Ok(None),
        }
    }

    fn read(&self, key: &str, member: Member) -> Result<Vec<u8>> {
        let header = self.bytes(member.at, 30)?;
        let mut rest = Bytes(header.get(26..).unwrap_or_default());
        let lengths = rest.u16().zip(rest.u16()).filter(|_| header.starts_with(b"PK\x03\x04"));
        let Some((name, extra)) = lengths else { bail!(Corrupt, "the member '{key}' has no header") };
        let packed = self.bytes(member.at + 30 + u64::from(name) + u64::from(extra), member.packed)?;
        if member.size > LARGEST {
            bail!(Corrupt, "the member '{key}' claims {} bytes", member.size);
        }
        let out = match member.method {
            0 => packed,
            8 => {
                let mut out = Vec::new();
                let limit = member.size.saturating_add(1);
                flate2::read::DeflateDecoder::new(&packed[..])
                    .take(limit)
                    .read_to_end(&mut out)
                    .map_err(|e| error!(Corrupt, "the member '{key}' cannot be decompressed").because(e))?;
                out
            }
            other => {
                bail!(Unsupported, "the member '{key}' is compressed by the method {other}; only stored and deflated ones can be read")
            }
        };
        let mut crc = flate2::Crc::new();
        crc.update(&out);
        if out.len() as u64 != member.size || crc.sum() != member.crc {
            bail!(Corrupt, "the member '{key}' is damaged: its checksum or length differs");
        }
        Ok(out)
    }

    /// The names directly below a key.
    pub(super) fn list(&self, key: &str) -> Vec<Entry> {
        let prefix = if key.is_empty() { String::new() } else { format!("{key}/") };
        let mut out = BTreeSet::new();
        for name in self.members.range(prefix.clone()..).map(|(n, _)| n) {
            let Some(below) = name.strip_prefix(&prefix) else { break };
            out.insert(match below.split_once('/') {
                Some((dir, _)) => Entry { name: dir.to_owned(), is_dir: true },
                None => Entry { name: below.to_owned(), is_dir: false },
            });
        }
        out.into_iter().collect()
    }
}

/// One entry of the directory; no name if it is not UTF-8.
fn central(rest: &mut Bytes<'_>) -> Option<(Option<String>, Member)> {
    if rest.take(4)? != b"PK\x01\x02" {
        return None;
    }
    rest.take(6)?;
    let method = rest.u16()?;
    rest.take(4)?;
    let crc = rest.u32()?;
    let (mut packed, mut size) = (u64::from(rest.u32()?), u64::from(rest.u32()?));
    let (name, extra, comment) = (rest.u16()?, rest.u16()?, rest.u16()?);
    rest.take(8)?;
    let mut at = u64::from(rest.u32()?);
    let name = rest.take(name.into())?;
    let mut extra = Bytes(rest.take(extra.into())?);
    rest.take(comment.into())?;
    while let (Some(id), Some(len)) = (extra.u16(), extra.u16()) {
        let mut field = Bytes(extra.take(len.into())?);
        if id == 1 {
            for value in [&mut size, &mut packed, &mut at] {
                if *value == 0xffff_ffff {
                    *value = field.u64()?;
                }
            }
        }
    }
    Some((String::from_utf8(name.to_vec()).ok(), Member { method, packed, size, crc, at }))
}
