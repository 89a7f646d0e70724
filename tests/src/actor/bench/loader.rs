//! What reads a training set: threads that open small files, read each to its end, and close it.

use super::super::open;
use super::FLAGS;
use crate::Context;
use std::ffi::CString;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

/// Files, which stay in the page cache.
const FILES: usize = 256;
/// Bytes of each.
const SIZE: usize = 100_000;

/// The files, beside `path`, and how many threads read them: one a CPU.
pub struct Loader {
    paths: Vec<CString>,
    threads: u64,
}

impl Loader {
    /// Makes the files, unless they are there.
    pub fn new(path: &Path) -> io::Result<Loader> {
        let directory = path.with_file_name("samples");
        fs::create_dir_all(&directory).context(|| directory.display().to_string())?;
        let make = |number| {
            let path = directory.join(format!("{number}.jpg"));
            if fs::metadata(&path).map_or(0, |data| data.len()) != SIZE as u64 {
                fs::write(&path, vec![7; SIZE]).context(|| path.display().to_string())?;
            }
            open::c_path(&path)
        };
        let paths = (0..FILES).map(make).collect::<io::Result<_>>()?;
        Ok(Loader { paths, threads: thread::available_parallelism()?.get() as u64 })
    }

    /// Times `count` files.
    pub fn load(&self, count: u64) -> io::Result<Duration> {
        let each = count.div_ceil(self.threads);
        let start = Instant::now();
        thread::scope(|scope| {
            let load = |first| move || (first..first + each).try_for_each(|number| self.one(number));
            let threads: Vec<_> = (0..self.threads).map(|number| scope.spawn(load(number * each))).collect();
            threads.into_iter().try_for_each(|one| one.join().unwrap_or_else(|_| Err(io::Error::other("it panicked"))))
        })?;
        Ok(start.elapsed())
    }

    /// How many operations a batch of `count` is.
    pub fn rounded(&self, count: u64) -> u64 {
        count.div_ceil(self.threads) * self.threads
    }

    fn one(&self, number: u64) -> io::Result<()> {
        let Some(path) = self.paths.get(number as usize % FILES) else { return Ok(()) };
        let mut file = File::from(open::openat(path, FLAGS)?);
        let mut buffer = [0; 16 << 10];
        while file.read(&mut buffer)? > 0 {}
        Ok(())
    }
}
