"""The journal: one append-only, hash-chained SQLite database that a single thread writes."""

from edgeguard.journal.chain import GENESIS, Entry, chain_hash
from edgeguard.journal.reading import Verdict, export, read_state, tail, verify
from edgeguard.journal.writer import Journal, Ticket, give_way

__all__ = [
    "GENESIS",
    "Entry",
    "Journal",
    "Ticket",
    "Verdict",
    "chain_hash",
    "export",
    "give_way",
    "read_state",
    "tail",
    "verify",
]
