//! The one error of the crate: what was tried, on which object of which file, what went wrong, and what to do.

use std::fmt;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The result of everything that can fail here.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, in the terms that a caller can act on. The same mistake has the same kind on every backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// No object, attribute or file of that name; a soft link or reference that leads nowhere.
    NotFound,
    /// An object or file of that name is there already.
    AlreadyExists,
    /// A dataset was needed, and the name is a group or a committed type.
    NotADataset,
    /// A group was needed, and the name is a dataset or a committed type.
    NotAGroup,
    /// A name that no tree can hold: empty, with a NUL, `.` or `..`.
    InvalidName,
    /// An argument out of its domain: a chunk of length 0, a filter level that does not exist.
    InvalidArgument,
    /// Shapes that do not fit, a rank above 32, a size that overflows.
    Shape,
    /// Element types that do not fit, or a value that the type cannot hold.
    Dtype,
    /// A selection that does not fit the shape: out of range, too many axes, a mask of another length.
    Selection,
    /// The tree is open for reading only.
    ReadOnly,
    /// A name policy (a hook of a typed container) refuses it.
    NotAllowed,
    /// Somebody else holds the file or its lock.
    Locked,
    /// The file's content contradicts its format.
    Corrupt,
    /// Legal, but not something that this backend or build can do.
    Unsupported,
    /// The file behind the handle was closed.
    Closed,
    /// An earlier write, sync or close on this handle failed; it refuses further writes.
    Poisoned,
    /// The ranks of a collective call disagree, or one of them failed.
    Collective,
    /// A callback of the caller stopped the work.
    Cancelled,
    /// The operating system failed: no space, no permission, no such directory.
    Io,
}

impl ErrorKind {
    /// All kinds.
    pub(crate) const ALL: [Self; 19] = [
        Self::NotFound,
        Self::AlreadyExists,
        Self::NotADataset,
        Self::NotAGroup,
        Self::InvalidName,
        Self::InvalidArgument,
        Self::Shape,
        Self::Dtype,
        Self::Selection,
        Self::ReadOnly,
        Self::NotAllowed,
        Self::Locked,
        Self::Corrupt,
        Self::Unsupported,
        Self::Closed,
        Self::Poisoned,
        Self::Collective,
        Self::Cancelled,
        Self::Io,
    ];

