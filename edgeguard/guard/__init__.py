"""The guard: one process that decides, closes, tells and remembers. `run_guard` is its entry."""
