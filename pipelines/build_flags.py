"""The flags of ``boxmill build``."""

from __future__ import annotations

from absl import flags

from pipelines.flags import help_text
from transforms.annotations.format_names import MODULES

FORMAT_NAMES = ("auto", *MODULES)

FLAGS = flags.FlagValues()
flags.DEFINE_enum(
    "format",
    "auto",
    FORMAT_NAMES,
    "Format of the annotations; auto tells it from their content.",
    flag_values=FLAGS,
)
flags.DEFINE_multi_string(
    "annotations",
    [],
    "File, folder or glob pattern of annotations; may be given several times.",
    flag_values=FLAGS,
)
flags.DEFINE_string(
    "images",
    None,
    "Folder of the images. Default: JPEGImages or images beside or in the folder of annotations, else that.",
    flag_values=FLAGS,
)
flags.DEFINE_string(
    "sources",
    None,
    "YAML or JSON file that lists several sources, instead of --annotations and --images; see README.",
    flag_values=FLAGS,
)
flags.DEFINE_string(
    "output", None, "Folder of datasets; this one is written to OUTPUT/NAME/VERSION.", flag_values=FLAGS
)
flags.DEFINE_string("name", None, "Name of the dataset: letters, digits and _.", flag_values=FLAGS)
flags.DEFINE_string("version", "1.0.0", "Version of the dataset: three numbers.", flag_values=FLAGS)
flags.DEFINE_string(
    "splits",
    "train=0.8,val=0.2",
    "Splits and their shares. Or source: the splits that the annotations give (lists, folders, names of files); "
    "source,train=0.8,val=0.2 splits images that are given none by hash, else they are rejected.",
    flag_values=FLAGS,
)
flags.DEFINE_string(
    "split_key",
    "image",
    "What is hashed for an image's split: image (its name), group:REGEX (what matches in its name), field:NAME (what "
    "the annotations say of it) or content (the picture: equal and nearly equal ones go to one split).",
    flag_values=FLAGS,
)
flags.DEFINE_integer(
    "duplicate_distance",
    6,
    "Pictures whose 64-bit perceptual hashes differ in so many bits at most are near duplicates; -1: equal bytes only.",
    lower_bound=-1,
    upper_bound=11,
    flag_values=FLAGS,
)
flags.DEFINE_boolean(
    "leakage_report",
    False,
    "Also look for near duplicates of training pictures in other splits; equal ones are always looked for.",
    flag_values=FLAGS,
)
flags.DEFINE_boolean(
    "balance_splits",
    False,
    "Correct the shares of rare classes; moves few images as data grows.",
    flag_values=FLAGS,
)
flags.DEFINE_string(
    "num_shards", None, "Shards of each split: train=8,val=2, or one number for all.", flag_values=FLAGS
)
flags.DEFINE_integer("examples_per_shard", None, "Images a shard at most.", lower_bound=1, flag_values=FLAGS)
flags.DEFINE_integer(
    "shard_size_mb",
    128,
    "Size of a shard, about, where neither of the two above is given.",
    lower_bound=1,
    flag_values=FLAGS,
)
flags.DEFINE_string(
    "class_map",
    None,
    "Label map (.pbtxt) or ID,NAME lines that give the class ids; boxes of other classes are dropped. Or a YAML file "
    "with names, rename and drop; see README.",
    flag_values=FLAGS,
)
flags.DEFINE_enum(
    "class_ids",
    "auto",
    ("auto", "source", "dense"),
    "Without --class_map: the annotations' own ids, or ids from 1; auto: their own if all sources agree.",
    flag_values=FLAGS,
)
flags.DEFINE_boolean(
    "expand_hierarchy",
    False,
    "Open Images: give each object its wider classes too, as *hierarchy*.json beside the annotations has them.",
    flag_values=FLAGS,
)
flags.DEFINE_integer(
    "voc_origin",
    0,
    "VOC coordinates are edges (0: labelImg, CVAT, most others) or 1-based pixel indices (1: the VOC challenge).",
    lower_bound=0,
    upper_bound=1,
    flag_values=FLAGS,
)
flags.DEFINE_enum(
    "image_check",
    "full",
    ("full", "header"),
    "Decode every image in full, or trust its header.",
    flag_values=FLAGS,
)
flags.DEFINE_enum(
    "exif",
    "transpose",
    ("transpose", "ignore", "reject"),
    "Images whose EXIF orientation is not upright: turn pixels and boxes, leave them, or reject them.",
    flag_values=FLAGS,
)
flags.DEFINE_enum(
    "exif_frame",
    "upright",
    ("upright", "stored"),
    "What the annotations of turned images were drawn on, where their width and height do not tell: the image as it is "
    "shown, or its pixels as they are stored.",
    flag_values=FLAGS,
)
flags.DEFINE_integer(
    "max_side",
    None,
    "Images with a longer side are made smaller, to this many pixels, and their boxes with them.",
    lower_bound=1,
    flag_values=FLAGS,
)
flags.DEFINE_integer(
    "max_megapixels",
    64,
    "Larger images are rejected before they are decoded.",
    lower_bound=1,
    flag_values=FLAGS,
)
flags.DEFINE_enum(
    "masks",
    "auto",
    ("auto", "none"),
    "Write a mask for each object, if the annotations have any; or write none.",
    flag_values=FLAGS,
)
flags.DEFINE_list(
    "coco_splits",
    ["val", "test"],
    "Splits of which handoff/ gets a COCO ground truth JSON with the ids of the records.",
    flag_values=FLAGS,
)
flags.DEFINE_float(
    "max_reject_ratio",
    0.05,
    "A build with a larger share of rejected images is not committed (exit code 3).",
    lower_bound=0,
    upper_bound=1,
    flag_values=FLAGS,
)
flags.DEFINE_string(
    "previous",
    None,
    "Folder of a dataset to go on with: shards without a changed image are reused, and new images get new shards.",
    flag_values=FLAGS,
)
flags.DEFINE_boolean(
    "overwrite",
    False,
    "Replace another dataset of this name and version; it stays readable until the new one is complete.",
    flag_values=FLAGS,
)


def build_help() -> str:
    """The text of ``boxmill build --help``."""
    return help_text(
        "Turns annotated images into a TFRecord dataset for the TF Object Detection API, Model Garden and TFDS.",
        "boxmill build --annotations=PATH --images=FOLDER --output=FOLDER --name=NAME [flags]",
        FLAGS,
        [
            "boxmill build --annotations=VOC2012/Annotations --images=VOC2012/JPEGImages --output=data --name=voc",
            "boxmill build --sources=mix.yaml --output=data --name=mix",
            "boxmill build --annotations=instances.json --images=photos --output=data --name=shop \\",
            "    --direct_num_workers=4",
            "boxmill build --annotations=instances.json --images=photos --output=data --name=shop --version=1.1.0 \\",
            "    --previous=data/shop/1.0.0",
        ],
    )
