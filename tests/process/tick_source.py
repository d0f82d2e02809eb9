"""A feed in a process of its own: so many ticks a second, by the clock, whatever the guard does.

    python -m tests.process.tick_source ENDPOINT TICKS_PER_S TICKS_PER_MESSAGE

Prints at its end, when its standard input closes, how many ticks and messages it sent and how many
milliseconds it was behind at worst, as JSON.
"""

from __future__ import annotations

import random
import select
import sys

import msgspec

from edgeguard.clock import NS_PER_MS, NS_PER_S
from edgeguard.codec.native import encode
from edgeguard.messages import Heartbeat, Tick, TickBatch
from edgeguard.transport import make_context, publisher
from tests.process.guard_rig import CLOCK

TURN_S = 0.002


def main() -> None:
    endpoint, rate, size = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    rng = random.Random(1)
    context = make_context()
    feeds = publisher(context, endpoint, bind=False)
    epoch = CLOCK.wall_ns()
    begun_ns = next_beat_ns = CLOCK.boot_ns()
    mid, messages, beats, behind_ns = 110_000, 0, 0, 0
    while not select.select([sys.stdin], [], [], TURN_S)[0]:
        now_ns = CLOCK.boot_ns()
        due = (now_ns - begun_ns) * rate // NS_PER_S // size
        behind_ns = max(behind_ns, (due - messages) * size * NS_PER_S // rate)
        while messages < due:
            messages += 1
            # A walk that comes back: prices move and no limit breaks.
            mid += rng.choice((-1, 0, 1)) + (110_000 - mid) // 200
            ticks = tuple(Tick("EURUSD", mid / 1e5, (mid + 10) / 1e5) for _ in range(size))
            batch = TickBatch("A", "main", epoch, messages, CLOCK.wall_ns(), ticks)
            feeds.send_multipart((b"A.main", encode(batch)))
        if now_ns >= next_beat_ns:
            beats += 1
            next_beat_ns = now_ns + NS_PER_S
            feeds.send_multipart(
                (b"A.engine", encode(Heartbeat("A", "engine", epoch, beats, CLOCK.wall_ns())))
            )
    told = {
        "ticks": messages * size,
        "messages": messages,
        "per_s": messages * size * NS_PER_S // (CLOCK.boot_ns() - begun_ns),
        "behind_ms": behind_ns // NS_PER_MS,
    }
    sys.stdout.write(msgspec.json.encode(told).decode() + "\n")
    context.destroy(linger=0)


if __name__ == "__main__":
    main()
