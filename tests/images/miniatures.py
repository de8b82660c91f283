"""Benchmarks in the layouts in which they are published, with a few images each, and what an index of them must hold.

File names and lines of the split files are of the published form (torchvision.datasets, the data sets' own READMEs).
"""

import io
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from scipy.io import savemat

from laketag.pipeline.images.layout_names import LayoutName

PIXEL = b"no test of a listing decodes it"
CUB = "CUB_200_2011"
IMAGE = "ILSVRC2012_val_{:08d}.JPEG"


@dataclass(frozen=True)
class Miniature:
    """Files by path, and the images of the index with their classes."""

    layout: LayoutName
    files: Mapping[str, str | bytes]
    classes: Mapping[str, str]
    left_out: Mapping[str, int] = field(default_factory=dict)

    def with_file(self, path: str, content: str | bytes) -> "Miniature":
        """The same with another content of a file."""
        return replace(self, files={**self.files, path: content})

    def without(self, *paths: str) -> "Miniature":
        """The same without these files."""
        return replace(
            self, files={path: content for path, content in self.files.items() if path not in paths}
        )


def images(*paths: str) -> dict[str, str | bytes]:
    return dict.fromkeys(paths, PIXEL)


def lines(*rows: str) -> str:
    return "".join(f"{row}\n" for row in rows)


def meta_mat() -> bytes:
    """The synsets of ILSVRC2012_devkit_t12/data/meta.mat: leaves, and a group with a number over 1000."""
    synsets = np.zeros(
        (3, 1),
        dtype=[("ILSVRC2012_ID", "O"), ("WNID", "O"), ("words", "O"), ("gloss", "O"), ("num_children", "O")],
    )
    for row, (number, wnid, words, children) in enumerate(
        [
            (490, "n01751748", "sea snake", 0),
            (361, "n09193705", "alp", 0),
            (1001, "n00001740", "entity", 2),
        ]
    ):
        synsets[row, 0] = (
            np.array([[number]], np.uint16),
            wnid,
            words,
            "a gloss",
            np.array([[children]], np.uint8),
        )
    file = io.BytesIO()
    savemat(file, {"synsets": synsets}, do_compression=True)
    return file.getvalue()


FLAT_CLASSES = {f"val/{IMAGE.format(1)}": "sea snake", f"val/{IMAGE.format(2)}": "mountain"}
FLAT = images(*FLAT_CLASSES)

