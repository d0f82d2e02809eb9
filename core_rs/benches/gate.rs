//! The cost of a gate's check from Rust, on a page that is open; the floor is reading the clock.

#![allow(missing_docs, reason = "criterion's macros write functions without")]
#![allow(
    clippy::unwrap_used,
    reason = "a benchmark may stop on what it did not expect"
)]

use std::hint::black_box;
use std::path::PathBuf;

use criterion::{Criterion, criterion_group, criterion_main};
use edgeguard_core::gate::{Gate, Scope, host_boot_id};
use edgeguard_core::page::{Clock, HostClock, LEASE_NS_MAX, PageWriter, StateWord};

/// A page that is open for a minute from each renewal on.
struct Page {
    folder: PathBuf,
    writer: PageWriter,
}

impl Page {
    fn open() -> Self {
        let folder =
            std::env::temp_dir().join(format!("edgeguard-gate-bench-{}", std::process::id()));
        std::fs::create_dir(&folder).unwrap();
        let path = folder.join("halt.A");
        let (mut writer, _) =
            PageWriter::claim(&path, "A", host_boot_id(), LEASE_NS_MAX, 1).unwrap();
        let active = StateWord {
            state: 2,
            ..StateWord::default()
        };
        writer.set_state(active, "");
        for scope in 0..32 {
            writer.set_scope(&format!("symbol:S{scope}"), active);
        }
        let mut page = Self { folder, writer };
        page.renew();
        page
    }

    fn renew(&mut self) {
        for _ in 0..3 {
            self.writer.beat(HostClock::new().boot_ns());
        }
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn check(criterion: &mut Criterion) {
    let mut page = Page::open();
    let path = page.folder.join("halt.A");
    let mut group = criterion.benchmark_group("gate");

    let clock = HostClock::new();
    group.bench_function("clock_exact", |bencher| {
        bencher.iter(|| black_box(clock.boot_ns()));
    });
    group.bench_function("clock_tick", |bencher| {
        bencher.iter(|| black_box(clock.tick()));
    });

    page.renew();
    let mut gate = Gate::new(&page.folder, "A");
    group.bench_function("check", |bencher| {
        bencher.iter(|| assert!(gate.check().is_ok()));
    });

    page.renew();
    let mut exact = Gate::with_clock(&path, "A", host_boot_id(), HostClock::exact());
    group.bench_function("check_exact", |bencher| {
        bencher.iter(|| assert!(exact.check().is_ok()));
    });

    page.renew();
    let scopes = [Scope::symbol("EURUSD"), Scope::strategy("trend")];
    group.bench_function("check_scopes", |bencher| {
        bencher.iter(|| assert!(gate.check_scopes(&scopes).is_ok()));
    });
    group.finish();
}

criterion_group!(benches, check);
criterion_main!(benches);
