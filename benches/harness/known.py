"""What is known of the bounds that were missed: the best reached, what was tried, and the reason.

A report shows it for each bound that it calls missed; `docs/PERFORMANCE.md` has the attempts in
full, under the heading that is named last. A bound that is missed and not named here is news.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from benches.harness.result import Figure


class Known(NamedTuple):
    """What is known of one bound."""

    best: str
    """The best figure reached, with its unit."""
    why: str
    """Profile, attempts with their figures, reason."""
    heading: str
    """Where the manual has it in full."""


_COLD: Final = "What was found, tried, and what did not help"
_TAIL: Final = (
    "By stamps the excess is in the writers' turns: a tick comes while rows and their sync run on "
    "the same core, in a kernel that is not preempted. p99 by attempts: 1.95 as it was; switch "
    "interval 0.1 ms 1.50; writers at nice 10 1.43 and 1.37, at nice 5 1.34 and 1.44, SCHED_BATCH "
    "1.16 (kept); rows gathered for 20 ms 1.28 and 1.04 (kept, three pairs each); slices and "
    "priorities of libzmq's thread and gathering for 50 or 100 ms not told apart"
)
_WARM: Final = (
    "By stamps what is left are misses of the caches: the engine's call takes 0.9 us in a loop and "
    "9 after 3 ms. Decision to first byte 35 us in twenty functions of Python, 9 to 13 in one call "
    "of the extension; with a yield after the send from there to received 45 us, 150 without; beat "
    "and rows out of the turn 1.22 to 1.27 before, 1.10 and 1.11 after"
)
_HALTS: Final = (
    "Each halt is of an account that nobody has touched for half a second, so all of it is cold; "
    "of 64 halts the p99 is the slowest, which comes within a millisecond or so of the one before "
    "and waits for its record, its order to flatten and two syncs, by the scheduler's timeline. "
    "p99 by attempts: 2.8 and 3.2 as it was, beats in turns 2.0, record by account 1.57 and 1.18 "
    "(three pairs each); what follows a halt behind the ticks that wait: the last of 64 halts at "
    "once after 5 ms, 43 before; six settings of the scheduler not told apart"
)
KNOWN: Final[dict[str, Known]] = {
    "core step with decoding / bare loop without": Known(
        "2.03 x",
        (
            "Only the core decodes, 4 ns a tick, and the floor takes 6 where it took 11 to 12 when "
            "the bound was written. Both from frames: 1.25 x. Instructions a tick by attempts: "
            "3,607 as it was, a corridor of equity 412, a narrow path for plain ticks 328, names "
            "as one word 236 (callgrind: 72 % had been the judging of limits)"
        ),
        _COLD,
    ),
    "through Python, one tick per frame / core in batches": Known(
        "4.9 x",
        (
            "A call that takes nothing costs most of it: by perf 39 % of such a call is the "
            "interpreter's own, 15 % the reading of integers. Instructions of a lone frame: 1,163 "
            "as it was, heads compared instead of decoded 725, no buffers 620; by value 10 % less; "
            "calls by map 4.9 x. The guard hands 64 frames over in one call, which is the row "
            "below"
        ),
        _COLD,
    ),
    "single-tick frames as the guard takes them / core in batches": Known(
        "2.4 x",
        (
            "A fifth of a frame are the six calls of the stable ABI for an item of a list. By "
            "value 2.60 to 2.67, the way of unknown streams apart and the head word by word not "
            "told apart"
        ),
        _COLD,
    ),
    "gate check from Rust": Known(
        "6.3 ns",
        (
            "By perf 64 % are the two coarse clocks of the vDSO. 27.8 ns with the exact clock at "
            "every check, 7.1 once a tick, 6.8 with the exact way apart, 6.3 by exclusive or"
        ),
        "Gate",
    ),
    "gate check from Python, no arguments": Known(
        "31 ns",
        (
            "129 ns as Python around the extension's reader, 46 the reader alone, 31 as one native "
            "method; moves with the host as the empty call beside it does"
        ),
        "Gate",
    ),
    "decision to page visible in another process, p99": Known(
        "0.73 us",
        (
            "The bare store beside it tells what the machine takes. By attempts: the stamp in a "
            "list 0.73 to 0.94, in an array 1.02 to 1.12, behind the call 0.73 to 0.75; the "
            "state's line first not told apart"
        ),
        "Page",
    ),
    "tick to pause, ipc: guard / native echo, p50": Known(
        "1.10 x",
        _WARM,
        _COLD,
    ),
    "tick to pause, tcp: guard / native echo, p50": Known(
        "1.10 x",
        _WARM,
        _COLD,
    ),
    "tick to pause, tcp with CURVE: guard / native echo, p50": Known(
        "1.18 x",
        _WARM,
        _COLD,
    ),
    "tick to pause, ipc: guard / native echo, p99": Known(
        "1.04 x in three pairs, 1.41 x in seven",
        _TAIL,
        _COLD,
    ),
    "tick to pause, tcp: guard / native echo, p99": Known(
        "1.45 x",
        _TAIL,
        _COLD,
    ),
    "tick to pause, tcp with CURVE: guard / native echo, p99": Known(
        "1.48 x",
        _TAIL,
        _COLD,
    ),
    "tick to halt, ipc: guard / native echo, p50": Known(
        "1.37 x",
        _HALTS,
        _COLD,
    ),
    "tick to halt, ipc: guard / native echo, p99": Known(
        "1.18 x in three pairs, 1.85 x in seven",
        _HALTS,
        _COLD,
    ),
    "300,000 single-tick messages/s: lag p50": Known(
        "300 us",
        (
            "There and back, which takes the native echo some 190 under the same flood. By perf a "
            "quarter is the change between libzmq's thread and the loop, no function of ours above "
            "2 %. To receive a message took 2.0 us by recv_multipart, 1.6 with RCVMORE by hand, "
            "1.2 by frames, 0.3 to 0.5 by bare recv; the guard in all 9.2 before that and chunks, "
            "1.7 after"
        ),
        _COLD,
    ),
    "300,000 single-tick messages/s: lag until taken, p50": Known(
        "130 us",
        ("One way, of which the flood's slices of 50 us are a half; as the row above"),
        _COLD,
    ),
    "tick to pause under load / idle, p99": Known(
        "1.26 x",
        (
            "By stamps of every turn of the loop. p99 / idle by attempts: 4.6 and 4.3 as it was, "
            "status one account a turn 2.5, a yield between turns 2.4 and 2.6, the load under "
            "SCHED_IDLE 2.1 and 1.7, rows by executemany 2.3; what is left are turns of up to 0.8 "
            "ms and 35 syncs a second"
        ),
        _COLD,
    ),
    "guard idle, share of a core": Known(
        "0.81 %",
        (
            "Twenty wake-ups a second that run cold. 2.4 % with a timer each 10 ms, 0.8 on the "
            "engine's own deadlines; one poll for all sockets not told apart; a journal that "
            "sleeps 7 to 21 % less"
        ),
        _COLD,
    ),
    "flatten of 60, c = 5 ms": Known(
        "1.14 x N x c",
        (
            "A bare client of the same terminal takes 1.04 to 1.23, by the host. From an answer to "
            "the next arrival 1.0 to 1.4 ms: the intent's sync 0.3, two hops of 0.2 to 0.3, "
            "planning and record 0.2. By attempts: 1.42 as it was, answers told while the next "
            "request is on its way 1.29, the next intent written meanwhile 1.14 to 1.17; a "
            "preallocated log saves 0.03 ms of 0.13 and is not kept. More of it in docs/FLATTEN.md"
        ),
        "Bounds that are not met, and why",
    ),
    "edgeguard halt: imports to first byte": Known(
        "29 ms",
        (
            "Beyond a bare interpreter of 8 ms, whose own time it moves with: 62 ms with pyzmq, 49 "
            "without it, 31 without msgspec, 29 without socket's tables. 12 to 18 ms of bare "
            "interpreter were measured on the hosts of the last runs"
        ),
        "Start-up",
    ),
}


def lines(figures: Iterable[Figure]) -> list[str]:
    """Return a line for each bound that was missed."""
    return [_line(one) for one in figures if one.verdict == "missed"]


def _line(figure: Figure) -> str:
    known = KNOWN.get(figure.name)
    if known is None:
        return f"{figure.name}: not known before this run."
    return f"{figure.name}: best {known.best}. {known.why}. docs/PERFORMANCE.md, {known.heading}."
