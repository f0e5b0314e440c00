//! What each rank tells when something is wrong, and what all ranks conclude from it.

use super::call::Call;
use crate::error::{Error, ErrorKind, error};
use std::error::Error as StdError;
use std::fmt;

/// Where a rank is, and what went wrong there.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Report {
    call: String,
    operation: String,
    path: Option<String>,
    number: u64,
    depth: usize,
    passed: u64,
    failure: Option<Failure>,
}

/// An [`Error`] that travels. Its cause travels as text.
#[derive(Debug, Default, PartialEq, Eq)]
struct Failure {
    kind: String,
    message: String,
    path: Option<String>,
    file: Option<String>,
    rank: Option<usize>,
    operation: Option<String>,
    remedy: Option<String>,
    source: Option<String>,
}

/// The cause of an error that happened on another rank.
#[derive(Debug)]
struct Told(String);

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl StdError for Told {}

impl Report {
    pub(super) fn new(call: &Call, number: u64, depth: usize, passed: u64, failure: Option<&Error>) -> Self {
        Self {
            call: call.to_string(),
            operation: call.operation().to_owned(),
            path: call.place().map(str::to_owned),
            number,
            depth,
            passed,
            failure: failure.map(Failure::new),
        }
    }

    /// How many calls are under way around the one that it is about.
    pub(super) fn depth(&self) -> usize {
        self.depth
    }

    /// The number of the call.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Writer::default();
        out.text(Some(&self.call));
        out.text(Some(&self.operation));
        out.text(self.path.as_deref());
        out.number(self.number);
        out.number(self.depth as u64);
        out.number(self.passed);
        if let Some(failure) = &self.failure {
            out.text(Some(&failure.kind));
            out.text(Some(&failure.message));
            out.text(failure.path.as_deref());
            out.text(failure.file.as_deref());
            out.number(failure.rank.map_or(u64::MAX, |rank| rank as u64));
            out.text(failure.operation.as_deref());
            out.text(failure.remedy.as_deref());
            out.text(failure.source.as_deref());
        }
        out.0
    }

    pub(super) fn decode(bytes: &[u8]) -> Self {
        let mut from = Reader(bytes);
        let mut report = Self {
            call: from.text().unwrap_or_default(),
            operation: from.text().unwrap_or_default(),
            path: from.text(),
            number: from.number().unwrap_or_default(),
            depth: from.number().unwrap_or_default() as usize,
            passed: from.number().unwrap_or_default(),
            failure: None,
        };
        if let Some(kind) = from.text() {
            report.failure = Some(Failure {
                kind,
                message: from.text().unwrap_or_default(),
                path: from.text(),
                file: from.text(),
                rank: from.number().and_then(|rank| usize::try_from(rank).ok()).filter(|rank| *rank != usize::MAX),
                operation: from.text(),
                remedy: from.text(),
                source: from.text(),
            });
        }
        report
    }
}

impl Failure {
    fn new(error: &Error) -> Self {
        Self {
            kind: error.kind().as_str().to_owned(),
            message: error.message().to_owned(),
            path: error.path().map(str::to_owned),
            file: error.file().map(|file| file.display().to_string()),
            rank: error.rank(),
            operation: error.operation().map(str::to_owned),
            remedy: error.remedy_text().map(str::to_owned),
            source: error.source().map(ToString::to_string),
        }
    }

    fn is_consequence(&self) -> bool {
        self.kind == ErrorKind::Collective.as_str()
    }

    fn to_error(&self) -> Error {
        let kind = ErrorKind::ALL.iter().copied().find(|kind| kind.as_str() == self.kind).unwrap_or(ErrorKind::Collective);
        let mut error = Error::new(kind, &self.message);
        if let Some(path) = &self.path {
            error = error.at(path);
        }
        if let Some(file) = &self.file {
            error = error.in_file(file);
        }
        if let Some(rank) = self.rank {
            error = error.on_rank(rank);
        }
        if let Some(operation) = &self.operation {
            error = error.during(operation);
        }
        if let Some(remedy) = &self.remedy {
            error = error.remedy(remedy);
        }
        match &self.source {
            Some(source) => error.because(Told(source.clone())),
            None => error,
        }
    }
}

