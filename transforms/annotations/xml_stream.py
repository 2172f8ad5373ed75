"""Streams the elements below the root of a large XML file, each as a small tree; refuses any DTD.

Expat is used as it is: with the document type refused there are no entities, hence neither bombs nor foreign files.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TextIO
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from transforms.annotations.refusals import Refused
from transforms.ledger.reasons import Reason

WINDOW_CHARS = 1 << 16
MAX_DEPTH = 100


def stream_children(stream: TextIO, root: str) -> Iterator[Element]:
    """Yields each child of the root element once it is complete; what the XML declaration says does not matter.

    Raises:
      Refused: another root, malformed, nested deeper than 100 elements, or with a document type.
    """
    children = _Children(root)
    try:
        while text := stream.read(WINDOW_CHARS):
            children.parser.Parse(text.encode(), False)
            yield from children.taken()
        children.parser.Parse(b"", True)
        yield from children.taken()
    except expat.ExpatError as error:
        raise Refused(Reason.ANNOTATION_UNREADABLE, str(error)) from None


class _Children:
    def __init__(self, root: str):
        self.parser = expat.ParserCreate("utf-8")
        self.parser.buffer_text = True
        self.parser.StartDoctypeDeclHandler = self._refuse_dtd
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._data
        self._root = root
        self._depth = 0
        self._builder = TreeBuilder()
        self._done: list[Element] = []

    def taken(self) -> list[Element]:
        """The children that were completed since the last call."""
        done, self._done = self._done, []
        return done

    def _refuse_dtd(self, name: str, *_: object) -> None:
        raise Refused(Reason.XML_DTD_REFUSED, f"the file declares a DTD: {name}")

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        if self._depth == 0 and tag != self._root:
            raise Refused(Reason.ANNOTATION_UNREADABLE, f"the root element is <{tag}>, not <{self._root}>")
        if self._depth > MAX_DEPTH:
            raise Refused(Reason.ANNOTATION_UNREADABLE, f"nested deeper than {MAX_DEPTH} elements")
        self._depth += 1
        if self._depth > 1:
            self._builder.start(tag, attributes)

    def _data(self, text: str) -> None:
        if self._depth > 1:
            self._builder.data(text)

    def _end(self, tag: str) -> None:
        self._depth -= 1
        if self._depth > 0:
            self._builder.end(tag)
        if self._depth == 1:
            self._done.append(self._builder.close())
            self._builder = TreeBuilder()
