from __future__ import annotations

import csv
import io
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.annotations.folder_reading import claims, image, images, read_data, read_folder, reasons
from transforms.records import AnnotatedImage, Box, Rejection

TENSORFLOW = "filename,width,height,class,xmin,ymin,xmax,ymax\n"
BOX = Box(5, 6, 15, 26)


def boxes(text: str | bytes, file: str = "a.csv") -> dict[str, list[tuple[Box, str]]]:
    return {
        name: [(item.box, item.class_name) for item in found.objects]
        for name, found in images(read_data("csv", text, file)).items()
    }


ROWS = st.lists(
    st.tuples(
        st.sampled_from(["a.jpg", "b/ü 1.jpg", 'c",\n.jpg']),
        st.text(st.characters(categories=["L", "N", "P"]), min_size=1, max_size=9).filter(lambda text: text.strip()),
        *[st.floats(3, 1e4, allow_subnormal=False)] * 4,
    ),
    unique=True,
    max_size=20,
)


SAMPLE = "boxes.csv", TENSORFLOW + "a.jpg,40,30,고양이,5,6,15,26\n"


@given(ROWS, st.sampled_from(",;\t|"))
def test_written_rows_are_read(rows: list[tuple[str, str, float, float, float, float]], delimiter: str) -> None:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter)
    writer.writerow(["filename", "class", "xmin", "ymin", "xmax", "ymax"])
    writer.writerows(rows)
    found = boxes(text.getvalue())
    for name in {row[0] for row in rows}:
        expected = [(Box(*row[2:]), unicodedata.normalize("NFC", row[1])) for row in rows if row[0] == name]
        assert found[name] == list(dict.fromkeys(expected))
    assert len(found) == len({row[0] for row in rows})


