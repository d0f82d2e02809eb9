"""EdgeGuard's benchmarks: `python -m benches --help`; the method is in `docs/PERFORMANCE.md`."""
