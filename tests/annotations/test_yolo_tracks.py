from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.annotations.folder_reading import image, images, read_data, read_folder, reasons
from transforms.records import AnnotatedImage, Box, Keypoint

BOX, LINE = Box(0.375, 0.25, 0.625, 0.75), "0 0.5 0.5 0.25 0.5"
TRIANGLE = "0 0.5 0.5 0.9 0.5 0.5 0.9"
# What would be a triangle, if 1 were no track.
ALONE = f"{LINE} 0.75 1"


def tracks(found: AnnotatedImage) -> list[str]:
    assert reasons(found) == []
    return [item.track_id for item in found.objects]


@given(
    st.sets(st.integers(1, 10**6), min_size=1, max_size=9).filter(lambda numbers: numbers != {1}),
    st.sampled_from(["", " 0.912", " 1"]),
    st.sampled_from([LINE, TRIANGLE]),
)
def test_written_tracks_are_read(numbers: set[int], score: str, line: str) -> None:
    found = image(read_data("yolo", "\n".join(f"{line}{score} {number}" for number in numbers)))
    assert sorted(tracks(found)) == sorted(map(str, numbers))
    plain = image(read_data("yolo", line)).objects[0]
    assert all(item[:2] + item[4:-1] == plain[:2] + plain[4:-1] for item in found.objects)


def test_keypoints_have_tracks_too(tmp_path: Path) -> None:
    pose = f"{LINE} 0.4 0.5 2"
    files = {"data.yaml": "names: [person]\nkpt_shape: [1, 3]\ntrain: images\n", "a.txt": f"{pose} 0.9 3\n{pose} 4"}
    found = image(read_folder(tmp_path, files))
    assert tracks(found) == ["3", "4"]
    assert {item.keypoints for item in found.objects} == {(Keypoint(0.4, 0.5, 2),)}


NO_TRACKS = {
    "triangles": f"{TRIANGLE}\n0 0.1 0.1 0.2 0.1 0.2 1",
    "a whole number among coordinates": f"{TRIANGLE}\n0 0.1 0.1 0.2 0.1 0.2 2",
    "scores": f"{LINE} 0.5\n{LINE} 1",
    "a number twice": f"{LINE} 0.5 3\n{LINE} 0.6 3",
    "zero": f"{LINE} 0.5 0\n{LINE} 0.6 2",
    "1, which may be a coordinate": ALONE,
    "a number of 30 digits": f"{LINE} 0.5 {'9' * 30}",
}


@pytest.mark.parametrize("case", NO_TRACKS)
def test_what_may_be_something_else_is_no_track(case: str) -> None:
    assert set(tracks(image(read_data("yolo", NO_TRACKS[case])))) == {""}


def test_the_same_line_twice_is_one_track() -> None:
    found = image(read_data("yolo", f"{LINE} 0.5 3\n{LINE} 0.5 3"))
    assert (found.objects[0].track_id, reasons(found)) == ("3", ["line 2: dup_box"])


@pytest.mark.parametrize(
    ("others", "is_track"),
    [
        ({"b.txt": f"{LINE} 0.9 2"}, True),
        ({"b.txt": f"{LINE} 0.9 2", "c.txt": ALONE, "d.txt": LINE, "e.txt": ""}, True),
        ({f"{number:03}.txt": f"{LINE} 0.9 {1 + number // 400}" for number in range(450)}, True),
        ({"b.txt": f"{LINE} 0.9 2", "c.txt": TRIANGLE}, False),
        ({"b.txt": f"{LINE} 0.9 2", "c.txt": f"{LINE} 0.9"}, False),
        ({"b.txt": LINE, "c.txt": ALONE, "d.txt": b"\xff\xff"}, False),
        ({"other/b.txt": f"{LINE} 0.9 2"}, False),
    ],
)
def test_files_beside_tell_what_a_one_is(others: dict[str, str | bytes], is_track: bool, tmp_path: Path) -> None:
    found = images(
        read_folder(tmp_path, {"labels/a.txt": ALONE, **{f"labels/{name}": others[name] for name in others}})
    )
    (item,) = found["a"].objects
    assert (item.track_id, item.box == BOX) == (("1", True) if is_track else ("", False))
