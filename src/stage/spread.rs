//! Stages written on several ranks: every event goes to the rank that owns its source.

use super::batch::Batch;
use super::builder::StageHdf5WriterBuilder;
use super::options::StageOptions;
use super::product::Product;
use super::provenance::{SourceInfo, split_batch_by_source};
use super::wire;
use super::writer::StageHdf5Writer;
use crate::distributed::{Agreement, Call, CommRef};
use crate::error::{Context, Result, bail, error};
use std::sync::Arc;

/// A [`StageHdf5Writer`] on the ranks of a communicator.
///
/// A cache is written by one rank alone: the owner of its source, which [`owner`](SpreadStageWriter::owner) tells. Ranks hand in batches of any
/// sources; the events go to the owners, those of lower ranks first, and stay in the order of their batch. So no two ranks write one file,
/// and which rank had an event does not matter to the caches but for the order.
///
/// Every method but [`owner`](SpreadStageWriter::owner) is collective. If anything fails on any rank, all get an error that names it; what can be
/// refused is refused on all ranks before a cache is touched on any.
///
/// ```
/// use memh5::distributed::ThreadComm;
/// use memh5::stage::{Batch, SourceInfo, SpreadStageWriter, StageHdf5Writer, StageOptions};
/// let caches = ThreadComm::run_each(2, |comm| {
///     let rank = comm.rank() as i64;
///     let builder = StageHdf5Writer::builder().file_name("run.h5").in_memory();
///     let mut writer = SpreadStageWriter::new(comm, builder)?;
///     // Both ranks have events of the same source.
///     let source = SourceInfo::new("run1.root", 10, 20)?;
///     let batch = Batch::new(2).with_source(&source)?.with("x", vec![10 * rank, 10 * rank + 1])?;
///     writer.write_stage("hits", Some(&batch), &StageOptions::new())?;
///     writer.finalize_stage("hits")?;
///     Ok::<usize, memh5::Error>(writer.local().caches().len())
/// })?;
/// let caches: usize = caches.into_iter().sum::<memh5::Result<usize>>()?;
/// assert_eq!(caches, 1);
/// # Ok::<(), memh5::Error>(())
/// ```
#[derive(Debug)]
pub struct SpreadStageWriter {
    writer: StageHdf5Writer,
    agreement: Arc<Agreement>,
}

impl SpreadStageWriter {
    /// Makes a writer on each rank, with the same arguments. Caches are named after their sources.
    ///
    /// # Errors
    /// As [`StageHdf5WriterBuilder::build`], the same on all ranks.
    pub fn new(comm: CommRef, builder: StageHdf5WriterBuilder) -> Result<Self> {
        let agreement = Arc::new(Agreement::new(comm));
        let several = agreement.comm().size() > 1;
        let call = Call::new("make the stage writer").note(format_args!("{builder:?}"));
        let writer = agreement.collective(call, |_| builder.route_by_source(several).build())?;
        Ok(Self { writer, agreement })
    }

    /// The rank that writes the cache of a source: by a checksum of its name, size and time, so that it is the same in every run.
    pub fn owner(&self, source: &SourceInfo) -> usize {
        let mut sum = crc32fast::Hasher::new();
        sum.update(source.file_name.as_bytes());
        sum.update(&[0]);
        sum.update(&source.file_size.to_le_bytes());
        sum.update(&source.file_mtime_ns.to_le_bytes());
        sum.finalize() as usize % self.agreement.comm().size()
    }

    /// The writer of this rank's own sources.
    pub fn local(&self) -> &StageHdf5Writer {
        &self.writer
    }

