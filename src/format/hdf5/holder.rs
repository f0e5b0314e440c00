//! Who holds the lock of a file.

use std::fs;
use std::path::Path;

/// The holder of the file's lock in words, as far as the system tells.
pub(super) fn describe(path: &Path) -> String {
    match find(path) {
        Some((pid, name)) if pid == std::process::id() => format!("this process ({name}) has it open already"),
        Some((pid, name)) => format!("the process {pid} ({name}) holds it"),
        None => "another process holds it".to_owned(),
    }
}

/// The process that locks the file, from the kernel's list; else one that has it open.
#[cfg(target_os = "linux")]
fn find(path: &Path) -> Option<(u32, String)> {
    use std::os::unix::fs::MetadataExt;
    let wanted = fs::metadata(path).ok()?;
    let end = format!(":{}", wanted.ino());
    let locks = fs::read_to_string("/proc/locks").unwrap_or_default();
    // `1: FLOCK  ADVISORY  WRITE 4711 08:02:131073 0 EOF`; a waiting one has `->` behind the number.
    let locked = locks.lines().filter(|l| !l.contains("->")).filter_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let pid: u32 = words.get(4)?.parse().ok()?;
        words.get(5)?.ends_with(&end).then_some(pid)
    });
    let has_open = |pid: u32| {
        let files = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        files.filter_map(|f| fs::metadata(f.path()).ok()).any(|m| (m.dev(), m.ino()) == (wanted.dev(), wanted.ino()))
    };
    let candidates: Vec<u32> = locked.collect();
    // An inode number may be on several devices: believe the one that has the file open, if we may look.
    let pid = candidates.iter().copied().find(|pid| has_open(*pid)).or_else(|| candidates.first().copied());
    let pid = pid.or_else(|| {
        let all = fs::read_dir("/proc").into_iter().flatten().flatten();
        all.filter_map(|d| d.file_name().to_str()?.parse().ok()).find(|pid| *pid != std::process::id() && has_open(*pid))
    })?;
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).map(|n| n.trim().to_owned()).unwrap_or_else(|_| "a program".into());
    Some((pid, name))
}

#[cfg(not(target_os = "linux"))]
fn find(_path: &Path) -> Option<(u32, String)> {
    None
}
