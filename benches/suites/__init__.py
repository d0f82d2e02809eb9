"""One module per group of figures; each has `run(bench)` that yields `Figure`s."""
