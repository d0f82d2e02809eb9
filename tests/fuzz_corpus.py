"""Write the first inputs of the fuzz targets: python -m tests.fuzz_corpus FOLDER."""

import sys
from pathlib import Path

from tests.unit.test_mutator import originals

LIVE, REPLAY = b"\x01", b"\x00"
FRAME_AFTER_1_MS = (4 << 3) | 2
TICK_FILES = (
    b"\x0046.2042,1.38694,1.38705\n50,1.38695,1.38706\n",
    b"\x01recv_ns,bid,bid_qty,ask,ask_qty\n1723161471870384072,61837.63,1,61837.64,2\n",
    b"\x02<DATE>\t<TIME>\t<BID>\t<ASK>\n2024.05.01\t00:00:01.123\t\t1.2\n",
    b"\x03Gmt time,Ask,Bid,AskVolume,BidVolume\n01.05.2014 00:00:00.292,1.2,1.1,1,1\n",
    b"\x04" + bytes(range(20)) * 3,
)


def record(frame: bytes) -> bytes:
    """Return one record of the step target's input."""
    return bytes([FRAME_AFTER_1_MS]) + len(frame).to_bytes(2, "big") + frame


def main(folder: Path) -> None:
    """Write one file for each input, in a folder for each target."""
    frames = originals()
    history = b"".join(record(frame) for frame in frames)
    corpus = {
        "wire": frames,
        "step": [
            mode + part for mode in (LIVE, REPLAY) for part in (*map(record, frames), history)
        ],
        "ticks": list(TICK_FILES),
    }
    for target, inputs in corpus.items():
        (folder / target).mkdir(parents=True, exist_ok=True)
        for number, data in enumerate(inputs):
            (folder / target / f"original{number}").write_bytes(data)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
