//! Standard output: buffered, with colours on a terminal only; a reader that goes away is no error.

use memh5::{Error, ErrorKind, Result};
use std::error::Error as _;
use std::io::{self, BufWriter, IsTerminal, StdoutLock, Write};
use std::sync::Arc;

/// Standard output, buffered.
pub type Output = BufWriter<StdoutLock<'static>>;

/// Standard output, buffered.
pub fn stdout() -> Output {
    BufWriter::with_capacity(1 << 16, io::stdout().lock())
}

/// Writes what is still buffered.
pub fn finish(mut out: Output) -> Result<()> {
    out.flush().map_err(failed)
}

/// The error of a failed write to standard output.
pub fn failed(error: io::Error) -> Error {
    Error::new(ErrorKind::Io, "the output cannot be written").because(error)
}

/// True if colours are wanted: on a terminal that can show them, unless the user said no.
pub fn colour() -> bool {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty()) || std::env::var_os("TERM").is_some_and(|v| v == "dumb");
    io::stdout().is_terminal() && !refused
}

/// True if the error is only that the reader of our output went away.
pub fn is_broken_pipe(error: &Error) -> bool {
    let mut source = error.source();
    while let Some(cause) = source {
        let shared = cause.downcast_ref::<Arc<dyn std::error::Error + Send + Sync>>();
        let os = shared.and_then(|c| c.downcast_ref::<io::Error>()).or_else(|| cause.downcast_ref());
        if os.is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe) {
            return true;
        }
        source = cause.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_pipe_is_known_behind_an_error() {
        assert!(is_broken_pipe(&failed(io::ErrorKind::BrokenPipe.into())));
        assert!(!is_broken_pipe(&failed(io::ErrorKind::StorageFull.into())));
        assert!(!is_broken_pipe(&Error::new(ErrorKind::Io, "no cause")));
    }
}
