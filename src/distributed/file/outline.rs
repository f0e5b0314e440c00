//! What rank 0 tells the others about the distributed datasets of a file.

use super::align::Storage;
use crate::copy::{CopyNote, CopyReport};
use crate::error::{Error, Result, error};
use crate::selection::AxisSelection;
use serde::{Deserialize, Serialize};

/// All of it.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Outline {
    pub datasets: Vec<Entry>,
    /// The bytes that the file grows by when all ranks write together.
    pub room: u64,
    pub report: Report,
    /// The file that rank 0 has read, if its places are told.
    #[cfg(feature = "hdf5")]
    pub found: Option<super::direct::Identity>,
}

/// A distributed dataset.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Entry {
    /// Its path relative to the copied group, in the file and in memory.
    pub path: String,
    /// Its path in the file, if that is another one.
    pub source: String,
    /// The distributed axis, in memory.
    pub axis: usize,
    /// How it lies in the file.
    pub storage: Storage,
    /// Where its elements lie in the file, if ranks may move them by themselves.
    pub places: Option<Places>,
    /// True if the elements are converted after they are read.
    pub converted: bool,
    /// The part of each axis of the source that is copied; empty for all when a file is written.
    pub part: Vec<Part>,
}

/// Where the elements of a dataset lie in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Places {
    pub shape: Vec<usize>,
    /// The shape of what lies in one place, in C order: a chunk, or all.
    pub tile: Vec<usize>,
    /// The first byte of each, in C order of the grid.
    pub at: Vec<u64>,
}

impl Places {
    /// True if all elements are in one place.
    #[cfg(feature = "hdf5")]
    pub fn is_one(&self) -> bool {
        self.tile == self.shape
    }
}

/// [`AxisSelection`], as it is sent.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) enum Part {
    Range(usize, isize, usize, bool),
    List(Vec<usize>),
}

impl From<&AxisSelection> for Part {
    fn from(axis: &AxisSelection) -> Self {
        match axis {
            AxisSelection::Range { start, step, count, drop } => Self::Range(*start, *step, *count, *drop),
            AxisSelection::List(list) => Self::List(list.clone()),
        }
    }
}

impl From<&Part> for AxisSelection {
    fn from(part: &Part) -> Self {
        match part {
            Part::Range(start, step, count, drop) => Self::Range { start: *start, step: *step, count: *count, drop: *drop },
            Part::List(list) => Self::List(list.clone()),
        }
    }
}

/// [`CopyReport`], as it is sent.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Report {
    counts: [usize; 5],
    bytes: u64,
    converted: Vec<(String, String)>,
    lost: Vec<(String, String)>,
}

impl From<&CopyReport> for Report {
    fn from(r: &CopyReport) -> Self {
        let notes = |notes: &[CopyNote]| notes.iter().map(|n| (n.path.clone(), n.what.clone())).collect();
        Self {
            counts: [r.groups, r.datasets, r.datatypes, r.attributes, r.links],
            bytes: r.bytes,
            converted: notes(&r.converted),
            lost: notes(&r.lost),
        }
    }
}

impl From<Report> for CopyReport {
    fn from(r: Report) -> Self {
        let notes = |notes: Vec<(String, String)>| notes.into_iter().map(|(path, what)| CopyNote { path, what }).collect();
        let [groups, datasets, datatypes, attributes, links] = r.counts;
        let mut report = CopyReport::default();
        (report.groups, report.datasets, report.datatypes, report.attributes, report.links) =
            (groups, datasets, datatypes, attributes, links);
        (report.bytes, report.converted, report.lost) = (r.bytes, notes(r.converted), notes(r.lost));
        report
    }
}

impl Outline {
    /// True if each rank reads the elements by itself, if all can open the file.
    pub(super) fn read_by_each(&self, entry: &Entry) -> bool {
        #[cfg(feature = "hdf5")]
        return self.found.is_some() && entry.places.is_some();
        #[cfg(not(feature = "hdf5"))]
        return entry.places.is_some();
    }

    /// The message: the outline, and what follows it, which may be nothing.
    pub(super) fn encode(&self, image: &[u8]) -> Result<Vec<u8>> {
        let text = serde_json::to_vec(self).map_err(|e| error!(Corrupt, "the outline of the file cannot be sent").because(e))?;
        let mut out = (text.len() as u64).to_le_bytes().to_vec();
        out.reserve_exact(text.len() + image.len());
        out.extend(text);
        out.extend(image);
        Ok(out)
    }

    pub(super) fn decode(message: &[u8]) -> Result<(Self, &[u8])> {
        let broken = || -> Error { error!(Collective, "rank 0 sent no outline of the file").on_rank(0) };
        let (length, rest) = message.split_first_chunk::<8>().ok_or_else(broken)?;
        let length = usize::try_from(u64::from_le_bytes(*length)).map_err(|_| broken())?;
        let (text, image) = rest.split_at_checked(length).ok_or_else(broken)?;
        Ok((serde_json::from_slice(text).map_err(|e| broken().because(e))?, image))
    }
}
