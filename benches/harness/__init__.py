"""What neither pytest-benchmark nor criterion does: pairs of pinned processes, judged honestly."""
