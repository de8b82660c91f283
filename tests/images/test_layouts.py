"""Every layout on a miniature of the published data set, on a disk and in a bucket, and with each thing that may be wrong."""

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from laketag.pipeline.errors import InputError
from laketag.pipeline.images.layout_names import LAYOUT_NAMES, LayoutName
from laketag.pipeline.images.layouts import LAYOUTS
from tests.flows.indexed import Indexed, index
from tests.images.miniatures import CUB, MINIATURES, PIXEL, Miniature, images, lines
from tests.stores.store import Store


def write(folder: Path, miniature: Miniature) -> Path:
    for path, content in miniature.files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def index_miniature(tmp_path: Path, miniature: Miniature, **options: bool) -> Indexed:
    return index(write(tmp_path / "data", miniature), tmp_path / "lake", layout=miniature.layout, **options)


def classes(indexed: Indexed, top: str) -> dict[str, str]:
    rows = indexed.rows.select("uri", "true_class").rows()
    return {uri.removeprefix(f"{top}/"): name for uri, name in rows}


def images_left_out(indexed: Indexed) -> dict[str, int]:
    return dict(indexed.summary.left_out)


def test_every_layout_has_a_miniature() -> None:
    assert {miniature.layout for miniature in MINIATURES.values()} == set(LAYOUTS) == set(LAYOUT_NAMES)


@pytest.mark.parametrize("name", MINIATURES)
def test_a_layout_on_a_disk_gives_the_images_of_its_split_and_their_classes(
    name: str, tmp_path: Path
) -> None:
    miniature = MINIATURES[name]
    indexed = index_miniature(tmp_path, miniature)
    assert classes(indexed, str(tmp_path / "data")) == miniature.classes
    assert images_left_out(indexed) == miniature.left_out
    published = LAYOUTS[miniature.layout].images
    if published:
        found = f"{len(miniature.classes):,} images are here, and the published {miniature.layout} has {published:,}"
        assert indexed.summary.notices[-1] == found
        assert len(indexed.rows["etag"].unique()) > 0


def test_the_same_layouts_are_read_in_a_bucket(moto: Store, tmp_path: Path) -> None:
    for number, (name, miniature) in enumerate(MINIATURES.items()):
        for path, content in miniature.files.items():
            moto.put(f"{number}/{path}", content.encode() if isinstance(content, str) else content)
        source = moto.url(f"{number}/") if number % 2 else moto.url(str(number))
        indexed = index(source, tmp_path / str(number), layout=miniature.layout, storage=moto.storage)
        assert classes(indexed, moto.url(str(number))) == miniature.classes, name