@pytest.mark.parametrize(
    "text",
    [
        TENSORFLOW + "i.jpg,40,30,cat,5,6,15,26",
        "image,xmin,xmax,ymin,ymax,label\ni.jpg,5,15,6,26,cat",
        "Image Path;Class Name;X1;Y1;X2;Y2\r\ni.jpg;cat;5;6;15;26\r\n",
        "img\tleft\ttop\tright\tbottom\tcategory\ni.jpg\t5.0\t6e0\t15\t26\tcat",
        "label,image_name,x,y,w,h,note\ncat,i.jpg,5,6,10,20,ok",
        "path,name,x,y,width,height,image_width,image_height\ni.jpg,cat,5,6,10,20,40,30",
        "frame,x_center,y_center,width,height,class\ni.jpg,10,16,10,20,cat",
        'image_id,width,height,bbox,class\ni.jpg,40,30,"[5.0, 6.0, 10.0, 20.0]",cat',
        "file;class;xmin;ymin;xmax;ymax\ni.jpg;cat;5,0;6,0;15;26,0",
        "i.jpg,5,6,15,26,cat",
        "i.jpg,40,30,cat,5,6,15,26",
        '"filename","class","xmin","ymin","xmax","ymax"\n"i.jpg","cat","5","6","15","26"\n\n',
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_columns(text: str, encoding: str) -> None:
    assert claims(text.encode(encoding), ".csv") == ["csv"]
    assert boxes(text.encode(encoding)) == {"i.jpg": [(BOX, "cat")]}


def test_size_split_flags_and_id() -> None:
    header = "filename,width,height,class,xmin,ymin,xmax,ymax,split,truncated,iscrowd,box_id\n"
    found = image(read_data("csv", header + "i.jpg,40,30,cat,5,6,15,26,valid,1,0,b7"))
    assert (found.width, found.height, found.unit, found.split) == (40, 30, "pixels", "val")
    (item,) = found.objects
    assert (item.truncated, item.is_crowd, item.occluded, item.box_id) == (True, False, None, "b7")


def test_fractions_are_told_by_most_rows() -> None:
    rows = "a.jpg,0.1,0.2,0.5,1.01,cat\nb.jpg,0,0,1,1,cat\nb.jpg,5,6,7,8,cat\n"
    assert {found.unit for found in images(read_data("csv", rows)).values()} == {"fractions"}


def test_rows_of_an_image_may_stand_anywhere() -> None:
    rows = "".join(f"{number % 3}.jpg,{number},0,{number + 9},9,cat\n" for number in range(9))
    found = boxes(rows)
    assert [box.xmin for box, _ in found["1.jpg"]] == [1, 4, 7]


def test_class_of_a_table_without_classes() -> None:
    assert boxes("image_id,x,y,w,h\ni.jpg,5,6,10,20") == {"i.jpg": [(BOX, "object")]}


def test_image_without_a_box_is_one_without_objects() -> None:
    assert boxes("a.jpg,,,,,\nb.jpg,5,6,15,26,cat\n") == {"a.jpg": [], "b.jpg": [(BOX, "cat")]}
    assert boxes(TENSORFLOW + "a.jpg,40,30,,,,,") == {"a.jpg": []}


def test_korean_classes_of_excel() -> None:
    data = (TENSORFLOW + "사진.jpg,40,30,고양이,5,6,15,26").encode("cp949")
    found = image(read_data("csv", data))
    assert (found.file_name, found.objects[0].class_name, found.repairs) == ("사진.jpg", "고양이", ("encoding_cp949",))


AWKWARD = {
    "no class": ("i.jpg,40,30,,5,6,15,26", "field_missing"),
    "no xmax": ("i.jpg,40,30,cat,5,6,,26", "field_missing"),
    "class and no box": ("i.jpg,40,30,cat,,,,", "field_missing"),
    "text for a number": ("i.jpg,40,30,cat,5,x,15,26", "field_not_number"),
    "tuple": ('i.jpg,40,30,cat,"(88, 100)",6,15,26', "field_not_number"),
    "None": ("i.jpg,40,30,cat,None,6,15,26", "field_not_number"),
    "decimal comma between commas": ('i.jpg,40,30,cat,"5,5",6,15,26', "field_not_number"),
    "the same row again": ("i.jpg,40,30,cat,5,6,15,26", "dup_box"),
    "control character": ("i.jpg,40,30,c\x07t,5,6,15,26", "name_not_unicode"),
}


@pytest.mark.parametrize("case", AWKWARD)
def test_awkward_row(case: str) -> None:
    row, reason = AWKWARD[case]
    found = image(read_data("csv", f"{TENSORFLOW}i.jpg,40,30,cat,5,6,15,26\n\n{row}\ni.jpg,0,x,dog,1,2,3,4"))
    assert reasons(found) == [f"line 4: {reason}"]
    assert [(item.class_name, item.position) for item in found.objects] == [("cat", "line 2"), ("dog", "line 5")]
    assert (found.width, found.height) == (40, 30)


@pytest.mark.parametrize(
    ("header", "row"),
    [("file,x,y,w,h,class", "i.jpg,5,6,0,4,cat"), ("file,xc,yc,w,h,class", "i.jpg,5,6,4,-4,cat")],
)
def test_sides_that_are_none(header: str, row: str) -> None:
    assert reasons(image(read_data("csv", f"{header}\n{row}"))) == ["line 2: box_empty"]


@pytest.mark.parametrize("bbox", ["[1, 2, 3]", "[]", "[1, 2, 3, 4, 5]"])
def test_list_of_another_length(bbox: str) -> None:
    assert reasons(image(read_data("csv", f'image,bbox\ni.jpg,"{bbox}"'))) == ["line 2: field_count"]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (",40,30,cat,5,6,15,26", "field_missing"),
        ("i.jpg,40,30,cat,5,6,15", "field_count"),
        ("i,j.jpg,40,30,cat,5,6,15,26", "field_count"),
        ('"i.jpg"x,40,30,cat,5,6,15,26', "annotation_unreadable"),
        ('"i.jpg,40,30,cat,5,6,15,26', "annotation_unreadable"),
    ],
)
def test_row_of_no_image(row: str, reason: str) -> None:
    readings = read_data("csv", f"{TENSORFLOW}g.jpg,40,30,cat,5,6,15,26\n{row}")
    refused = [item for item in readings if isinstance(item, Rejection)]
    assert [(item.reason, item.is_image, [problem.position for problem in item.problems]) for item in refused] == [
        (reason, False, ["line 3"])
    ]
    assert list(images(readings)) == ["g.jpg"]


@pytest.mark.parametrize("data", ["", "a,b,c\n1,2,3", b"\xff\xff\xff", "file,x,y\na.jpg,1,2"])
def test_no_table_of_boxes(data: str | bytes) -> None:
    (refused,) = read_data("csv", data)
    assert isinstance(refused, Rejection)
    assert (refused.reason, refused.is_image) == ("annotation_unreadable", False)


@given(st.binary(max_size=80) | st.text(st.sampled_from('abc.jpg,;"0123\n-'), max_size=80).map(str.encode))
def test_any_bytes_after_a_header_are_accounted_for(data: bytes) -> None:
    for reading in read_data("csv", b"image,xmin,ymin,xmax,ymax,class\n" + data):
        assert isinstance(reading, AnnotatedImage | Rejection)


@pytest.mark.parametrize(
    "head",
    [
        "id,name\n1,cat",
        "filename,caption\na.jpg,a cat",
        "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded,IsTruncated,IsGroupOf,IsDepiction,IsInside",
        "filename,file_size,file_attributes,region_count,region_id,region_shape_attributes,region_attributes",
        "a.jpg,0.5",
        "",
    ],
)
def test_other_tables_are_not_claimed(head: str) -> None:
    assert "csv" not in claims(head, ".csv")


def test_folder_of_the_table_is_that_of_its_images(tmp_path: Path) -> None:
    files = {"train/_annotations.csv": "i.jpg,5,6,15,26,cat", "train/i.jpg": b"", "i.jpg": b""}
    assert set(images(read_folder(tmp_path, files))) == {"train/i.jpg"}
