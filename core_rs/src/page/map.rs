//! The mapping itself: the one place in `EdgeGuard` with `unsafe`.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{FileType, Mode, OFlags, Stat};
use rustix::mm::{MapFlags, ProtFlags};

use super::{PAGE_BYTES, PAGE_WORDS, Words};

/// Why a file is not taken for a halt page.
#[derive(Debug)]
#[non_exhaustive]
pub enum PageError {
    /// The file cannot be opened, created or mapped.
    Io(io::Error),
    /// Owner, permission bits, kind or size are not those of a page; the sentence says which.
    Unsafe(String),
}

impl std::fmt::Display for PageError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Io(error) => write!(f, "{error}"),
            Self::Unsafe(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for PageError {}

impl From<io::Error> for PageError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<rustix::io::Errno> for PageError {
    fn from(error: rustix::io::Errno) -> Self {
        Self::Io(error.into())
    }
}

/// A mapped page. The descriptor stays open, so that the owner can see the file shrink or vanish.
#[derive(Debug)]
pub struct Map {
    base: NonNull<AtomicU64>,
    writable: bool,
    fd: OwnedFd,
}

// SAFETY: the mapping lives as long as `Map`, is only ever reached through atomics, and its address
// does not depend on the thread.
#[allow(unsafe_code, reason = "shared memory cannot be had without it")]
unsafe impl Send for Map {}
// SAFETY: as above; every access is atomic.
#[allow(unsafe_code, reason = "shared memory cannot be had without it")]
unsafe impl Sync for Map {}

impl Map {
    /// Opens an existing page, never through a symbolic link.
    ///
    /// # Errors
    /// [`PageError`] when the file is missing, not ours, open to others, or not 4096 bytes.
    pub fn open(path: &Path, writable: bool) -> Result<Self, PageError> {
        let mode = if writable {
            OFlags::RDWR
        } else {
            OFlags::RDONLY
        };
        let flags = mode | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let fd = rustix::fs::open(path, flags, Mode::empty())?;
        check(&rustix::fs::fstat(&fd)?)?;
        Self::from_fd(fd, writable)
    }

    /// Creates a zeroed page under a name that must not exist yet, readable by its owner alone.
    ///
    /// # Errors
    /// [`PageError::Io`] when the name exists or the file system refuses.
    pub fn create(path: &Path) -> Result<Self, PageError> {
        let flags =
            OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR)?;
        let size = u64::try_from(PAGE_BYTES).unwrap_or(0);
        // The file is new and unmapped: the only time that its size is ever set. Allocating the
        // block now means that a full tmpfs fails here and not by SIGBUS at the first store.
        rustix::fs::ftruncate(&fd, size)?;
        rustix::fs::fallocate(&fd, rustix::fs::FallocateFlags::empty(), 0, size)?;
        Self::from_fd(fd, true)
    }

    /// Returns whether the file still has a name and the size of a page.
    ///
    /// Reading a mapped file that has shrunk raises SIGBUS, so a reader asks this first.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        rustix::fs::fstat(&self.fd)
            .is_ok_and(|stat| stat.st_nlink > 0 && usize::try_from(stat.st_size) == Ok(PAGE_BYTES))
    }

    #[allow(unsafe_code, reason = "shared memory cannot be had without it")]
    fn from_fd(fd: OwnedFd, writable: bool) -> Result<Self, PageError> {
        let access = if writable {
            ProtFlags::READ | ProtFlags::WRITE
        } else {
            ProtFlags::READ
        };
        // SAFETY: a fresh shared mapping at an address of the kernel's choice aliases nothing of
        // Rust's; the file was checked to hold PAGE_BYTES.
        let base = unsafe {
            rustix::mm::mmap(
                std::ptr::null_mut(),
                PAGE_BYTES,
                access,
                MapFlags::SHARED,
                &fd,
                0,
            )?
        };
        let base = NonNull::new(base.cast::<AtomicU64>())
            .ok_or_else(|| PageError::Unsafe("mmap must not return null".to_owned()))?;
        Ok(Self { base, writable, fd })
    }

    #[allow(unsafe_code, reason = "shared memory cannot be had without it")]
    fn atomics(&self) -> &[AtomicU64] {
        // SAFETY: the mapping is page aligned, PAGE_BYTES long and lives as long as `self`; other
        // processes change it, which atomics allow.
        unsafe { std::slice::from_raw_parts(self.base.as_ptr(), PAGE_WORDS) }
    }
}

impl Words for Map {
    fn load(&self, index: usize) -> u64 {
        self.atomics()
            .get(index)
            .map_or(0, |word| word.load(Ordering::Acquire))
    }

    fn store(&self, index: usize, value: u64) {
        if !self.writable {
            return;
        }
        if let Some(word) = self.atomics().get(index) {
            word.store(value, Ordering::Release);
        }
    }

    fn swap_if(&self, index: usize, seen: u64, value: u64) -> bool {
        self.writable
            && self.atomics().get(index).is_some_and(|word| {
                word.compare_exchange(seen, value, Ordering::AcqRel, Ordering::Acquire)
                    .is_ok()
            })
    }
}

impl Drop for Map {
    #[allow(unsafe_code, reason = "shared memory cannot be had without it")]
    fn drop(&mut self) {
        // SAFETY: `base` is the mapping made in `from_fd`, and no borrow outlives `self`. A failure
        // leaks one page, which is harmless.
        let _ = unsafe { rustix::mm::munmap(self.base.as_ptr().cast(), PAGE_BYTES) };
    }
}

/// Refuses a file that is not a page of this user's, private to this user.
fn check(stat: &Stat) -> Result<(), PageError> {
    let uid = rustix::process::geteuid();
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(PageError::Unsafe("page must be a regular file".to_owned()));
    }
    if stat.st_uid != uid.as_raw() && !uid.is_root() {
        return Err(PageError::Unsafe(format!(
            "page must belong to user {}, was user {}",
            uid.as_raw(),
            stat.st_uid
        )));
    }
    if stat.st_mode & 0o077 != 0 {
        return Err(PageError::Unsafe(format!(
            "page must be readable by its owner alone (0600), was {:04o}",
            stat.st_mode & 0o7777
        )));
    }
    if usize::try_from(stat.st_size) != Ok(PAGE_BYTES) {
        return Err(PageError::Unsafe(format!(
            "page must have {PAGE_BYTES} bytes, was {}",
            stat.st_size
        )));
    }
    Ok(())
}