    /// The name of the kind, as in the documentation.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotFound => "not found",
            Self::AlreadyExists => "already exists",
            Self::NotADataset => "not a dataset",
            Self::NotAGroup => "not a group",
            Self::InvalidName => "invalid name",
            Self::InvalidArgument => "invalid argument",
            Self::Shape => "shape",
            Self::Dtype => "dtype",
            Self::Selection => "selection",
            Self::ReadOnly => "read-only",
            Self::NotAllowed => "not allowed",
            Self::Locked => "locked",
            Self::Corrupt => "corrupt",
            Self::Unsupported => "unsupported",
            Self::Closed => "closed",
            Self::Poisoned => "poisoned",
            Self::Collective => "collective",
            Self::Cancelled => "cancelled",
            Self::Io => "input/output",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The cause behind an error, shared so that an error can be cloned to several ranks.
#[derive(Debug, Clone)]
struct Shared(Arc<dyn std::error::Error + Send + Sync + 'static>);

impl Deref for Shared {
    type Target = dyn std::error::Error + Send + Sync;

    fn deref(&self) -> &Self::Target {
        &*self.0
    }
}

/// The error of every call of this crate.
///
/// Opaque on purpose: ask for its [`kind`](Error::kind), the [`path`](Error::path) of the object, the
/// [`file`](Error::file), the [`rank`](Error::rank), the [`operation`](Error::operation) and the
/// [`remedy`](Error::remedy). `Display` gives all of them in one sentence.
#[derive(Clone, thiserror::Error)]
#[error(transparent)]
pub struct Error(Box<Inner>);

#[derive(Debug, Clone, thiserror::Error)]
struct Inner {
    kind: ErrorKind,
    message: String,
    path: Option<String>,
    file: Option<PathBuf>,
    rank: Option<usize>,
    operation: Option<String>,
    remedy: Option<String>,
    #[source]
    source: Option<Shared>,
}

impl fmt::Display for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(operation) = &self.operation {
            write!(f, "cannot {operation}: ")?;
        }
        f.write_str(&self.message)?;
        let mut where_ = Vec::new();
        if let Some(path) = &self.path {
            where_.push(format!("object '{path}'"));
        }
        if let Some(file) = &self.file {
            where_.push(format!("file \"{}\"", file.display()));
        }
        if let Some(rank) = self.rank {
            where_.push(format!("rank {rank}"));
        }
        if !where_.is_empty() {
            write!(f, " [{}]", where_.join(", "))?;
        }
        if let Some(source) = &self.source {
            write!(f, ": {}", source.0)?;
        }
        if let Some(remedy) = &self.remedy {
            write!(f, "; {remedy}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Error({:?}: {})", self.0.kind, self.0)
    }
}

impl Error {
    /// Makes an error of a kind with a sentence that says what is wrong.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            message: message.into(),
            path: None,
            file: None,
            rank: None,
            operation: None,
            remedy: None,
            source: None,
        }))
    }

    /// Makes an error from a failure of the operating system, with the kind that fits it.
    pub fn io(error: std::io::Error, file: impl AsRef<Path>) -> Self {
        use std::io::ErrorKind as Os;
        let kind = match error.kind() {
            Os::NotFound => ErrorKind::NotFound,
            Os::AlreadyExists => ErrorKind::AlreadyExists,
            Os::ReadOnlyFilesystem => ErrorKind::ReadOnly,
            _ => ErrorKind::Io,
        };
        let message = match error.kind() {
            Os::NotFound => "no such file or directory",
            Os::PermissionDenied => "permission denied",
            Os::StorageFull => "no space left on the device",
            Os::QuotaExceeded => "the disk quota is used up",
            Os::FileTooLarge => "the file would exceed the size limit",
            _ => "the operating system failed",
        };
        Self::new(kind, message).in_file(file).because(error)
    }

    /// Names the object, by its path in the tree. Keeps a path that is already there.
    #[must_use]
    pub fn at(mut self, path: impl Into<String>) -> Self {
        self.0.path.get_or_insert_with(|| path.into());
        self
    }

    /// Names the object, where its path is known.
    pub(crate) fn at_place(self, path: Option<&str>) -> Self {
        match path {
            Some(path) => self.at(path),
            None => self,
        }
    }

    /// Names the file. Keeps one that is already there.
    #[must_use]
    pub fn in_file(mut self, file: impl AsRef<Path>) -> Self {
        self.0.file.get_or_insert_with(|| file.as_ref().to_owned());
        self
    }

    /// Names the rank on which it happened first. Keeps one that is already there.
    #[must_use]
    pub fn on_rank(mut self, rank: usize) -> Self {
        self.0.rank.get_or_insert(rank);
        self
    }

    /// Says what was tried, as a verb phrase: "create the dataset". Keeps one that is already there.
    #[must_use]
    pub fn during(mut self, operation: impl Into<String>) -> Self {
        self.0.operation.get_or_insert_with(|| operation.into());
        self
    }

    /// Says what the user can do about it. Keeps one that is already there.
    #[must_use]
    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.0.remedy.get_or_insert_with(|| remedy.into());
        self
    }

    /// Attaches the cause.
    #[must_use]
    pub fn because(mut self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        self.0.source = Some(Shared(Arc::new(source)));
        self
    }

    /// What went wrong, in terms that a caller can act on.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The sentence that says what is wrong, without place and remedy.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The path of the object in its tree.
    pub fn path(&self) -> Option<&str> {
        self.0.path.as_deref()
    }

    /// The file.
    pub fn file(&self) -> Option<&Path> {
        self.0.file.as_deref()
    }

    /// The rank on which it happened first.
    pub fn rank(&self) -> Option<usize> {
        self.0.rank
    }

    /// What was tried, as a verb phrase.
    pub fn operation(&self) -> Option<&str> {
        self.0.operation.as_deref()
    }

    /// What the user can do about it. (The setter is [`remedy`](Error::remedy).)
    pub fn remedy_text(&self) -> Option<&str> {
        self.0.remedy.as_deref()
    }

    /// True if the object or file was not there.
    pub fn is_not_found(&self) -> bool {
        self.kind() == ErrorKind::NotFound
    }
}

/// Adds the place to the error of a result.
pub(crate) trait Context<T> {
    /// Names the object and what was tried.
    fn context(self, path: &str, operation: &str) -> Result<T>;

    /// As [`context`](Context::context), on calls where putting the names together would cost more than the work.
    fn with_context<P: Into<String>, O: Into<String>>(self, place: impl FnOnce() -> (P, O)) -> Result<T>;
}

impl<T> Context<T> for Result<T> {
    fn context(self, path: &str, operation: &str) -> Result<T> {
        self.map_err(|e| e.at(path).during(operation))
    }

    fn with_context<P: Into<String>, O: Into<String>>(self, place: impl FnOnce() -> (P, O)) -> Result<T> {
        self.map_err(|e| {
            let (path, operation) = place();
            e.at(path).during(operation)
        })
    }
}

macro_rules! bail {
    ($kind:ident, $($arg:tt)+) => {
        return Err($crate::error::Error::new($crate::error::ErrorKind::$kind, format!($($arg)+)))
    };
}
pub(crate) use bail;

macro_rules! error {
    ($kind:ident, $($arg:tt)+) => {
        $crate::error::Error::new($crate::error::ErrorKind::$kind, format!($($arg)+))
    };
}
pub(crate) use error;
