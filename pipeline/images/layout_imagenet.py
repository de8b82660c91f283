"""ImageNet-1k's validation images and its variants, as folders of WordNet ids or of numbers, and as one flat folder."""

import csv
import io
import re
import zlib
from collections.abc import Callable, Iterator

from laketag.pipeline.descriptions.imagenet import imagenet_classes
from laketag.pipeline.descriptions.problems import name_some
from laketag.pipeline.descriptions.wordnet import WNID
from laketag.pipeline.errors import InputError
from laketag.pipeline.images.image_formats import IMAGE_EXTENSIONS
from laketag.pipeline.images.layout_files import (
    LayoutFiles,
    StatedClasses,
    class_of,
    collect,
    find_images,
    without_extension,
)

VALIDATION_IMAGE = re.compile(r"(?:.*/)?ILSVRC2012_val_\d{8}\.\w+")
NOT_META = (ValueError, KeyError, IndexError, TypeError, NotImplementedError, OSError, zlib.error)
"""What scipy and numpy raise for other files."""
Rows = Iterator[tuple[str, str, str]]
"""Place, image and WordNet id of each line."""


def imagenet(files: LayoutFiles) -> StatedClasses:
    """ILSVRC2012_val_*.JPEG in folders of WordNet ids, or flat beside a file that states their classes."""
    validation = {path for path in files.images if VALIDATION_IMAGE.fullmatch(path)}
    if not validation:
        raise files.mismatch("no image in it or below is called ILSVRC2012_val_….JPEG")
    in_folders = {path for path in validation if WNID.fullmatch(_folder(path))}
    if in_folders:
        return _by_wnid(files, in_folders, "", "not a validation image in a folder of a WordNet id")
    for name, read in FLAT.items():
        if path := files.find(name):
            wnids = collect(files, read(files, path))
            names = imagenet_classes()
            if unknown := [wnid for wnid in wnids.values() if wnid not in names]:
                raise InputError(
                    f"{files.others[path].url}: {name_some(unknown, 1)} is none of the 1,000 classes of ImageNet-1k; name a "
                    "source with its own file"
                )
            classes = {image: names[wnid] for image, wnid in wnids.items()}
            return StatedClasses(
                of_image=find_images(files, classes, name),
                class_names=names.values(),
                others=f"not in {name}",
            )
    raise files.mismatch(
        f"its validation images are not in folders of WordNet ids, and it has none of {', '.join(FLAT)}"
    )


def imagenet_v2(files: LayoutFiles) -> StatedClasses:
    """Images in folders 0 … 999, the numbers of the classes."""
    names = list(imagenet_classes().values())
    numbered = {path: _folder(path) for path in files.images if _folder(path).isdecimal()}
    if not numbered:
        raise files.mismatch("no image is in a folder that is a number")
    return StatedClasses(
        of_image={
            path: class_of(str(int(number)), names, files.images[path].url)
            for path, number in numbered.items()
        },
        class_names=names,
        others="not in a folder that is a number",
    )


def by_wnid(files: LayoutFiles, subset: str = "") -> StatedClasses:
    """Images in folders of WordNet ids, which are all of the subset."""
    in_folders = {path for path in files.images if WNID.fullmatch(_folder(path))}
    if not in_folders:
        raise files.mismatch("no image is in a folder that is a WordNet id, such as n01443537")
    return _by_wnid(files, in_folders, subset, "not in a folder of a WordNet id")


def _by_wnid(files: LayoutFiles, paths: set[str], subset: str, others: str) -> StatedClasses:
    names = imagenet_classes(subset)
    if unknown := sorted({_folder(path) for path in paths} - names.keys()):
        what = f"the {len(names):,} classes of {subset or 'imagenet-1k'}"
        raise files.mismatch(f"{len(unknown):,} folder(s) are none of {what}: {name_some(unknown)}")
    return StatedClasses(
        of_image={path: names[_folder(path)] for path in files.images if path in paths},
        class_names=names.values(),
        others=others,
    )


