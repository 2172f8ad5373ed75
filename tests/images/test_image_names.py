from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.images.image_names import candidate_names, image_key, name_parts

names = st.text(st.sampled_from("aB1 ._-/\\:~é한\u1112\u1161\u11abC@"), min_size=1, max_size=12)


def long_way(name: str) -> str:
    return "/".join(name_parts(unicodedata.normalize("NFC", name.strip()))[0])


@given(names)
def test_key_is_the_same_by_the_short_way(name: str) -> None:
    assert image_key(name) == long_way(name)


@given(names)
def test_key_is_its_own_key(name: str) -> None:
    if not {":", " "} & set(name):  # "x/C:a" names a drive once its first folder is gone
        assert image_key(image_key(name)) == image_key(name)


@given(names)
def test_no_candidate_leaves_the_root(name: str) -> None:
    for candidate in candidate_names(name):
        assert ".." not in candidate.split("/")
        assert candidate == name or not candidate.startswith("/")


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("a.jpg", "a.jpg"),
        ("x/a.jpg", "x/a.jpg"),
        ("./x//./a.jpg", "x/a.jpg"),
        ("x/../a.jpg", "a.jpg"),
        ("x\\a.jpg", "x/a.jpg"),
        ("C:\\Users\\kim\\사진\\a.jpg", "Users/kim/사진/a.jpg"),
        ("..\\images\\a.jpg", "images/a.jpg"),
        ("/data/a.jpg", "data/a.jpg"),
        ("../../a.jpg", "a.jpg"),
        (" a b.jpg ", "a b.jpg"),
        (unicodedata.normalize("NFD", "한글 (1).jpg"), "한글 (1).jpg"),
        ("\\\\server\\share\\a.jpg", "a.jpg"),
    ],
)
def test_keys(name: str, key: str) -> None:
    assert image_key(name) == key


@pytest.mark.parametrize(
    ("name", "candidates"),
    [
        ("a.jpg", ["a.jpg", "images/a.jpg", "JPEGImages/a.jpg"]),
        ("train/a.jpg", ["train/a.jpg", "train/images/a.jpg", "train/JPEGImages/a.jpg"]),
        ("../images/a.jpg", ["images/a.jpg", "a.jpg"]),
        ("/etc/passwd", ["etc/passwd", "passwd"]),
        ("C:\\사진\\a.jpg", ["C:\\사진\\a.jpg", "사진/a.jpg", "a.jpg"]),
        ("C:a.jpg", ["C:a.jpg", "a.jpg"]),
        ("..", []),
        (".", []),
        ("/", []),
    ],
)
def test_candidates(name: str, candidates: list[str]) -> None:
    assert list(candidate_names(name)) == candidates
