//! Who holds a lock: written into the lock file for the message of those who find it held. It decides nothing.

use super::filesystem::File;
use parking_lot::Mutex;
use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The first line of a lock file.
const MAGIC: &str = "memh5 lock\n";

/// A lock file is never longer than this.
const LIMIT: usize = 4096;

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Holder {
    host: String,
    pid: u32,
    /// Clock ticks from boot to the start of the process, which tells it from a later one with the same number.
    started: Option<u64>,
    program: String,
    since: String,
}

impl Holder {
    /// This process, now.
    pub fn this() -> Self {
        // What stays the same is looked up once: it takes longer than the lock.
        static THIS: Mutex<Option<Holder>> = Mutex::new(None);
        let pid = std::process::id();
        let mut this = THIS.lock();
        // (A child that was forked is another process.)
        let this = match &mut *this {
            Some(this) if this.pid == pid => this,
            other => {
                let program = std::env::args_os().next().unwrap_or_default();
                let program = std::path::Path::new(&program).file_name().unwrap_or_default().to_string_lossy().into_owned();
                other.insert(Self { host: host(), pid, started: start_of(pid), program, since: String::new() })
            }
        };
        Self { since: utc(SystemTime::now()), ..this.clone() }
    }

    /// The content of the lock file.
    pub fn to_text(&self) -> String {
        let clean = |s: &str| s.chars().filter(|c| !c.is_control()).take(200).collect::<String>();
        let started = self.started.map_or(String::new(), |s| format!("started {s}\n"));
        format!(
            "{MAGIC}host {}\npid {}\n{started}program {}\nsince {}\nend\n",
            clean(&self.host),
            self.pid,
            clean(&self.program),
            self.since
        )
    }

    /// Reads what [`to_text`](Self::to_text) wrote; `None` if it is not all there.
    fn parse(text: &str) -> Option<Self> {
        let mut holder = Self::default();
        let body = text.strip_prefix(MAGIC)?.strip_suffix("end\n")?;
        for line in body.lines() {
            let (key, value) = line.split_once(' ')?;
            match key {
                "host" => holder.host = value.to_owned(),
                "pid" => holder.pid = value.parse().ok()?,
                "started" => holder.started = Some(value.parse().ok()?),
                "program" => holder.program = value.to_owned(),
                "since" => holder.since = value.to_owned(),
                _ => {}
            }
        }
        Some(holder)
    }

    /// True if it is certain that this process has ended.
    fn has_ended(&self) -> bool {
        cfg!(target_os = "linux") && self.host == host() && self.started.is_some() && start_of(self.pid) != self.started
    }

    /// Describes the holder of an open lock file.
    ///
    /// A new holder writes its name a moment after it has the lock; until then the file holds nothing, or the name of the last
    /// one that died. So this looks again a few times.
    pub fn describe(file: &dyn File) -> String {
        for _ in 0..5 {
            let bytes = file.read_up_to(LIMIT).unwrap_or_default();
            match Self::parse(&String::from_utf8_lossy(&bytes)) {
                Some(holder) if !holder.has_ended() => return holder.to_string(),
                _ => std::thread::sleep(Duration::from_millis(4)),
            }
        }
        "another process, which has not left its name".to_owned()
    }
}

/// True if this may be the content of a lock file: ours, whole or in part; empty, as caput's; or zeros, as a power failure leaves.
pub(super) fn is_lock_content(content: &[u8]) -> bool {
    let magic = MAGIC.as_bytes();
    content.starts_with(magic) || magic.starts_with(content) || content.iter().all(|b| *b == 0)
}

/// As much of a lock file as [`is_lock_content`] needs.
pub(super) fn head(file: &dyn File) -> std::io::Result<Vec<u8>> {
    file.read_up_to(LIMIT)
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, pid, program, since, .. } = self;
        write!(f, "process {pid} ({program}) on host {host}, since {since}")
    }
}

#[cfg(unix)]
fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
#[cfg(not(unix))]
fn host() -> String {
    std::env::var("COMPUTERNAME").unwrap_or_default()
}

/// When a process started, in clock ticks since boot; `None` if there is no such process, or no `/proc`.
fn start_of(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The program's name, in brackets, may hold spaces and brackets; the 22nd field is the 20th after it.
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(19)?.parse().ok()
}

/// A time as `2026-11-21T04:30:00Z`.
fn utc(time: SystemTime) -> String {
    let seconds = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    // Years that begin in March put the leap day last, and 400 of them have 146,097 days.
    let shifted = days + 719_468;
    let (era, day) = (shifted / 146_097, shifted % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (year, month) = if month < 10 { (year, month + 3) } else { (year + 1, month - 9) };
    let year = year + era * 400;
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", rest / 3600, rest / 60 % 60, rest % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_reads_back() {
        let holder = Holder { host: "a b".into(), pid: 7, started: Some(9), program: "x\ny".into(), since: utc(UNIX_EPOCH) };
        let back = Holder::parse(&holder.to_text()).unwrap();
        assert_eq!(back, Holder { program: "xy".into(), ..holder.clone() });
        let text = holder.to_text();
        for end in 0..text.len() {
            assert_eq!(Holder::parse(&text[..end]), None, "a part of the text is no name");
            assert!(is_lock_content(&text.as_bytes()[..end]));
        }
        assert!(is_lock_content(&[0; 77]));
        assert!(!is_lock_content(b"\x89HDF\r\n"));
    }

    #[test]
    fn this_process_lives_and_others_do_not() {
        let me = Holder::this();
        assert!(!me.has_ended());
        if cfg!(target_os = "linux") {
            assert!(Holder { started: me.started.map(|s| s + 1), ..me.clone() }.has_ended(), "the number was used again");
            assert!(Holder { pid: u32::MAX - 1, ..me.clone() }.has_ended());
            assert!(!Holder { host: "elsewhere".into(), pid: u32::MAX - 1, ..me }.has_ended(), "nothing is known of other hosts");
        }
    }

    #[test]
    fn times() {
        let at = |s| utc(UNIX_EPOCH + Duration::from_secs(s));
        assert_eq!(at(0), "1970-01-01T00:00:00Z");
        assert_eq!(at(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(at(1_709_164_799), "2024-02-28T23:59:59Z");
        assert_eq!(at(4_107_542_400), "2100-03-01T00:00:00Z");
    }
}