def _folder(path: str) -> str:
    return path.rpartition("/")[0].rpartition("/")[2]


def _from_kaggle(files: LayoutFiles, path: str) -> Rows:
    """``ImageId,PredictionString``: the id, and the class before each of its boxes."""
    url = files.others[path].url
    reader = csv.reader(io.StringIO(files.text(path), newline=""))
    if next(reader, []) != ["ImageId", "PredictionString"]:
        raise InputError(f"{url}: its first line is not ImageId,PredictionString; is this Kaggle's file?")
    for row in reader:
        place = f"{url} line {reader.line_num}"
        wnid = row[1].split(" ")[0] if len(row) > 1 else ""
        if not WNID.fullmatch(wnid):
            raise InputError(
                f"{place}: expected is 'IMAGE,WNID X Y X Y …', not {','.join(row)[:80]!r}; correct it"
            )
        yield place, row[0], wnid


def _from_devkit(files: LayoutFiles, path: str) -> Rows:
    """A number of the development kit in each line; its meta.mat says which class has it."""
    wnids = _read_meta(files, files.require("meta.mat"))
    for number, (place, (class_number,)) in enumerate(files.rows(path, "NUMBER"), 1):
        yield place, f"ILSVRC2012_val_{number:08d}", class_of(class_number, wnids, place)


def _read_meta(files: LayoutFiles, path: str) -> dict[str, str]:
    """The development kit's numbers 1 … 1000 → WordNet ids."""
    url = files.others[path].url
    try:
        import numpy as np
        from scipy.io import loadmat, matlab
    except ImportError:
        raise InputError(
            f"{url} is a file of MATLAB, for which laketag needs scipy; install laketag[devkit], or put Kaggle's "
            "LOC_val_solution.csv beside the images"
        ) from None
    try:
        synsets = np.atleast_1d(loadmat(io.BytesIO(files.read(path)), squeeze_me=True)["synsets"])
        pairs = [(str(int(row["ILSVRC2012_ID"])), str(row["WNID"])) for row in synsets]
    except (*NOT_META, matlab.MatReadError) as error:
        raise InputError(
            f"{url} is no meta.mat of ImageNet's development kit ({error}); copy it again"
        ) from None
    names = imagenet_classes()
    return {number: wnid for number, wnid in pairs if wnid in names}  # the others are groups of classes


def _from_synset_labels(files: LayoutFiles, path: str) -> Rows:
    """A WordNet id in each line."""
    for number, (place, (wnid,)) in enumerate(files.rows(path, "WNID"), 1):
        yield place, f"ILSVRC2012_val_{number:08d}", wnid


def _from_caffe(files: LayoutFiles, path: str) -> Rows:
    """``ILSVRC2012_val_00000001.JPEG 65``: the number is that of the WordNet id in sorted order, or in synset_words.txt."""
    wnids = list(imagenet_classes())
    if words := files.find("synset_words.txt"):
        wnids = [line.split(" ")[0] for line in files.text(words).splitlines() if line.strip()]
    for place, (image, number) in files.rows(path, "IMAGE.JPEG NUMBER"):
        if image.rpartition(".")[2].lower() not in IMAGE_EXTENSIONS:
            raise InputError(
                f"{place}: {image!r} is not the file name of an image, such as ILSVRC2012_val_00000001.JPEG"
            )
        yield place, without_extension(image).rpartition("/")[2], class_of(number, wnids, place)


FLAT: dict[str, Callable[[LayoutFiles, str], Rows]] = {
    "LOC_val_solution.csv": _from_kaggle,
    "ILSVRC2012_validation_ground_truth.txt": _from_devkit,
    "imagenet_2012_validation_synset_labels.txt": _from_synset_labels,  # tensorflow/models, research/slim/datasets
    "val.txt": _from_caffe,  # Caffe's get_ilsvrc_aux.sh
    "val_list.txt": _from_caffe,  # PaddleClas
}
"""Files that state the classes of the flat validation images, and how they are read."""
