"""``boxmill detect`` beside what else one could do, in one run on one machine.

(a) the model is loaded for each frame; (b) the loop that a careful person writes: model once, PyAV, the same batch, one
process; (c) decoding alone; (d) the model alone, on frames in memory; and boxmill with one worker, with two, and with
one on a longer clip. Usage::

    python -m benchmarks.detect --model=frozen_inference_graph.pb --video=CLIP [--long_video=CLIP] [--repeat=2]

Start-up (imports, loading the model) is left out of rates: of (a) to (d) by the clock's place, of boxmill by a run over
the clip's first frame alone. Runs take turns, so that what else the machine does hits all alike, and each figure is
the best of its repeats. Processor time a frame is told beside, as a busy machine disturbs it less.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import av
import numpy as np

from benchmarks.processes import run

_FRAMES_ALONE = 3
_BATCHES_IN_MEMORY = 12
_OUTPUTS = ("detection_boxes", "detection_scores", "detection_classes", "num_detections")


@dataclass(frozen=True, slots=True)
class _Begun:
    """When a measurement began, by the clock and by the processor time of this process."""

    clock: float = field(default_factory=time.perf_counter)
    cpu: float = field(default_factory=time.process_time)


Model = Callable[[np.ndarray], Sequence[np.ndarray]]
Figures = dict[str, float]


def main() -> None:
    """Runs everything and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--video", required=True)
    parser.add_argument("--long_video")
    parser.add_argument("--batch_size", type=int, default=8)
    parser.add_argument("--repeat", type=int, default=2)
    parser.add_argument("--role", choices=list(_ROLES), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.role:
        print(json.dumps(_ROLES[arguments.role](arguments.model, arguments.video, arguments.batch_size)))
        return
    best: dict[str, Figures] = {}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(arguments.repeat):
            for role in _ROLES:
                _keep(best, role, _run_role(arguments, role))
            for name, video, extra in _boxmill_runs(arguments):
                output = os.path.join(folder, f"{len(best)}-{number}")
                _keep(best, name, _run_boxmill(arguments, video, output, extra))
    _report(best)


def frames_of(video: str) -> Iterator[np.ndarray]:
    """RGB frames, as PyAV's documentation has it."""
    with av.open(video) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        for frame in container.decode(stream):
            yield frame.to_ndarray(format="rgb24")


def load_model(path: str) -> Model:
    """A frozen graph in a Session, or a SavedModel's signature: what tutorials show."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import tensorflow as tf

    if not path.endswith(".pb"):
        signature = tf.saved_model.load(path).signatures["serving_default"]
        [key] = signature.structured_input_signature[1]
        return lambda batch: [signature(**{key: tf.constant(batch)})[name].numpy() for name in _OUTPUTS]
    graph = tf.Graph()
    with graph.as_default():
        graph_def = tf.compat.v1.GraphDef()
        graph_def.ParseFromString(Path(path).read_bytes())
        tf.graph_util.import_graph_def(graph_def, name="")
    session = tf.compat.v1.Session(graph=graph)
    fetches = [f"{name}:0" for name in _OUTPUTS]
    return lambda batch: session.run(fetches, {"image_tensor:0": batch})


def each_frame_alone(model: str, video: str, batch_size: int) -> Figures:
    """(a): the model is loaded for each frame."""
    del batch_size
    frames = [frame for frame, _ in zip(frames_of(video), range(_FRAMES_ALONE), strict=False)]
    load_model(model)(frames[0][None])  # TensorFlow itself is imported once
    begun = _Begun()
    for frame in frames:
        load_model(model)(frame[None])
    return _figures(len(frames), begun)


def careful_loop(model: str, video: str, batch_size: int) -> Figures:
    """(b): the model is loaded once, frames go through it in batches, the results to Parquet."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    detect = load_model(model)
    detect(np.stack([next(frames_of(video))] * batch_size))
    begun = _Begun()
    rows: list[tuple[int, int, float, list[float]]] = []
    batch: list[np.ndarray] = []
    count = 0

    def flush() -> None:
        nonlocal count
        boxes, scores, classes, _ = detect(np.stack(batch))
        for place in range(len(batch)):
            for i in np.flatnonzero(scores[place] >= 0.05):
                rows.append((count, int(classes[place][i]), float(scores[place][i]), boxes[place][i].tolist()))
            count += 1
        batch.clear()

    for frame in frames_of(video):
        batch.append(frame)
        if len(batch) == batch_size:
            flush()
    if batch:
        flush()
    columns = dict(zip(("frame", "class", "score", "box"), zip(*rows, strict=True), strict=True))
    with tempfile.TemporaryDirectory() as folder:
        pq.write_table(pa.table({name: list(values) for name, values in columns.items()}), f"{folder}/found.parquet")
    return _figures(count, begun)


def decoding_alone(model: str, video: str, batch_size: int) -> Figures:
    """(c): frames are decoded to RGB and dropped."""
    del model, batch_size
    begun = _Begun()
    return _figures(sum(1 for _ in frames_of(video)), begun)


def model_alone(model: str, video: str, batch_size: int) -> Figures:
    """(d): the model runs over frames that are in memory."""
    count = batch_size * _BATCHES_IN_MEMORY
    frames = [frame for frame, _ in zip(frames_of(video), range(count), strict=False)]
    batches = [np.stack(frames[start : start + batch_size]) for start in range(0, len(frames), batch_size)]
    detect = load_model(model)
    detect(batches[0])
    begun = _Begun()
    for batch in batches:
        detect(batch)
    return _figures(len(frames), begun)


_ROLES: dict[str, Callable[[str, str, int], Figures]] = {
    "a: model loaded for each frame": each_frame_alone,
    "b: careful loop": careful_loop,
    "c: decoding alone": decoding_alone,
    "d: model alone": model_alone,
}


def _figures(frames: int, begun: _Begun) -> Figures:
    seconds = time.perf_counter() - begun.clock
    return {"rate": frames / seconds, "frames": frames, "seconds": seconds, "cpu": time.process_time() - begun.cpu}


def _run_role(arguments: argparse.Namespace, role: str) -> Figures:
    flags = [f"--model={arguments.model}", f"--video={arguments.video}", f"--batch_size={arguments.batch_size}"]
    finished = run([sys.executable, "-m", "benchmarks.detect", *flags, f"--role={role}"])
    return {**json.loads(finished.output.splitlines()[-1]), "rss": finished.rss}


def _cpu_seconds() -> float:
    """Of all commands that have ended, with their children."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _boxmill_runs(arguments: argparse.Namespace) -> list[tuple[str, str, Sequence[str]]]:
    two = ("--direct_num_workers=2", "--direct_running_mode=multi_processing", "--segment_seconds=5")
    runs: list[tuple[str, str, Sequence[str]]] = [
        ("boxmill, 1 worker", arguments.video, ()),
        ("boxmill, 2 workers", arguments.video, two),
    ]
    if arguments.long_video:
        runs.append(("boxmill, 1 worker, long clip", arguments.long_video, ()))
    return runs


def _run_boxmill(arguments: argparse.Namespace, video: str, output: str, extra: Sequence[str]) -> Figures:
    command = [sys.executable, "-m", "pipelines.detect_video", f"--model={arguments.model}", *extra]
    command.append(f"--batch_size={arguments.batch_size}")
    first = f"{output}-first.nut"
    _write_first_frame(video, first)
    before = _cpu_seconds()
    started = run([*command, f"--videos={first}", f"--output={output}-start"])
    between = _cpu_seconds()
    finished = run([*command, f"--videos={video}", f"--output={output}"])
    cpu = (_cpu_seconds() - between) - (between - before)
    frames = json.loads(Path(output, "manifest.json").read_text())["counts"]["frames"]["processed"]
    seconds = finished.seconds - started.seconds
    return {
        "rate": frames / seconds,
        "frames": frames,
        "seconds": seconds,
        "cpu": cpu,
        "startup": started.seconds,
        "rss": finished.rss,
    }


def _write_first_frame(video: str, path: str) -> None:
    with av.open(path, "w") as out:
        frame = next(frames_of(video))
        stream = out.add_stream("rawvideo", rate=1)
        stream.height, stream.width, stream.pix_fmt = *frame.shape[:2], "rgb24"
        out.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        out.mux(stream.encode(None))


def _keep(best: dict[str, Figures], name: str, figures: Figures) -> None:
    """The faster of two runs, with the larger memory of both."""
    old = best.get(name)
    memory = max(figures["rss"], old["rss"] if old else 0.0)
    faster = figures if old is None or figures["rate"] > old["rate"] else old
    best[name] = {**faster, "rss": memory}


def _report(best: dict[str, Figures]) -> None:
    careful = best["b: careful loop"]["rate"]
    alone = best["a: model loaded for each frame"]["rate"]
    print(
        f"{'':<32}{'frames':>8}{'frames/s':>10}{'x of (b)':>10}{'x of (a)':>10}{'CPU ms/frame':>14}{'peak MiB':>10}"
        f"{'start-up':>10}"
    )
    for name, figures in best.items():
        startup = f"{figures['startup']:.1f} s" if "startup" in figures else ""
        ratios = f"{figures['rate'] / careful:>10.2f}{figures['rate'] / alone:>10.1f}"
        memory = f"{1000 * figures['cpu'] / figures['frames']:>14.1f}{figures['rss'] / 2**20:>10,.0f}"
        print(f"{name:<32}{figures['frames']:>8,}{figures['rate']:>10.2f}{ratios}{memory}{startup:>10}")
    long, short = best.get("boxmill, 1 worker, long clip"), best["boxmill, 1 worker"]
    if long:
        longer = long["frames"] / short["frames"]
        print(f"memory of a clip {longer:.1f}x as long: {long['rss'] / short['rss']:.3f}x")


if __name__ == "__main__":
    main()
