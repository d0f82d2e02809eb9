"""Contract tests: what others may rely on, shown over real processes and packages."""
