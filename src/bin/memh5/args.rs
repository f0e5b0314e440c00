//! The command line, and its help.

use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

/// Look at, check, compare, copy and plot trees of named arrays: HDF5 files, as h5py knows them, and Zarr stores.
#[derive(Debug, Parser)]
#[command(name = "memh5", version, max_term_width = 110, after_help = AFTER)]
pub struct Cli {
    /// What to do
    #[command(subcommand)]
    pub command: Command,
    /// The limits of the process that opens files
    #[command(flatten)]
    pub limits: Limits,
}

const AFTER: &str = "Examples:
  memh5 tree night.h5                              what is in the file
  memh5 show night.h5 vis --select '0:4, :'        the first four rows of a dataset
  memh5 copy night.h5 small.h5 --filter gzip:4+shuffle
  memh5 diff old.h5 new.h5 --rtol 1e-6

Exit codes: 0 done; 1 the trees differ, or a file is damaged; 2 it could not be done (one line on stderr says why).
'memh5 help COMMAND' explains a command, with examples.";

/// The limits of the process that opens files.
#[derive(Debug, Clone, Args)]
pub struct Limits {
    /// Stop when the file gives no sign of life for that long (0: wait for ever)
    ///
    /// A damaged file can send the HDF5 library into an endless loop. Without this option the tool waits 300 seconds, and one second
    /// more for each 4 MiB of the files, for the next object or the next 64 MiB of elements.
    #[arg(long, value_name = "SECONDS", global = true, help_heading = "Limits")]
    pub timeout: Option<u64>,
    /// Stop when more memory is needed, as '8G' or '500M'
    ///
    /// A damaged file can ask for any amount. Without this option the limit is 4 GiB and 32 times the size of the files.
    #[arg(long, value_name = "SIZE", value_parser = memory, global = true, help_heading = "Limits")]
    pub memory: Option<u64>,
    /// Set no limits: for files that you trust
    #[arg(long, global = true, help_heading = "Limits")]
    pub no_limits: bool,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Draw the tree of a file: groups, datasets with type and shape, links
    #[command(after_help = "Examples:
  memh5 tree night.h5
  memh5 tree night.h5 calibration -a         below one group, with the attributes
  memh5 tree night.h5 --depth 1              the first level only

Colours are used on a terminal only, and not when NO_COLOR is set.
'a = /b' is one more name of the object /b, 'a -> /b' a soft link, 'a -> x.h5:/b' a link into another file.
A shape of [3, 10 of any] can grow along its second axis.")]
    Tree(Tree),
    /// Show an object: the values of a dataset, its attributes
    #[command(after_help = "Examples:
  memh5 show night.h5                        the root group and its attributes
  memh5 show night.h5 /vis                   a dataset; the middle of a large one is left out
  memh5 show night.h5 vis --select '10'      one row
  memh5 show night.h5 vis --select '::-1, [0,2,5], ...'
  memh5 show night.h5 vis --select '1:10' --all

A selection has one item for each axis, as in Python: an index, start:stop:step, a list [0,2,5], or an ellipsis.
Negative indices count from the end. Lists of several axes are combined as by numpy.ix_.")]
    Show(Show),
    /// Print a file as JSON Lines with digests: for programs, and to compare contents
    #[command(after_help = "Examples:
  memh5 dump night.h5 > night.jsonl
  memh5 dump night.h5 | jq -r 'select(.kind == \"dataset\") | [.path, .sha256] | @tsv'
  diff <(memh5 dump a.h5) <(memh5 dump b.h5)

One line for each object: path, kind, dtype, shape, attributes, and a SHA-256 over the elements. Byte order, character sets, chunks
and filters are no content, so two files with equal lines hold the same data. docs/dump.md defines the lines.")]
    Dump(Dump),
    /// Copy a file or a part of it into a new file, with other chunks and filters if wanted
    #[command(after_help = "Examples:
  memh5 copy night.h5 copy.h5
  memh5 copy night.h5 small.h5 --filter gzip:4+shuffle --chunks auto
  memh5 copy night.h5 first.h5 --select vis=0:100 --select 'cal/gain=:, 0'
  memh5 copy night.h5 new.h5 --chunks vis=64,1024 --overwrite
  memh5 copy night.h5 night.zarr --filter zstd:3 --shards 64M
  memh5 copy night.zarr old.zarr --zarr-format 2 --filter bitshuffle
  mpirun -n 4 memh5 copy night.h5 new.h5 --distributed vis=0

The new file appears under its name when it is complete, and not before: what was there stays until then.
References are made to point into the new file. What could not be copied as it was is told on stderr.
Filters: gzip[:LEVEL] shuffle fletcher32 lzf bitshuffle (with LZ4) zstd[:LEVEL] szip, joined by '+'; 'none' for no filter.
A target that ends in '.zarr' is a Zarr store, a directory.")]
    Copy(Copy),
    /// Compare two files: exit code 0 if they hold the same, 1 if they differ
    #[command(after_help = "Examples:
  memh5 diff a.h5 b.h5
  memh5 diff a.h5 b.h5 --rtol 1e-6 --atol 1e-12
  memh5 diff a.h5 b.h5 -n 0                  count the differences, describe none
  memh5 diff a.h5 b.h5 --layout              also maxshape, chunks and filters

Without tolerances, numbers are compared by their bits, and files are equal exactly if their dumps are.
With them, two numbers are equal if |a - b| <= atol + rtol * |b|; NaN equals NaN.")]
    Diff(Diff),
    /// Rewrite a file in place, without unused space, with other filters if wanted
    #[command(after_help = "Examples:
  memh5 repack night.h5
  memh5 repack night.h5 --filter zstd:5+shuffle --chunks auto

The file is replaced when the new one is complete and on disk; if anything fails, the old one stays as it was.")]
    Repack(Repack),
    /// Read everything in a file and report what is damaged
    #[command(after_help = "Examples:
  memh5 verify night.h5
  memh5 verify *.h5 --quiet && echo all are whole

Every attribute and every element is read, every checksum (fletcher32, those of the file format, those of finalized stages) is
checked, and every reference is followed. Exit code 1 if something is damaged, 2 if the file could not be opened at all.")]
    Verify(Verify),
    /// List the stages of caches, and compare them with the checksums that were recorded when they were finalized
    #[command(after_help = "Examples:
  memh5 stages run1_stage.h5
  memh5 stages *_stage.h5 --quick            do not read the data
  memh5 stages run1_stage.h5 -a              with attributes, products and configurations

A stage is complete if its writer has finalized it. Exit code 1 if a complete stage is not what was recorded, 2 if a file could not be
opened or is no cache of stages.")]
    Stages(Stages),
    /// Plot a dataset: one axis as a line, two as an image with a colour bar
    #[command(after_help = "Examples:
  memh5 plot night.h5 vis -o vis.png
  memh5 plot night.h5 vis --select '0, :' -o row.svg
  memh5 plot night.h5 cal/gain -o gain.png --log --size 1200x800

Complex numbers are plotted by their absolute value. A selection has to leave one or two axes.")]
    Plot(Plot),
}

