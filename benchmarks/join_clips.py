"""Makes one clip of several, all frames scaled to one size: what ``benchmarks.detect`` measures on. Usage::

python -m benchmarks.join_clips --output=clip.mp4 [--size=768x576] [--times=1] CLIP...
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from fractions import Fraction

import av

_RATE = 25


def join_clips(output: str, clips: Sequence[str], size: tuple[int, int]) -> int:
    """Writes H.264 at 25 frames/s with the frames of all clips, one after another; returns how many."""
    count = 0
    with av.open(output, "w") as out:
        stream = out.add_stream("libx264", rate=_RATE, options={"preset": "veryfast", "crf": "20"})
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for clip in clips:
            with av.open(clip) as container:
                for frame in container.decode(container.streams.best("video")):
                    scaled = frame.reformat(*size, format="yuv420p")
                    scaled.pts, scaled.time_base = count, Fraction(1, _RATE)
                    out.mux(stream.encode(scaled))
                    count += 1
        out.mux(stream.encode(None))
    return count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", required=True)
    parser.add_argument("--size", default="768x576", help="width x height")
    parser.add_argument("--times", type=int, default=1, help="how often the clips follow each other")
    parser.add_argument("clips", nargs="+")
    arguments = parser.parse_args()
    width, height = map(int, arguments.size.split("x"))
    count = join_clips(arguments.output, arguments.clips * arguments.times, (width, height))
    print(f"{arguments.output}: {count} frames of {width}x{height}")


if __name__ == "__main__":
    main()
