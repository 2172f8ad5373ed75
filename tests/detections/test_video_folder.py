from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.fake_gcs import FakeGcs, Fault, cloud
from transforms import storage
from transforms.detections.output_folder import whole_file
from transforms.detections.video_folder import new_folder


@pytest.fixture
def gcs(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeGcs]:
    yield from cloud("bucket", monkeypatch=monkeypatch)


@pytest.fixture(params=["local", "gs"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "local":
        return str(tmp_path / "out")
    request.getfixturevalue("gcs")
    return "gs://bucket/out"


def write(place: str, *names: str) -> None:
    storage.write_whole(f"{place}/.work/part", b"part")
    with new_folder(f"{place}/video") as new:
        for name in (*names, "manifest.json"):
            path = Path(new.path, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{name} of {len(names)}")
        new.take_in(f"{place}/.work/part", "taken")
        new.put_in_place()


def content(place: str) -> dict[str, bytes]:
    return {storage.relative_name(file.path, place): storage.read_bytes(file.path) for file in storage.walk(place)}


def test_a_folder_takes_the_place_of_an_older_one(place: str) -> None:
    write(place, "a", "deep/b", "한 [1] %03d#?.txt")
    write(place, "a", "c")
    assert content(place) == {
        ".work/part": b"part",
        "video/a": b"a of 2",
        "video/c": b"c of 2",
        "video/manifest.json": b"manifest.json of 2",
        "video/taken": b"part",
    }


def test_attempts_at_the_same_folder_do_not_meet(tmp_path: Path) -> None:
    final = tmp_path / "out" / "video"
    with new_folder(str(final)) as late:
        Path(late.path, "manifest.json").write_text("late")
        with new_folder(str(final)) as first:
            Path(first.path, "manifest.json").write_text("first")
            first.put_in_place()
        assert Path(late.path, "manifest.json").read_text() == "late"
    assert [path.name for path in final.parent.iterdir()] == ["video"]
    assert (final / "manifest.json").read_text() == "first"


@pytest.mark.parametrize(("broken", "after"), [("/upload/", 1), ("rewriteTo", 0)])  # the first upload is the part
def test_a_folder_that_is_not_whole_has_no_manifest(broken: str, after: int, gcs: FakeGcs) -> None:
    write("gs://bucket/out", "a", "b")
    gcs.faults.append(Fault(403, frozenset({"POST"}), broken, after=after))
    with pytest.raises(PermissionError):
        write("gs://bucket/out", "a", "b", "c")
    assert "out/video/manifest.json" not in gcs.names("bucket")


def test_the_manifest_comes_last(gcs: FakeGcs) -> None:
    gcs.latency = 0.01
    write("gs://bucket/out", *map(str, range(20)))
    generations = {
        name: storage.status(f"gs://bucket/{name}").tag  # type: ignore[union-attr]
        for name in gcs.names("bucket", "out/video/")
    }
    assert max(generations, key=lambda name: int(generations[name])) == "out/video/manifest.json"


def test_a_remote_file_is_written_whole_or_not_at_all(gcs: FakeGcs) -> None:
    with suppress(ValueError), whole_file("gs://bucket/a") as path:
        Path(path).write_text("half")
        raise ValueError
    assert gcs.names("bucket") == []
    assert not Path(path).exists()
    with whole_file("gs://bucket/a") as path:
        Path(path).write_text("whole")
    assert gcs.get("bucket", "a") == b"whole"
    assert not Path(path).exists()