/// `memh5 tree`
#[derive(Debug, Args)]
pub struct Tree {
    /// The file
    pub file: PathBuf,
    /// The group to begin at
    #[arg(default_value = "/")]
    pub object: String,
    /// Show the attributes too
    #[arg(short, long)]
    pub attributes: bool,
    /// How many levels to show
    #[arg(short, long, value_name = "LEVELS")]
    pub depth: Option<usize>,
}

/// `memh5 show`
#[derive(Debug, Args)]
pub struct Show {
    /// The file
    pub file: PathBuf,
    /// The path of the group, dataset or committed type
    #[arg(default_value = "/")]
    pub object: String,
    /// Which elements, as in Python: '1:10, :, -1'
    #[arg(short, long, value_name = "SLICES", allow_hyphen_values = true)]
    pub select: Option<String>,
    /// Show all elements, also of a large selection
    #[arg(long)]
    pub all: bool,
}

/// `memh5 dump`
#[derive(Debug, Args)]
pub struct Dump {
    /// The file
    pub file: PathBuf,
    /// Also how datasets lie in the file: maxshape, chunks, filters
    #[arg(long)]
    pub layout: bool,
    /// Copy the tree into memory first, and print that: the lines are the same
    #[arg(long, hide = true)]
    pub via_memory: bool,
}

