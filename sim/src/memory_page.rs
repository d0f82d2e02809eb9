//! A halt page in memory: the shipped writer and judge work on it as on the mapped file.

use std::cell::Cell;
use std::rc::Rc;

use edgeguard_core::page::{LAYOUT, MAGIC, PAGE_WORDS, Words, word};

#[derive(Debug)]
struct Memory {
    words: Vec<Cell<u64>>,
    linked: Cell<bool>,
}

/// A mapping of one page; clones map the same memory.
#[derive(Clone, Debug)]
pub struct PageRef(Rc<Memory>);

impl PageRef {
    /// Makes a page with the header of a boot; the caller claims it.
    pub fn new(boot: u64) -> Self {
        let words = (0..PAGE_WORDS).map(|_| Cell::new(0)).collect();
        let page = Self(Rc::new(Memory {
            words,
            linked: Cell::new(true),
        }));
        page.store(word::LAYOUT, LAYOUT);
        page.store(word::BOOT, boot);
        page.store(word::MAGIC, MAGIC);
        page
    }

    /// Takes the name away; who has it mapped sees that.
    pub fn unlink(&self) {
        self.0.linked.set(false);
    }

    pub fn is_whole(&self) -> bool {
        self.0.linked.get()
    }

    pub fn is_of(&self, boot: u64) -> bool {
        self.load(word::MAGIC) == MAGIC && self.load(word::BOOT) == boot
    }
}

impl Words for PageRef {
    fn load(&self, index: usize) -> u64 {
        self.0.words.get(index).map_or(0, Cell::get)
    }

    fn store(&self, index: usize, value: u64) {
        if let Some(cell) = self.0.words.get(index) {
            cell.set(value);
        }
    }

    fn swap_if(&self, index: usize, seen: u64, value: u64) -> bool {
        let is_same = self.load(index) == seen;
        if is_same {
            self.store(index, value);
        }
        is_same
    }
}
