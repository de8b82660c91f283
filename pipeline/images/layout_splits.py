"""Data sets whose own split files say which images are of the test split, and of which class."""

from pathlib import PurePosixPath

from laketag.pipeline.errors import InputError
from laketag.pipeline.images.layout_files import (
    LayoutFiles,
    StatedClasses,
    class_of,
    collect,
    find_images,
    note_overlap,
    spaced,
    without_extension,
)

PLACES_SIZES = ("val_256", "val_large")


def cub(files: LayoutFiles) -> StatedClasses:
    """CUB-200-2011: four files of ``IMAGE_ID VALUE``; test images have a 0 in train_test_split.txt."""
    top = str(PurePosixPath(files.require("train_test_split.txt")).parent)

    def read(name: str, value: str) -> dict[str, tuple[str, str]]:
        path = name if top == "." else f"{top}/{name}"
        if path not in files.others:
            raise files.mismatch(f"no file {name} is beside train_test_split.txt")
        rows = files.rows(path, f"ID {value}")
        collect(files, [(place, number, what) for place, (number, what) in rows])
        return {number: (place, what) for place, (number, what) in rows}

    names = {
        number: spaced(name.partition(".")[2])
        for number, (_, name) in read("classes.txt", "NNN.NAME").items()
    }
    images, numbers = read("images.txt", "NNN.NAME/IMAGE.jpg"), read("image_class_labels.txt", "CLASS_ID")
    split = read("train_test_split.txt", "IS_TRAINING")
    rows = []
    for number, (place, image) in images.items():
        if number not in numbers or number not in split:
            raise InputError(
                f"{place}: image {number} is not in image_class_labels.txt or train_test_split.txt; are all of one data set?"
            )
        if split[number][1] == "0":
            at, class_number = numbers[number]
            rows.append((place, without_extension(image), class_of(class_number, names, at)))
    return StatedClasses(
        of_image=find_images(files, collect(files, rows), "images.txt", ("images",)),
        class_names=names.values(),
        others="not of the test split",
    )


def pets(files: LayoutFiles) -> StatedClasses:
    """Oxford-IIIT Pet: ``american_bulldog_203 2 2 1`` in annotations/test.txt: image, and numbers of class, species, breed."""
    path = files.require("annotations/test.txt")
    columns = "IMAGE CLASS SPECIES BREED"
    rows = []
    names: dict[str, str] = {}
    for place, (image, number, _, _) in files.rows(path, columns):
        name = spaced(image.rpartition("_")[0])
        if not name or names.setdefault(number, name) != name:
            raise InputError(
                f"{place}: {image!r} with the number {number} is of class {names.get(number)!r} in an earlier line"
            )
        rows.append((place, image, name))
    stated = collect(files, rows)
    if training := files.find("annotations/trainval.txt"):
        note_overlap(files, stated, training, (fields[0] for _, fields in files.rows(training, columns)))
    return StatedClasses(
        of_image=find_images(files, stated, path, ("images",)),
        class_names=names.values(),
        others="not of the test split",
    )


def dtd(files: LayoutFiles) -> StatedClasses:
    """DTD, split 1 of 10: ``banded/banded_0002.jpg`` in labels/test1.txt."""
    path = files.require("labels/test1.txt")
    stated = collect(files, _named_by_folder(files, path))
    for name in ("labels/train1.txt", "labels/val1.txt"):
        if other := files.find(name):
            note_overlap(files, stated, other, (image for _, image, _ in _named_by_folder(files, other)))
    return StatedClasses(
        of_image=find_images(files, stated, path, ("images",)),
        class_names=dict.fromkeys(stated.values()),
        others="not of the test split",
    )


def food101(files: LayoutFiles) -> StatedClasses:
    """Food-101: ``apple_pie/1011328``, without extension, in meta/test.txt; its classes are in meta/classes.txt."""
    path = files.require("meta/test.txt")
    classes = files.require("meta/classes.txt")
    names = {name: spaced(name) for _, (name,) in files.rows(classes, "CLASS")}
    rows = _named_by_folder(files, path)
    for place, image, _ in rows:
        if image.partition("/")[0] not in names:
            raise InputError(
                f"{place}: the class of {image!r} is not in {classes}; are both of one data set?"
            )
    stated = collect(files, rows)
    if training := files.find("meta/train.txt"):
        note_overlap(files, stated, training, (image for _, image, _ in _named_by_folder(files, training)))
    return StatedClasses(
        of_image=find_images(files, stated, path, ("images",)),
        class_names=names.values(),
        others="not of the test split",
    )


def places365(files: LayoutFiles) -> StatedClasses:
    """Places365: ``Places365_val_00000001.jpg 165``; ``/a/apartment_building/outdoor 8`` in categories_places365.txt."""
    path = files.require("places365_val.txt")
    names = {
        number: _place_name(name)
        for _, (name, number) in files.rows(files.require("categories_places365.txt"), "NAME ID")
    }
    rows = [
        (place, without_extension(image), class_of(number, names, place))
        for place, (image, number) in files.rows(path, "IMAGE.jpg CLASS_ID")
    ]
    return StatedClasses(
        of_image=find_images(files, collect(files, rows), path, PLACES_SIZES),
        class_names=names.values(),
        others="not of the validation images",
    )


def _place_name(category: str) -> str:
    """``/a/apartment_building/outdoor`` without the letter: ``apartment building/outdoor``."""
    return spaced(category.lstrip("/").partition("/")[2])


def _named_by_folder(files: LayoutFiles, path: str) -> list[tuple[str, str, str]]:
    """Place, image and class of lines CLASS/IMAGE, whose images may lack the extension."""
    rows = []
    for place, (image,) in files.rows(path, "CLASS/IMAGE"):
        folder, slash, name = image.partition("/")
        if not slash or "/" in name:
            raise InputError(
                f"{place}: expected is 'CLASS/IMAGE', not {image!r}; is this the file of {files.layout}?"
            )
        stem = without_extension(image) if name.lower().endswith((".jpg", ".jpeg")) else image
        rows.append((place, stem, spaced(folder)))
    return rows
