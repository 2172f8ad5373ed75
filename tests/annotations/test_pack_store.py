from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from transforms.annotations.pack_store import IN_MEMORY, PackStore, fetched
from transforms.annotations.packs import decode_pack, encode_pack, pack_entry
from transforms.records import AnnotatedImage

PACKS = [encode_pack([pack_entry(AnnotatedImage(f"{number}.jpg"))]) for number in range(3)]


@pytest.mark.parametrize("folder", ["plain", "a folder with spaces", "\udce9"])
def test_packs_come_back_from_files(tmp_path: Path, folder: str) -> None:
    (tmp_path / folder).mkdir()
    store = PackStore(str(tmp_path / folder))
    places = list(map(store.put, PACKS))
    assert list(map(fetched, places)) == PACKS
    assert [entry.key for place in reversed(places) for entry in decode_pack(place)] == ["2.jpg", "1.jpg", "0.jpg"]  # type: ignore[union-attr]
    assert max(map(len, places)) < 300
    assert store.put(places[0]) == places[0]


def test_each_copy_has_a_file_of_its_own(tmp_path: Path) -> None:
    store = PackStore(str(tmp_path))
    places = [pickle.loads(pickle.dumps(store)).put(pack) for pack in PACKS]
    assert list(map(fetched, places)) == PACKS
    assert len(list(tmp_path.iterdir())) == len(PACKS)


def test_without_a_folder_packs_stay_what_they_are() -> None:
    assert pickle.loads(pickle.dumps(IN_MEMORY)).put(PACKS[0]) is PACKS[0]
    assert fetched(PACKS[0]) is PACKS[0]
