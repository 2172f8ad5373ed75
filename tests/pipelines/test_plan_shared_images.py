from __future__ import annotations

from pipelines.plan_shared_images import at_most, counts_of, first_readings
from transforms.annotations.packs import decode_pack, encode_pack, pack_entry
from transforms.planning.sampling import Estimate
from transforms.records import AnnotatedImage, Box, BoxProblem, DeclaredClasses, ObjectAnnotation, Rejection

ITEM = ObjectAnnotation(Box(1, 2, 3, 4), "cat")
LOST = BoxProblem("", "", "", "dropped", "field_missing", "")
REFUSED = Rejection("dup_image_id", "", is_image=True, problems=(LOST, LOST))
FIRST = [AnnotatedImage("a.jpg", objects=(ITEM,), problems=(LOST,)), REFUSED, DeclaredClasses(())]
SECOND = [AnnotatedImage("a.jpg"), AnnotatedImage("b.jpg", objects=(ITEM,))]


def test_of_each_image_one_reading_is_kept() -> None:
    packs = [encode_pack([pack_entry(item) for item in items]) for items in (FIRST, SECOND)]
    assert counts_of(packs) == (3, 1, 5)
    kept = first_readings(packs)
    assert [entry for pack in kept for entry in decode_pack(pack)] == list(map(pack_entry, [*FIRST, SECOND[1]]))
    assert counts_of(kept) == (2, 1, 5)


def test_no_more_images_than_are_listed() -> None:
    assert at_most(Estimate(20, 0.1), 15) == Estimate(15, 0.1)
    assert at_most(Estimate(12, 0.1), 15) == Estimate(12, 0.1)