/// How the datasets of a new file are stored.
#[derive(Debug, Clone, Args)]
pub struct Storage {
    /// The filters of all datasets that can have them: 'gzip:4+shuffle', or 'none'
    #[arg(long, value_name = "FILTERS", value_parser = crate::filters::parse)]
    pub filter: Option<crate::filters::Pipeline>,
    /// The chunks: 'auto' for all datasets, or OBJECT=ROWSxCOLUMNS.. ('vis=64,1024', 'vis=auto'); can be repeated
    #[arg(long, value_name = "CHUNKS")]
    pub chunks: Vec<String>,
    /// The version of the Zarr format of a new store: 3, or 2. A store that is repacked keeps its own
    #[arg(long, value_name = "VERSION", value_parser = clap::value_parser!(u8).range(2..=3), help_heading = "Zarr stores")]
    pub zarr_format: Option<u8>,
    /// Put chunks together in files of about that size, as '64M' (Zarr version 3)
    #[arg(long, value_name = "SIZE", value_parser = memory, help_heading = "Zarr stores")]
    pub shards: Option<u64>,
    /// Put a CRC-32C behind every chunk (Zarr version 3)
    #[arg(long, help_heading = "Zarr stores")]
    pub crc32c: bool,
}

/// `memh5 copy`
#[derive(Debug, Args)]
pub struct Copy {
    /// The file to copy
    pub source: PathBuf,
    /// The new file
    pub target: PathBuf,
    /// Replace the new file if it is there
    #[arg(long)]
    pub overwrite: bool,
    /// Copy only this part of a dataset: 'OBJECT=SLICES'; can be repeated
    #[arg(short, long, value_name = "OBJECT=SLICES")]
    pub select: Vec<String>,
    /// How datasets are stored
    #[command(flatten)]
    pub storage: Storage,
    /// Spread a dataset over the MPI ranks, on that axis: 'OBJECT=AXIS'; can be repeated. Run it by mpirun
    ///
    /// All ranks load and save together, so files larger than the memory of one machine can be copied. Datasets that the file marks as
    /// distributed are spread without being named.
    #[arg(long, value_name = "OBJECT=AXIS", conflicts_with = "via_memory", allow_hyphen_values = true)]
    pub distributed: Vec<String>,
    /// Read the whole tree into memory first
    #[arg(long)]
    pub via_memory: bool,
}

/// `memh5 diff`
#[derive(Debug, Args)]
pub struct Diff {
    /// The first file
    pub a: PathBuf,
    /// The second file
    pub b: PathBuf,
    /// The relative tolerance
    #[arg(long, default_value_t = 0.0, value_parser = tolerance, allow_negative_numbers = true)]
    pub rtol: f64,
    /// The absolute tolerance
    #[arg(long, default_value_t = 0.0, value_parser = tolerance, allow_negative_numbers = true)]
    pub atol: f64,
    /// How many differences to describe
    #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 10)]
    pub max: usize,
    /// Do not compare the attributes
    #[arg(long)]
    pub no_attributes: bool,
    /// Compare maxshape, chunks and filters too
    #[arg(long)]
    pub layout: bool,
    /// Print nothing; the exit code says it
    #[arg(short, long)]
    pub quiet: bool,
}

/// `memh5 repack`
#[derive(Debug, Args)]
pub struct Repack {
    /// The file
    pub file: PathBuf,
    /// How datasets are stored
    #[command(flatten)]
    pub storage: Storage,
}

/// `memh5 verify`
#[derive(Debug, Args)]
pub struct Verify {
    /// The files
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
    /// Print only what is damaged
    #[arg(short, long)]
    pub quiet: bool,
}

/// `memh5 stages`
#[derive(Debug, Args)]
pub struct Stages {
    /// The caches
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
    /// Show attributes, products and configurations
    #[arg(short, long)]
    pub attributes: bool,
    /// Do not read the data: no checksums are compared
    #[arg(long)]
    pub quick: bool,
}