/// The one error that all ranks return, from the reports of all. `None` if all failed in the same way: then each returns what it has.
pub(super) fn verdict(reports: &[Report], compare: bool) -> Option<Error> {
    let first = reports.first()?;
    let failures = || reports.iter().enumerate().filter_map(|(rank, report)| report.failure.as_ref().map(|failure| (rank, failure)));
    let differ = |report: &Report| (&report.call, report.number, report.passed) != (&first.call, first.number, first.passed);
    let odd = reports.iter().enumerate().find(|(_, report)| compare && differ(report));
    if first.failure.is_some() && odd.is_none() && reports.iter().all(|report| report.failure == first.failure) {
        return None;
    }
    // An error that tells of another rank's failure is not the first cause.
    let own = failures().find(|(_, failure)| !failure.is_consequence());
    if let Some((rank, failure)) = own.or_else(|| failures().next()) {
        let cause = failure.to_error();
        let (operation, path) = reports.get(rank).map(|report| (&report.operation, report.path.as_deref())).unzip();
        let rank = if failure.is_consequence() { failure.rank.unwrap_or(rank) } else { rank };
        let error = error!(Collective, "it failed on rank {rank}").on_rank(rank).at_place(path.flatten());
        return Some(error.during(operation.cloned().unwrap_or_default()).because(cause));
    }
    let (rank, odd) = odd?;
    let message = if odd.call != first.call {
        format!("rank {rank} calls '{}' where rank 0 calls '{}'", odd.call, first.call)
    } else if odd.number != first.number {
        format!("rank {rank} makes its collective call number {}, rank 0 number {}", odd.number, first.number)
    } else {
        format!("rank {rank} is at step {} of the call, rank 0 at step {}", odd.passed, first.passed)
    };
    let error = Error::new(ErrorKind::Collective, message).on_rank(rank);
    Some(error.remedy("all ranks must make the same collective calls, in the same order, with equal arguments"))
}

#[derive(Default)]
struct Writer(Vec<u8>);

impl Writer {
    fn number(&mut self, number: u64) {
        self.0.extend(number.to_le_bytes());
    }

    fn text(&mut self, text: Option<&str>) {
        self.number(text.map_or(u64::MAX, |text| text.len() as u64));
        self.0.extend(text.unwrap_or_default().as_bytes());
    }
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn number(&mut self) -> Option<u64> {
        let (number, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u64::from_le_bytes(*number))
    }

    fn text(&mut self) -> Option<String> {
        let length = self.number().filter(|length| *length != u64::MAX)?;
        let (text, rest) = self.0.split_at_checked(usize::try_from(length).ok()?)?;
        self.0 = rest;
        Some(String::from_utf8_lossy(text).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_travel_whole_and_cut_ones_are_no_panic() {
        let error =
            error!(NotFound, "no such thing").at("/a").in_file("x.h5").on_rank(3).during("read").remedy("look").because(Told("why".into()));
        let report = Report::new(&Call::new("read").path("/a"), 7, 1, 2, Some(&error));
        let bytes = report.encode();
        assert_eq!(Report::decode(&bytes), report);
        assert_eq!(report.failure.as_ref().unwrap().to_error().to_string(), error.to_string());
        let bare = Report::new(&Call::new("read"), 1, 0, 0, Some(&error!(Io, "")));
        assert_eq!(Report::decode(&bare.encode()), bare);
        for length in 0..bytes.len() {
            Report::decode(&bytes[..length]);
        }
    }

    #[test]
    fn the_first_cause_is_not_a_consequence() {
        let call = Call::new("save");
        let consequence = error!(Collective, "it failed on rank 2").on_rank(2);
        let cause = error!(Io, "no space");
        let report = |failure: Option<&Error>| Report::new(&call, 1, 0, 1, failure);
        let error = verdict(&[report(Some(&consequence)), report(None), report(Some(&cause))], true).unwrap();
        assert_eq!((error.kind(), error.rank()), (ErrorKind::Collective, Some(2)));
        assert!(error.to_string().contains("no space"));
        assert!(verdict(&[report(Some(&cause)), report(Some(&cause))], true).is_none());
    }
}