@pytest.mark.parametrize(
    ("name", "changed", "message"),
    [
        (
            "dtd",
            {"dtd/labels/test1.txt": None},
            "has not the layout dtd: no file labels/test1.txt is in it or below. Expected is images/CLASS/….jpg and lab",
        ),
        ("food101", {"food-101/meta/classes.txt": None}, "no file meta/classes.txt is in it"),
        ("pets", {"oxford-iiit-pet/annotations/test.txt": None}, "no file annotations/test.txt is in it"),
        ("places365", {"categories_places365.txt": None}, "no file categories_places365.txt is in it"),
        ("cub", {f"{CUB}/images.txt": None}, "no file images.txt is beside train_test_split.txt"),
        (
            "imagenet and a list of ids",
            {"imagenet_2012_validation_synset_labels.txt": None},
            "has none of LOC_val_solution.csv, ILSVRC2012_validation_ground_truth.txt, imagenet_2012",
        ),
        (
            "imagenet and its development kit",
            {"ILSVRC2012_devkit_t12/data/meta.mat": None},
            "no file meta.mat is in it",
        ),
        ("dtd", dict.fromkeys(MINIATURES["dtd"].files), "no image is in it or below"),
        ("dtd", {"dtd/labels/test1.txt": b"banded/\xff.jpg\n"}, "test1.txt, line 1: byte 7 (0xff) is not UTF-8"),
        ("dtd", {"dtd/labels/test1.txt": "banded_0002.jpg\n"}, "test1.txt line 1: expected is 'CLASS/IMAGE', not"),
        ("dtd", {"dtd/labels/test1.txt": "a b\n"}, "test1.txt line 1: expected is 'CLASS/IMAGE', not 'a b'"),
        (
            "dtd",
            {"dtd/labels/test1.txt": "striped/striped_0001.jpg\nzigzagged/zigzagged_0001.jpg\n"},
            "none of the 2 images of dtd/labels/test1.txt is below a folder images there, such as striped/striped_0001",
        ),
        (
            "places365",
            {"places365_val.txt": "Places365_val_00000001.jpg 365\n"},
            "places365_val.txt line 1: '365' is no number of a class; there are 0 to 8",
        ),
        (
            "places365",
            {"val_large/Places365_val_00000001.jpg": PIXEL},
            "Places365_val_00000001 of places365_val.txt may be val_256/Places365_val_00000001.jpg, val_large/Places365",
        ),
        (
            "places365",
            {"places365_val.txt": "Places365_val_00000001.jpg 8\nPlaces365_val_00000001.jpg 0\n"},
            "line 2: image Places365_val_00000001 has the class 'airfield' here and 'apartment building/outdoor' in line 1",
        ),
        ("cub", {f"{CUB}/image_class_labels.txt": lines("1 1", "2 1", "3 9")}, "line 3: '9' is no number of a class"),
        ("cub", {f"{CUB}/train_test_split.txt": lines("1 0", "2 1")}, "images.txt line 3: image 3 is not in image_cl"),
        ("cub", {f"{CUB}/images.txt": lines("1 001.A/a.jpg", "1 001.A/b.jpg")}, "images.txt line 2: image 1 has the class"),
        (
            "pets",
            {"oxford-iiit-pet/annotations/test.txt": lines("Abyssinian_201 1 1 1", "Bengal_1 1 1 2")},
            "test.txt line 2: 'Bengal_1' with the number 1 is of class 'Abyssinian' in an earlier line",
        ),
        ("food101", {"food-101/meta/test.txt": "churros/1\n"}, "the class of 'churros/1' is not in food-101/meta/classes"),
        ("imagenet and Caffe's list", {"val.txt": "ILSVRC2012_val_00000001 1\n"}, "is not the file name of an image"),
        ("imagenet and Caffe's list", {"val.txt": "ILSVRC2012_val_00000001.JPEG 1000\n"}, "there are 0 to 999"),
        ("imagenet and its development kit", {"ILSVRC2012_devkit_t12/data/meta.mat": b"x"}, "is no meta.mat of ImageNet"),
        (
            "imagenet and its development kit",
            {"ILSVRC2012_devkit_t12/data/ILSVRC2012_validation_ground_truth.txt": "490\n1001\n"},
            "ground_truth.txt line 2: '1001' is no number of a class",
        ),
        (
            "imagenet and a list of ids",
            {"imagenet_2012_validation_synset_labels.txt": "n01751748\nn00001740\n"},
            "n00001740 is none of the 1,000 classes of ImageNet-1k",
        ),
        ("imagenet of Kaggle", {"LOC_val_solution.csv": "id,class\n"}, "its first line is not ImageId,PredictionString"),
        ("imagenet of Kaggle", {"LOC_val_solution.csv": "ImageId,PredictionString\nx,tench 1\n"}, "line 2: expected is 'IMAGE"),
        ("imagenet-v2", {"1000/a.jpg": PIXEL}, "1000/a.jpg: '1000' is no number of a class; there are 0 to 999"),
        (
            "imagenet-r",
            {"imagenet-r/n01440764/art_0.jpg": PIXEL},
            "1 folder(s) are none of the 200 classes of imagenet-r: n01440764",
        ),
        ("imagenet-sketch", {"n00001740/a.jpg": PIXEL}, "none of the 1,000 classes of imagenet-1k: n00001740"),
    ],
)  # fmt: skip
def test_what_is_not_as_the_layout_has_it_is_named(
    name: str, changed: Mapping[str, str | bytes | None], message: str, tmp_path: Path
) -> None:
    miniature = MINIATURES[name]
    for path, content in changed.items():
        miniature = miniature.without(path) if content is None else miniature.with_file(path, content)
    (tmp_path / "data").mkdir()
    with pytest.raises(InputError, match=re.escape(message)):
        index_miniature(tmp_path, miniature)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_photos_of_another_layout_are_refused_with_what_is_expected(
    layout: LayoutName, tmp_path: Path
) -> None:
    photos = Miniature(layout, {**images("IMG_0001.jpg", "IMG_0002.jpg"), "notes.txt": "text"}, {})
    with pytest.raises(InputError, match=re.escape(f"has not the layout {layout}: ")) as refused:
        index_miniature(tmp_path, photos)
    assert f"Expected is {LAYOUTS[layout].expected}; name the folder" in str(refused.value)


@pytest.mark.parametrize(
    ("name", "path", "content", "notice"),
    [
        (
            "dtd",
            "dtd/labels/test1.txt",
            lines("banded/banded_0002.jpg", "dotted/dotted_0001.jpg", "dotted/dotted_0002.jpg"),
            "2 image(s) of dtd/labels/test1.txt are not there: dotted/dotted_0001, dotted/dotted_0002",
        ),
        (
            "dtd",
            "dtd/labels/test1.txt",
            lines("banded/banded_0002.jpg", "dotted/dotted_0001.jpg"),
            "1 of 2 classes have no image: 'dotted'",
        ),
        (
            "dtd",
            "dtd/labels/test1.txt",
            lines("banded/banded_0002.jpg", "banded/banded_0002.jpg"),
            "1 line(s) come twice and count once: test1.txt line 2",
        ),
        (
            "dtd",
            "dtd/labels/val1.txt",
            lines("banded/banded_0002.jpg"),
            "1 image(s) are also in dtd/labels/val1.txt, which is of another split: banded/banded_0002",
        ),
        (
            "food101",
            "food-101/meta/train.txt",
            lines("waffles/971843"),
            "1 image(s) are also in food-101/meta/train.txt, which is of another split: waffles/971843",
        ),
        (
            "pets",
            "oxford-iiit-pet/annotations/trainval.txt",
            lines("Abyssinian_201 1 1 1"),
            "1 image(s) are also in oxford-iiit-pet/annotations/trainval.txt, which is of another split: Abyssinian_201",
        ),
        (
            "food101",
            "food-101/meta/classes.txt",
            lines("apple_pie", "waffles", "churros"),
            "1 of 3 classes have no image: 'churros'",
        ),
        ("imagefolder", "dog/readme.txt", "text", "1 of 3 classes have no image: 'dog'"),
    ],
)
def test_what_can_be_counted_is_a_notice(
    name: str, path: str, content: str, notice: str, tmp_path: Path
) -> None:
    assert notice in index_miniature(tmp_path, MINIATURES[name].with_file(path, content)).summary.notices


def test_windows_line_ends_and_a_byte_order_mark_change_nothing(tmp_path: Path) -> None:
    path = "oxford-iiit-pet/annotations/test.txt"
    text = MINIATURES["pets"].files[path]
    assert isinstance(text, str)
    written = b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode()
    indexed = index_miniature(tmp_path, MINIATURES["pets"].with_file(path, written))
    assert classes(indexed, str(tmp_path / "data")) == MINIATURES["pets"].classes
