from __future__ import annotations

from pathlib import Path

import pytest

from transforms.storage.paths import absolute, fixed_folder, is_remote, missing, pattern_matcher, relative_name


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("gs://b/x/../y/./z//w/", "gs://b/y/z/w"),
        ("GS://b", "gs://b"),
        ("gs://b/../../c", "gs://c"),
        ("/a/../b", "/b"),
    ],
)
def test_absolute(path: str, expected: str) -> None:
    assert absolute(path) == expected


def test_kinds_and_names() -> None:
    assert is_remote("gs://b/x")
    assert not is_remote("C:/x")
    assert not is_remote("a/b://c")
    assert relative_name("gs://b/x/y.txt", "gs://b/x/") == "y.txt"
    assert relative_name("gs://b/z/y.txt", "gs://b/x") == "../z/y.txt"
    assert fixed_folder("gs://b/x/a*/c.json") == "gs://b/x"


@pytest.mark.parametrize(
    ("pattern", "path", "fits"),
    [
        ("gs://b/*.json", "gs://b/a.json", True),
        ("gs://b/*.json", "gs://b/x/a.json", False),
        ("gs://b/**/*.json", "gs://b/x/y/a.json", True),
        ("gs://b/**/*.json", "gs://b/a.json", True),
        ("gs://b/[ab]?.x", "gs://b/b1.x", True),
        ("gs://b/[!ab]?.x", "gs://b/b1.x", False),
        ("gs://b/a.json", "gs://b/aXjson", False),
    ],
)
def test_patterns(pattern: str, path: str, fits: bool) -> None:
    assert bool(pattern_matcher(pattern).fullmatch(path)) is fits


def test_what_is_missing_is_told_with_what_is_there(tmp_path: Path) -> None:
    names = ["images", "labels", ".hidden", *"12345"]
    assert missing(f"{tmp_path}/x/a.json") == f"{tmp_path}/x/a.json does not exist; {tmp_path} holds nothing"
    for name in names[:3]:
        (tmp_path / name).mkdir()
    assert missing(f"{tmp_path}/x").endswith("holds images, labels")
    for name in names[3:]:
        (tmp_path / name).touch()
    assert missing(f"{tmp_path}/x").endswith("holds 1, 2, 3, 4, 5, …")
    assert missing("gs://b/x") == "gs://b/x does not exist"


def test_missing_in_a_folder_that_may_not_be_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(folder: str) -> list[str]:
        raise PermissionError(folder)

    monkeypatch.setattr("os.listdir", refuse)
    assert missing(f"{tmp_path}/x").endswith(f"{tmp_path} may not be listed")