/// `memh5 plot`
#[derive(Debug, Args)]
pub struct Plot {
    /// The file
    pub file: PathBuf,
    /// The path of the dataset
    pub object: String,
    /// The picture: a name that ends in .png or .svg
    #[arg(short, long, default_value = "plot.png")]
    pub output: PathBuf,
    /// Which elements, as in Python: '1:10, :, -1'
    #[arg(short, long, value_name = "SLICES", allow_hyphen_values = true)]
    pub select: Option<String>,
    /// Width and height in pixels
    #[arg(long, value_name = "WIDTHxHEIGHT", default_value = "900x600", value_parser = size)]
    pub size: (u32, u32),
    /// A logarithmic scale for the values
    #[arg(long)]
    pub log: bool,
    /// Replace the picture if it is there
    #[arg(long)]
    pub overwrite: bool,
}

impl Command {
    /// The files that are opened: the limits grow with their sizes, and messages name the first.
    pub fn files(&self) -> Vec<&PathBuf> {
        match self {
            Self::Tree(args) => vec![&args.file],
            Self::Show(args) => vec![&args.file],
            Self::Dump(args) => vec![&args.file],
            Self::Copy(args) => vec![&args.source],
            Self::Diff(args) => vec![&args.a, &args.b],
            Self::Repack(args) => vec![&args.file],
            Self::Verify(args) => args.files.iter().collect(),
            Self::Stages(args) => args.files.iter().collect(),
            Self::Plot(args) => vec![&args.file],
        }
    }

    /// The bytes of the files that are opened.
    pub fn size(&self) -> u64 {
        self.files().iter().filter_map(|f| crate::source::size(f).ok()).sum()
    }

    /// True if MPI ranks do it together: then each waits for the others, and shows no sign of life meanwhile.
    pub fn is_distributed(&self) -> bool {
        matches!(self, Self::Copy(args) if !args.distributed.is_empty())
    }

    /// What is being done, as a verb phrase, for messages.
    pub fn operation(&self) -> &'static str {
        match self {
            Self::Tree(_) => "draw the tree",
            Self::Show(_) => "show the object",
            Self::Dump(_) => "dump the file",
            Self::Copy(_) => "copy the file",
            Self::Diff(_) => "compare the files",
            Self::Repack(_) => "repack the file",
            Self::Verify(_) => "verify the file",
            Self::Stages(_) => "list the stages",
            Self::Plot(_) => "plot the dataset",
        }
    }
}

fn memory(text: &str) -> Result<u64, String> {
    let (number, unit) = match text.find(|c: char| !c.is_ascii_digit()) {
        Some(at) => text.split_at(at),
        None => (text, ""),
    };
    let shift = match unit.to_ascii_uppercase().trim_end_matches('B').trim_end_matches('I') {
        "" => 0,
        "K" => 10,
        "M" => 20,
        "G" => 30,
        "T" => 40,
        _ => return Err("a size is a number with K, M, G or T behind it".into()),
    };
    let number: u64 = number.parse().map_err(|_| "a size is a number with K, M, G or T behind it".to_owned())?;
    number.checked_mul(1 << shift).ok_or_else(|| "that is more memory than there can be".into())
}

fn tolerance(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value >= 0.0 && value.is_finite() => Ok(value),
        _ => Err("a tolerance is a number, at least 0".into()),
    }
}

fn size(text: &str) -> Result<(u32, u32), String> {
    let parse = |part: &str| part.trim().parse::<u32>().ok().filter(|n| (100..=20_000).contains(n));
    match text.split_once('x').map(|(w, h)| (parse(w), parse(h))) {
        Some((Some(width), Some(height))) => Ok((width, height)),
        _ => Err("a size is WIDTHxHEIGHT, each from 100 to 20000".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
        for command in Cli::command().get_subcommands() {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains("Examples:") && help.contains("memh5 "), "{} has no examples", command.get_name());
        }
    }

    #[test]
    fn sizes_are_read() {
        assert_eq!(memory("8G"), Ok(8 << 30));
        assert_eq!(memory("500MiB"), Ok(500 << 20));
        assert_eq!(memory("12"), Ok(12));
        assert!(memory("G").is_err() && memory("8X").is_err() && memory("99999999999T").is_err());
        assert_eq!(size("900x600"), Ok((900, 600)));
        assert!(size("9x9").is_err());
    }
}
