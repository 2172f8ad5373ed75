from __future__ import annotations

import io
import tracemalloc
from xml.etree.ElementTree import tostring

import pytest

from transforms.annotations import xml_stream
from transforms.annotations.refusals import Refused
from transforms.annotations.xml_stream import stream_children


@pytest.fixture(params=[1, 7, 1 << 16], ids=lambda chars: f"window of {chars}")
def window(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(xml_stream, "WINDOW_CHARS", request.param)
    return int(request.param)


def children(text: str) -> list[str]:
    return [tostring(element, encoding="unicode") for element in stream_children(io.StringIO(text), "root")]


def test_children_are_whole(window: int) -> None:
    inner = ['<a x="1">text &amp; <b>more</b> tail</a>', '<거리 이름="&lt;" />']
    declaration = '<?xml version="1.0" encoding="euc-kr"?><!-- c -->'
    assert children(f'{declaration}<root y="2">{"".join(inner)}</root>') == inner
    assert children("<root/>") == []


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "annotation_unreadable"),
        ("<root>", "annotation_unreadable"),
        ("<root><a></root>", "annotation_unreadable"),
        ("<root/><root/>", "annotation_unreadable"),
        ("<root>&unknown;</root>", "annotation_unreadable"),
        ("<other/>", "annotation_unreadable"),
        ("<root>" + "<a>" * 101 + "</a>" * 101 + "</root>", "annotation_unreadable"),
        ("<!DOCTYPE root><root/>", "xml_dtd_refused"),
        ('<!DOCTYPE root [<!ENTITY a "b">]><root>&a;</root>', "xml_dtd_refused"),
        ('<!DOCTYPE root SYSTEM "file:///etc/hostname"><root/>', "xml_dtd_refused"),
    ],
)
def test_what_is_refused(window: int, text: str, reason: str) -> None:
    with pytest.raises(Refused) as refused:
        children(text)
    assert refused.value.reason == reason


def test_memory_does_not_grow_with_the_file() -> None:
    class Long(io.TextIOBase):
        """A root of many children, made as it is read."""

        def __init__(self, reads: int) -> None:
            self.parts = iter(["<root>", *['<a b="c"/>' * 5000] * reads, "</root>", ""])

        def read(self, size: int | None = -1) -> str:
            return next(self.parts)

    def peak(reads: int) -> int:
        tracemalloc.start()
        count = sum(1 for _ in stream_children(Long(reads), "root"))  # type: ignore[arg-type]
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert count == 5000 * reads
        return most

    assert peak(20) < 1.2 * peak(4)
