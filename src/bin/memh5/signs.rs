//! Signs that the work goes on: to the process that watches, and on the terminal after a second.

use crate::args::Limits;
use crate::guard::Pulse;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use memh5::tree::{GroupRef, Node};
use memh5::{Error, ErrorKind, Result, prelude::*};
use std::io::IsTerminal;
use std::time::{Duration, Instant};

/// A small file may hold a few GiB that were never written,
const LEAST_BELIEVED: u64 = 4 << 30;
/// and no filter makes elements smaller than this.
const MOST_COMPRESSED: u64 = 10_000;

/// Signs that the work goes on.
#[derive(Debug)]
pub struct Signs {
    pulse: Pulse,
    last: Instant,
    started: Instant,
    bar: Option<ProgressBar>,
    terminal: bool,
    done: u64,
    total: Option<u64>,
    /// The most bytes of elements that files of this size are believed to hold.
    believed: Option<u64>,
}

impl Signs {
    /// Signs on the given pulse. With limits, more elements than files of that size are believed to hold are an error.
    pub fn new(pulse: Pulse, limits: &Limits, size: u64) -> Self {
        let now = Instant::now();
        let believed = (!limits.no_limits).then(|| LEAST_BELIEVED.saturating_add(size.saturating_mul(MOST_COMPRESSED)));
        Self { pulse, last: now, started: now, bar: None, terminal: std::io::stderr().is_terminal(), done: 0, total: None, believed }
    }

    /// Counts the bytes that will be read, if somebody is there to see it.
    pub fn expect(&mut self, root: &GroupRef) -> Result<()> {
        if !self.terminal {
            return Ok(());
        }
        let mut total = self.total.unwrap_or(0);
        (**root).visit(|_, node| {
            if let Node::Dataset(dataset) = node {
                total = total.saturating_add((dataset.size()? as u64).saturating_mul(dataset.dtype()?.itemsize() as u64));
            }
            self.tick(0)?;
            Ok(None::<()>)
        })?;
        self.total = Some(total);
        Ok(())
    }

    /// The work goes on: that many bytes more are done.
    ///
    /// # Errors
    /// `Corrupt` if it is more than the files can hold.
    pub fn tick(&mut self, bytes: u64) -> Result<()> {
        self.done = self.done.saturating_add(bytes);
        if let Some(most) = self.believed.filter(|most| self.done > *most) {
            let message = format!("there is no end to its elements: more than {} GiB were read, so it is taken as corrupt", most >> 30);
            return Err(Error::new(ErrorKind::Corrupt, message).remedy("if it is meant to be that sparse, say --no-limits"));
        }
        if self.last.elapsed() < Duration::from_millis(100) {
            return Ok(());
        }
        self.last = Instant::now();
        self.pulse.beat();
        if self.terminal && self.started.elapsed() > Duration::from_secs(1) {
            let (done, total) = (self.done, self.total);
            self.bar.get_or_insert_with(|| bar(total)).set_position(done);
        }
        Ok(())
    }

    /// So many bytes are to be done in all.
    pub fn total(&mut self, total: u64) {
        if self.total != Some(total) {
            self.total = Some(total);
            self.finish();
        }
    }

    /// Takes the bar off the terminal.
    pub fn finish(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

impl Drop for Signs {
    fn drop(&mut self) {
        self.finish();
    }
}

fn bar(total: Option<u64>) -> ProgressBar {
    let template = match total {
        Some(total) if total > 0 => "{bar:40} {binary_bytes} of {binary_total_bytes}, {binary_bytes_per_sec}, {eta} left",
        _ => "{spinner} {binary_bytes}, {binary_bytes_per_sec}, {elapsed}",
    };
    let bar = ProgressBar::with_draw_target(total.filter(|t| *t > 0), ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}
