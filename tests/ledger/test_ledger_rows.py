from __future__ import annotations

import io

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.ledger import ledger_rows
from transforms.ledger.ledger_rows import BOX_SCHEMA, BoxRow, ImageRow, RowsFile, image_rows_parquet
from transforms.records import BoxProblem

text = st.text(max_size=8)
counts = st.integers(-1, 2**40)
image_rows = st.builds(
    ImageRow,
    text,
    text,
    text,
    text,
    st.sampled_from(["written", "repaired", "rejected", "unlisted"]),
    st.lists(text, max_size=3).map(tuple),
    text,
    text,
    counts,
    counts,
    counts,
    counts,
)


def read_back(data: bytes) -> list[dict[str, object]]:
    return pq.read_table(io.BytesIO(data)).to_pylist()  # type: ignore[no-any-return]


def box_rows(rows: list[BoxRow]) -> bytes:
    file = RowsFile(BOX_SCHEMA)
    file.add(rows)
    return file.finish()


@given(st.lists(image_rows, max_size=4))
def test_image_rows_are_read_back(rows: list[ImageRow]) -> None:
    expected = [{name: getattr(row, name) for name in ImageRow._fields} for row in rows]
    for row in expected:
        row["reasons"] = list(row["reasons"])
    assert read_back(image_rows_parquet(rows)) == expected
    assert image_rows_parquet(rows) == image_rows_parquet(list(rows))


def test_rows_that_are_added_little_by_little_are_all_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_rows, "ROWS_AT_ONCE", 3)
    problem = BoxProblem("object 1", "5", "cat", "repaired", "box_clipped", "detail")
    file = RowsFile(BOX_SCHEMA)
    for number in range(8):
        file.add([BoxRow.of(problem, "s", "a.xml", f"{number}.jpg")])
    data = file.finish()
    assert [row["file_name"] for row in read_back(data)] == [f"{number}.jpg" for number in range(8)]
    assert pq.ParquetFile(io.BytesIO(data)).num_row_groups == 3


def test_metadata_is_kept() -> None:
    metadata = pq.read_schema(io.BytesIO(image_rows_parquet([], {"key": "값"}))).metadata
    assert metadata[b"key"].decode() == "값"


def test_names_that_are_no_unicode_are_shown_escaped() -> None:
    problem = BoxProblem("object 1", "\ud800", "cat", "dropped", "box_empty", "\udcff")
    (row,) = read_back(box_rows([BoxRow.of(problem, "s", "a.xml", "\udcc7.jpg")]))
    assert (row["box_id"], row["detail"], row["file_name"]) == ("\\ud800", "\\udcff", "\\udcc7.jpg")


def test_box_rows_hold_the_problem_and_its_place() -> None:
    problem = BoxProblem("object 1", "5", "cat", "repaired", "box_clipped", "detail")
    (row,) = read_back(box_rows([BoxRow.of(problem, "s", "a.xml", "b.jpg")]))
    assert row == {
        "source": "s",
        "annotation_file": "a.xml",
        "position": "object 1",
        "file_name": "b.jpg",
        "box_id": "5",
        "class_name": "cat",
        "status": "repaired",
        "reason": "box_clipped",
        "detail": "detail",
    }