MINIATURES = {
    "imagenet in folders": Miniature(
        "imagenet",
        {
            **images(f"val/n01440764/{IMAGE.format(293)}", f"val/n03773504/{IMAGE.format(5)}"),
            **images(f"val/n04008634/{IMAGE.format(7)}", "train/n01440764/n01440764_10026.JPEG"),
            **images("val/n01440764/n01440764_9981.JPEG", f"val/{IMAGE.format(9)}"),
            "LOC_synset_mapping.txt": "n01440764 tench, Tinca tinca\n",
        },
        {
            f"val/n01440764/{IMAGE.format(293)}": "tench",
            f"val/n03773504/{IMAGE.format(5)}": "missile",
            f"val/n04008634/{IMAGE.format(7)}": "projectile",
        },
        {"in train": 1, "not a validation image in a folder of a WordNet id": 2},
    ),
    "imagenet of Kaggle": Miniature(
        "imagenet",
        {
            **images(*(f"ILSVRC/Data/CLS-LOC/{path}" for path in FLAT)),
            **images("ILSVRC/Data/CLS-LOC/test/ILSVRC2012_test_00000001.JPEG"),
            "ILSVRC/ImageSets/CLS-LOC/val.txt": "ILSVRC2012_val_00000001 1\nILSVRC2012_val_00000002 2\n",
            "LOC_val_solution.csv": "ImageId,PredictionString\n"
            "ILSVRC2012_val_00000001,n01751748 156 48 272 332 n01751748 42 9 322 285 \n"
            "ILSVRC2012_val_00000002,n09193705 0 52 499 375 \n",
        },
        {f"ILSVRC/Data/CLS-LOC/{path}": name for path, name in FLAT_CLASSES.items()},
        {"in test": 1},
    ),
    "imagenet and its development kit": Miniature(
        "imagenet",
        {
            **FLAT,
            "ILSVRC2012_devkit_t12/data/ILSVRC2012_validation_ground_truth.txt": "490\n361\n",
            "ILSVRC2012_devkit_t12/data/meta.mat": meta_mat(),
        },
        FLAT_CLASSES,
    ),
    "imagenet and a list of ids": Miniature(
        "imagenet",
        {**FLAT, "imagenet_2012_validation_synset_labels.txt": "n01751748\nn09193705\n"},
        FLAT_CLASSES,
    ),
    "imagenet and Caffe's list": Miniature(
        "imagenet",
        {**FLAT, "val.txt": "ILSVRC2012_val_00000001.JPEG 65\nILSVRC2012_val_00000002.JPEG 970\n"},
        FLAT_CLASSES,
    ),
    "imagenet-v2": Miniature(
        "imagenet-v2",
        images(
            *(
                f"imagenetv2-matched-frequency-format-val/{path}"
                for path in (
                    "0/07ee8ff1b7.jpeg",
                    "0/2cb2a5f7d2.jpeg",
                    "10/9e0bdb4a50.jpeg",
                    "999/ffe7a1f7b3.jpeg",
                )
            )
        ),
        {
            "imagenetv2-matched-frequency-format-val/0/07ee8ff1b7.jpeg": "tench",
            "imagenetv2-matched-frequency-format-val/0/2cb2a5f7d2.jpeg": "tench",
            "imagenetv2-matched-frequency-format-val/10/9e0bdb4a50.jpeg": "brambling",
            "imagenetv2-matched-frequency-format-val/999/ffe7a1f7b3.jpeg": "toilet paper",
        },
    ),
    "imagenet-r": Miniature(
        "imagenet-r",
        {
            **images("imagenet-r/n01443537/art_0.jpg", "imagenet-r/n01484850/cartoon_12.jpg"),
            "imagenet-r/README.txt": "n01443537 goldfish\n",
        },
        {
            "imagenet-r/n01443537/art_0.jpg": "goldfish",
            "imagenet-r/n01484850/cartoon_12.jpg": "great white shark",
        },
    ),
    "imagenet-sketch": Miniature(
        "imagenet-sketch",
        images("sketch/n01440764/sketch_0.JPEG", "sketch/n15075141/sketch_9.JPEG"),
        {"sketch/n01440764/sketch_0.JPEG": "tench", "sketch/n15075141/sketch_9.JPEG": "toilet paper"},
    ),
    "imagenet-a": Miniature(
        "imagenet-a",
        images("imagenet-a/n01498041/0.000116_digital clock _ digital clock_0.865662.jpg"),
        {"imagenet-a/n01498041/0.000116_digital clock _ digital clock_0.865662.jpg": "stingray"},
    ),
    "cub": Miniature(
        "cub",
        {
            **images(f"{CUB}/images/001.Black_footed_Albatross/Black_Footed_Albatross_0001_796111.jpg"),
            **images(f"{CUB}/images/001.Black_footed_Albatross/Black_Footed_Albatross_0046_18.jpg"),
            **images(f"{CUB}/images/200.Common_Yellowthroat/Common_Yellowthroat_0003_190521.jpg"),
            **images("segmentations/001.Black_footed_Albatross/Black_Footed_Albatross_0046_18.png"),
            f"{CUB}/images.txt": lines(
                "1 001.Black_footed_Albatross/Black_Footed_Albatross_0046_18.jpg",
                "2 001.Black_footed_Albatross/Black_Footed_Albatross_0001_796111.jpg",
                "3 200.Common_Yellowthroat/Common_Yellowthroat_0003_190521.jpg",
            ),
            f"{CUB}/image_class_labels.txt": lines("1 1", "2 1", "3 2"),
            f"{CUB}/train_test_split.txt": lines("1 0", "2 1", "3 0"),
            f"{CUB}/classes.txt": lines("1 001.Black_footed_Albatross", "2 200.Common_Yellowthroat"),
            "attributes.txt": "1 has_bill_shape::curved_(up_or_down)\n",
        },
        {
            f"{CUB}/images/001.Black_footed_Albatross/Black_Footed_Albatross_0046_18.jpg": "Black footed Albatross",
            f"{CUB}/images/200.Common_Yellowthroat/Common_Yellowthroat_0003_190521.jpg": "Common Yellowthroat",
        },
        {"not of the test split": 2},
    ),
    "pets": Miniature(
        "pets",
        {
            **images(
                "oxford-iiit-pet/images/Abyssinian_201.jpg", "oxford-iiit-pet/images/american_bulldog_203.jpg"
            ),
            **images(
                "oxford-iiit-pet/images/Abyssinian_1.jpg",
                "oxford-iiit-pet/annotations/trimaps/Abyssinian_201.png",
            ),
            **images("oxford-iiit-pet/annotations/trimaps/._Abyssinian_201.png"),
            "oxford-iiit-pet/annotations/list.txt": "#Image CLASS-ID SPECIES BREED ID\nAbyssinian_100 1 1 1\n",
            "oxford-iiit-pet/annotations/test.txt": lines(
                "Abyssinian_201 1 1 1", "american_bulldog_203 2 2 1"
            ),
            "oxford-iiit-pet/annotations/trainval.txt": lines("Abyssinian_1 1 1 1"),
            "oxford-iiit-pet/images/Abyssinian_100.mat": "MATLAB",
        },
        {
            "oxford-iiit-pet/images/Abyssinian_201.jpg": "Abyssinian",
            "oxford-iiit-pet/images/american_bulldog_203.jpg": "american bulldog",
        },
        {"not of the test split": 2, "hidden": 1},
    ),
    "dtd": Miniature(
        "dtd",
        {
            **images("dtd/images/banded/banded_0002.jpg", "dtd/images/banded/banded_0004.jpg"),
            **images("dtd/images/cross-hatched/cross-hatched_0001.jpg"),
            "dtd/images/waffled/.directory": "KDE",
            "dtd/labels/test1.txt": lines("banded/banded_0002.jpg", "cross-hatched/cross-hatched_0001.jpg"),
            "dtd/labels/test2.txt": lines("banded/banded_0004.jpg"),
            "dtd/labels/train1.txt": lines("banded/banded_0004.jpg"),
            "dtd/labels/val1.txt": "",
            "dtd/imdb/imdb.mat": "MATLAB",
        },
        {
            "dtd/images/banded/banded_0002.jpg": "banded",
            "dtd/images/cross-hatched/cross-hatched_0001.jpg": "cross-hatched",
        },
        {"not of the test split": 1, "hidden": 1},
    ),
    "food101": Miniature(
        "food101",
        {
            **images("food-101/images/apple_pie/1011328.jpg", "food-101/images/waffles/971843.jpg"),
            **images("food-101/images/apple_pie/1005649.jpg"),
            "food-101/meta/classes.txt": lines("apple_pie", "waffles"),
            "food-101/meta/labels.txt": lines("Apple pie", "Waffles"),
            "food-101/meta/test.txt": lines("apple_pie/1011328", "waffles/971843"),
            "food-101/meta/train.txt": lines("apple_pie/1005649"),
            "food-101/meta/test.json": '{"apple_pie": ["apple_pie/1011328"]}',
        },
        {
            "food-101/images/apple_pie/1011328.jpg": "apple pie",
            "food-101/images/waffles/971843.jpg": "waffles",
        },
        {"not of the test split": 1},
    ),
    "places365": Miniature(
        "places365",
        {
            **images("val_256/Places365_val_00000001.jpg", "val_256/Places365_val_00000002.jpg"),
            **images("test_256/Places365_test_00000001.jpg", "data_256/a/airfield/00000001.jpg"),
            "categories_places365.txt": lines("/a/airfield 0", "/a/apartment_building/outdoor 8"),
            "places365_val.txt": lines("Places365_val_00000001.jpg 8", "Places365_val_00000002.jpg 0"),
        },
        {
            "val_256/Places365_val_00000001.jpg": "apartment building/outdoor",
            "val_256/Places365_val_00000002.jpg": "airfield",
        },
        {"in test_256": 1, "in data_256": 1},
    ),
    "imagefolder": Miniature(
        "imagefolder",
        images("cat/a.jpg", "cat/deep/er/b.png", "hot_dog/a.jpg", "loose.jpg"),
        {"cat/a.jpg": "cat", "cat/deep/er/b.png": "cat", "hot_dog/a.jpg": "hot_dog"},
        {"in no folder of a class": 1},
    ),
}
"""By what they are."""
