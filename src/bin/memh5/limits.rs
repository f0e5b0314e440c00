//! Limits that the operating system enforces on this process: the only unsafe calls of the tool.

#![allow(unsafe_code)]

/// Lets this process use at most that many bytes of address space.
pub fn limit_memory(bytes: u64) {
    set(libc::RLIMIT_AS, bytes);
}

/// Lets this process leave no core file behind when it crashes.
pub fn no_core_file() {
    set(libc::RLIMIT_CORE, 0);
}

fn set(resource: libc::__rlimit_resource_t, bytes: u64) {
    let limit = libc::rlimit { rlim_cur: bytes, rlim_max: bytes };
    // SAFETY: the call reads the struct behind the pointer, which is valid for its time, and keeps nothing.
    let _ = unsafe { libc::setrlimit(resource, &raw const limit) };
}

/// Ends this process when the one that started it ends.
pub fn end_with_parent() {
    // SAFETY: the option takes a signal number and no pointer.
    let _ = unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
}
