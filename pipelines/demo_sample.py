"""A small set of pictures of coloured shapes with COCO and Pascal VOC annotations, some of them bad on purpose."""

from __future__ import annotations

import io
import json
import os
import random
from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from PIL import Image, ImageDraw

WIDTH, HEIGHT = 320, 240
CLASSES = ("circle", "square", "triangle")
COLOURS = {"circle": (220, 40, 40), "square": (40, 160, 60), "triangle": (40, 80, 220)}
_FRAMES_A_SECOND = 25
COCO_IMAGES, VOC_IMAGES = 48, 24


@dataclass(frozen=True, slots=True)
class Shape:
    """A shape and its edges in pixels."""

    name: str
    xmin: int
    ymin: int
    xmax: int
    ymax: int


def random_shapes(generator: random.Random) -> list[Shape]:
    """One to four shapes within a picture."""
    shapes = []
    for _ in range(generator.randint(1, 4)):
        side = generator.randint(30, 90)
        x, y = generator.randint(0, WIDTH - side), generator.randint(0, HEIGHT - side)
        shapes.append(Shape(generator.choice(CLASSES), x, y, x + side, y + side))
    return shapes


def draw(shapes: Sequence[Shape]) -> Image.Image:
    """The picture of some shapes on a light ground."""
    image = Image.new("RGB", (WIDTH, HEIGHT), (235, 232, 225))
    pen = ImageDraw.Draw(image)
    for shape in shapes:
        box = (shape.xmin, shape.ymin, shape.xmax - 1, shape.ymax - 1)
        if shape.name == "circle":
            pen.ellipse(box, COLOURS[shape.name])
        elif shape.name == "square":
            pen.rectangle(box, COLOURS[shape.name])
        else:
            middle = (shape.xmin + shape.xmax) / 2
            pen.polygon([(middle, box[1]), (box[2], box[3]), (box[0], box[3])], COLOURS[shape.name])
    return image


def write_sample(folder: str) -> None:
    """Writes ``images/`` and ``annotations/`` (a COCO file and a folder of VOC files), the same at each call."""
    generator = random.Random(7)
    for place in ("images", "annotations/voc"):
        os.makedirs(os.path.join(folder, place), exist_ok=True)
    images, annotations = [], []
    for number in range(1, COCO_IMAGES + 1):
        shapes = random_shapes(generator)
        suffix = "png" if number % 8 == 0 else "jpg"
        name = f"shapes-{number:03d}.{suffix}"
        picture = draw(shapes)
        picture = picture.convert("L") if number % 12 == 0 else picture
        _save(folder, name, _encoded(picture, "PNG" if suffix == "png" else "JPEG"))
        images.append({"id": number, "file_name": name, "width": WIDTH, "height": HEIGHT})
        annotations += [
            {
                "id": 0,
                "image_id": number,
                "category_id": CLASSES.index(shape.name) + 1,
                "bbox": [shape.xmin, shape.ymin, shape.xmax - shape.xmin, shape.ymax - shape.ymin],
                "iscrowd": 0,
            }
            for shape in shapes
        ]
    _spoil_coco(folder, images, annotations)
    for number, annotation in enumerate(annotations, start=1):
        annotation["id"] = number
    categories = [{"id": number, "name": name} for number, name in enumerate(CLASSES, start=1)]
    with open(os.path.join(folder, "annotations", "shapes.json"), "w", encoding="utf-8") as file:
        json.dump({"images": images, "annotations": annotations, "categories": categories}, file)
    for number in range(1, VOC_IMAGES + 1):
        shapes = random_shapes(generator)
        name = f"도형 {number:02d}.jpg"
        _save(folder, name, _encoded(draw(shapes), "JPEG"))
        _save_voc(folder, name, shapes, encoding="cp949" if number == 5 else "utf-8")
    _save(folder, "nobody-annotated-this.jpg", _encoded(draw([]), "JPEG"))


def write_video(path: str, seconds: int = 4) -> None:
    """Writes a clip in which a circle, a square and a triangle cross the picture."""
    import av
    import numpy as np

    frames = seconds * _FRAMES_A_SECOND
    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate=_FRAMES_A_SECOND, options={"crf": "18", "threads": "1"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for number in range(frames):
            way = number / (frames - 1)
            right, down = int(way * (WIDTH - 60)), int(way * (HEIGHT - 60))
            shapes = [
                Shape("circle", right, 20, right + 60, 80),
                Shape("square", 200, down, 260, down + 60),
                Shape("triangle", WIDTH - 60 - right, 160, WIDTH - right, 220),
            ]
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.asarray(draw(shapes)), format="rgb24")))
        container.mux(stream.encode())


def _spoil_coco(folder: str, images: list[dict[str, object]], annotations: list[dict[str, object]]) -> None:
    """What real files bring: boxes that are empty, swapped or outside, a class and an image that are not there."""
    bad_boxes = [[50, 50, 0, 20], [120, 90, -60, 40], [300, 200, 60, 30], [400, 10, 20, 20], [10, 10, "wide", 5]]
    annotations += [{"id": 0, "image_id": 1, "category_id": 1, "bbox": box, "iscrowd": 0} for box in bad_boxes]
    annotations.append({"id": 0, "image_id": 2, "category_id": 99, "bbox": [5, 5, 20, 20], "iscrowd": 0})
    annotations.append({"id": 0, "image_id": 9999, "category_id": 1, "bbox": [5, 5, 20, 20], "iscrowd": 0})
    images.append({"id": 900, "file_name": "never-copied.jpg", "width": WIDTH, "height": HEIGHT})
    images.append({"id": 901, "file_name": "cut-short.jpg", "width": WIDTH, "height": HEIGHT})
    whole = _encoded(draw(random_shapes(random.Random(1))), "JPEG")
    _save(folder, "cut-short.jpg", whole[: len(whole) // 2])
    # A picture taken with the camera turned: the pixels lie on their side, the boxes are of the upright picture.
    shape = Shape("square", 40, 60, 140, 160)
    exif = Image.Exif()
    exif[0x0112] = 6
    buffer = io.BytesIO()
    draw([shape]).transpose(Image.Transpose.ROTATE_90).save(buffer, "JPEG", exif=exif)
    _save(folder, "turned.jpg", buffer.getvalue())
    images.append({"id": 902, "file_name": "turned.jpg", "width": WIDTH, "height": HEIGHT})
    annotations.append({"id": 0, "image_id": 902, "category_id": 2, "bbox": [40, 60, 100, 100], "iscrowd": 0})


def _encoded(image: Image.Image, picture_format: str) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, picture_format)
    return buffer.getvalue()


def _save(folder: str, name: str, data: bytes) -> None:
    with open(os.path.join(folder, "images", name), "wb") as file:
        file.write(data)


def _save_voc(folder: str, name: str, shapes: Sequence[Shape], encoding: str) -> None:
    objects = "".join(
        f"<object><name>{shape.name}</name><pose>Unspecified</pose><truncated>0</truncated><difficult>0</difficult>"
        f"<bndbox><xmin>{shape.xmin}</xmin><ymin>{shape.ymin}</ymin><xmax>{shape.xmax}</xmax><ymax>{shape.ymax}</ymax>"
        "</bndbox></object>"
        for shape in shapes
    )
    text = (
        f"<annotation><filename>{escape(name)}</filename><size><width>{WIDTH}</width><height>{HEIGHT}</height>"
        f"<depth>3</depth></size>{objects}</annotation>"
    )
    path = os.path.join(folder, "annotations", "voc", os.path.splitext(name)[0] + ".xml")
    with open(path, "wb") as file:
        file.write(text.encode(encoding))