    /// Writes the batches of all ranks to a stage. A rank without events gives `None`.
    ///
    /// # Errors
    /// As [`StageHdf5Writer::write_stage`] on the ranks that own the sources; on all ranks `Collective` with the rank and the cause, unless all fail
    /// equally.
    pub fn write_stage(&mut self, stage: &str, batch: Option<&Batch>, options: &StageOptions) -> Result<()> {
        let agreement = self.agreement.clone();
        let call = Call::new("write to the stage").path(format!("/stages/{stage}"));
        agreement.collective(call, |step| {
            let parts = step.agree(self.parts(batch))?;
            let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
            let received = step.comm().all_to_all(&parts)?;
            // All checks on all ranks, then all writes.
            let planned = join(&received).and_then(|batch| batch.map(|b| self.writer.plan(stage, &b, options)).transpose());
            let planned = match step.agree(planned) {
                Ok(planned) => planned,
                Err(e) => {
                    self.writer.forget_plans();
                    return Err(e);
                }
            };
            let written = planned.map_or(Ok(()), |p| self.writer.write_planned(stage, p, options));
            // A batch that is there in part only must not be finalized, on any rank.
            step.agree(written).inspect_err(|e| self.writer.give_up(e))
        })
    }

    /// The parts of a batch for each rank, as bytes; nothing for a rank without any.
    fn parts(&self, batch: Option<&Batch>) -> Result<Vec<Vec<u8>>> {
        let ranks = self.agreement.comm().size();
        let Some(batch) = batch else { return Ok(vec![Vec::new(); ranks]) };
        if batch.events() == 0 {
            return Err(error!(InvalidArgument, "the batch is empty").remedy("give None on ranks without events"));
        }
        let mut parts: Vec<Vec<Batch>> = vec![Vec::new(); ranks];
        for (source, part) in split_batch_by_source(batch)? {
            match parts.get_mut(self.owner(&source)) {
                Some(list) => list.push(part),
                None => bail!(InvalidArgument, "there is no rank for the source"),
            }
        }
        parts.into_iter().map(|list| concat(list).and_then(|b| b.map_or(Ok(Vec::new()), |b| wire::encode(&b)))).collect()
    }

    /// Completes a stage in the caches of all ranks.
    ///
    /// # Errors
    /// As [`StageHdf5Writer::finalize_stage`]; `Collective` on all ranks if it fails on one. Caches that were published before stay published.
    pub fn finalize_stage(&mut self, stage: &str) -> Result<()> {
        let agreement = self.agreement.clone();
        let call = Call::new("finalize the stage").path(format!("/stages/{stage}"));
        agreement.collective(call, |step| {
            step.agree(self.writer.check_ready())?;
            self.writer.finalize_stage(stage)
        })
    }

    /// Ends the session on all ranks: see [`StageHdf5Writer::close`].
    ///
    /// # Errors
    /// `Io`, `Collective`.
    pub fn close(&mut self) -> Result<()> {
        let agreement = self.agreement.clone();
        agreement.collective(Call::new("close the stage writer"), |_| self.writer.close())
    }
}

/// The events of all messages, by rank; `None` if there are none.
fn join(received: &[Vec<u8>]) -> Result<Option<Batch>> {
    let batches = received.iter().filter(|m| !m.is_empty()).map(|m| wire::decode(m)).collect::<Result<Vec<_>>>()?;
    concat(batches)
}

/// Batches of one kind, one behind the other.
fn concat(batches: Vec<Batch>) -> Result<Option<Batch>> {
    let Some(first) = batches.first() else { return Ok(None) };
    if batches.len() == 1 {
        return Ok(batches.into_iter().next());
    }
    let mut out = Batch::new(batches.iter().map(Batch::events).sum());
    out.remove(super::INDEX);
    if let Some(extra) = batches.iter().flat_map(Batch::keys).find(|k| !first.contains(k)) {
        bail!(InvalidArgument, "a part of the batch has the product '{extra}', which the first lacks");
    }
    for key in first.keys() {
        let parts = batches
            .iter()
            .map(|b| {
                let product = b.get(key).ok_or_else(|| error!(NotFound, "a part of the batch has no product '{key}'"))?;
                product.for_events(b.events())
            })
            .collect::<Result<Vec<_>>>()?;
        out.put(key, Product::concat(&parts).with_context(|| (key, "put the parts of the batch together"))?)?;
    }
    Ok(Some(out))
}
