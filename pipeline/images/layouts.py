"""The layouts in which people have benchmarks on disk or in a bucket, and images of their own in folders of classes."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import PurePosixPath

import polars as pl

from laketag.pipeline.config import StorageSettings
from laketag.pipeline.descriptions.problems import name_some
from laketag.pipeline.images.exclusions import Exclusions
from laketag.pipeline.images.findings import Findings
from laketag.pipeline.images.image_formats import IMAGE_EXTENSIONS
from laketag.pipeline.images.layout_files import LayoutFiles, StatedClasses
from laketag.pipeline.images.layout_imagenet import by_wnid, imagenet, imagenet_v2
from laketag.pipeline.images.layout_names import LayoutName
from laketag.pipeline.images.layout_splits import cub, dtd, food101, pets, places365
from laketag.pipeline.images.listing import COLUMNS
from laketag.pipeline.store.errors import store_errors
from laketag.pipeline.store.folders import list_folders
from laketag.pipeline.store.locations import Listed, Skipped, is_text, parse_url
from laketag.pipeline.store.schemes import list_below, normalise_url

BATCH_ROWS = 50_000


@dataclass(frozen=True)
class Layout:
    """Where a data set has its images and what states their classes."""

    read: Callable[[LayoutFiles], StatedClasses]
    expected: str
    images: int | None = None  # of the published split that papers report on
    not_entered: tuple[str, ...] = ()
    """Folders with images of other splits; on a disk they are not even listed."""


def imagefolder(files: LayoutFiles) -> StatedClasses:
    """The folder directly below the source is the class, however deep an image is in it, as for torchvision's ImageFolder."""
    folders = list_folders(files.url, files.storage)
    in_folders = {path: path.split("/")[0] for path in files.images if "/" in path}
    if not in_folders:
        raise files.mismatch("no image is in a folder of it")
    hidden = Exclusions()
    names = [name for name in folders if hidden.reason(f"{name}/") is None]
    return StatedClasses(
        of_image=in_folders,
        class_names=dict.fromkeys([*names, *in_folders.values()]),
        others="in no folder of a class",
    )


_WNIDS = "folders of WordNet ids (n01443537/…)"
LAYOUTS: dict[LayoutName, Layout] = {
    "imagenet": Layout(
        imagenet,
        "validation images ILSVRC2012_val_….JPEG in folders of WordNet ids, or in one folder beside LOC_val_solution.csv "
        "(Kaggle), ILSVRC2012_validation_ground_truth.txt and meta.mat (development kit), "
        "imagenet_2012_validation_synset_labels.txt or val.txt (Caffe)",
        50_000,
        ("train", "test", "ILSVRC2012_img_train"),
    ),
    "imagenet-v2": Layout(imagenet_v2, "folders 0 to 999 of images", 10_000),
    "imagenet-r": Layout(
        partial(by_wnid, subset="imagenet-r"), f"{_WNIDS} of the 200 classes of ImageNet-R", 30_000
    ),
    "imagenet-sketch": Layout(by_wnid, f"{_WNIDS} of ImageNet-1k", 50_889),
    "imagenet-a": Layout(
        partial(by_wnid, subset="imagenet-a"), f"{_WNIDS} of the 200 classes of ImageNet-A", 7_500
    ),
    "cub": Layout(
        cub,
        "images/NNN.NAME/….jpg, and beside it images.txt, image_class_labels.txt, train_test_split.txt and classes.txt",
        5_794,
    ),
    "pets": Layout(pets, "images/NAME_N.jpg and annotations/test.txt", 3_669),
    "dtd": Layout(dtd, "images/CLASS/….jpg and labels/test1.txt", 1_880),
    "food101": Layout(food101, "images/CLASS/….jpg, meta/test.txt and meta/classes.txt", 25_250),
    "places365": Layout(
        places365,
        "val_256/ or val_large/ with Places365_val_….jpg, and places365_val.txt and categories_places365.txt",
        36_500,
        ("data_256", "data_large", "data_256_standard", "data_large_standard", "test_256", "test_large"),
    ),
    "imagefolder": Layout(imagefolder, "a folder for each class, with its images in it or below"),
}
"""By the names that --layout takes."""


@dataclass(frozen=True, kw_only=True)
class LayoutSource:
    """A folder or prefix in a known layout."""

    url: str
    layout: LayoutName
    exclude: tuple[str, ...] = ()


def read_layout(source: LayoutSource, storage: StorageSettings, findings: Findings) -> Iterator[pl.DataFrame]:
    """The images of the split that papers report on, with the columns of a listing and ``true_class``.

    An InputError if the source has another layout. Images of other splits are left out and counted; classes without images and
    lines without images are noted.
    """
    layout = LAYOUTS[source.layout]
    files = _list_files(source, layout, storage, findings)
    stated = layout.read(files)
    rows = []
    for path, image in files.images.items():
        if path in stated.of_image:
            rows.append((*image, stated.of_image[path]))
        else:
            findings.left_out.add(path, stated.others)
    _note_classes(files, stated, layout)
    findings.notices.extend(files.notices)
    columns = COLUMNS | {"true_class": pl.String}
    for start in range(0, len(rows), BATCH_ROWS):
        yield pl.DataFrame(rows[start : start + BATCH_ROWS], columns, orient="row")


def _note_classes(files: LayoutFiles, stated: StatedClasses, layout: Layout) -> None:
    images = Counter(stated.of_image.values())
    if without := [repr(name) for name in stated.class_names if not images[name]]:
        files.notices.append(
            f"{len(without):,} of {len(stated.class_names):,} classes have no image: {name_some(without)}"
        )
    if layout.images not in (None, images.total()):
        files.notices.append(
            f"{images.total():,} images are here, and the published {files.layout} has {layout.images:,}"
        )


def _list_files(
    source: LayoutSource, layout: Layout, storage: StorageSettings, findings: Findings
) -> LayoutFiles:
    top = parse_url(normalise_url(source.url))
    exclusions = Exclusions(source.exclude, top.url)

    def reason(path: str) -> str | None:
        other = next((part for part in path.split("/") if part in layout.not_entered), None)
        return f"in {other}" if other else exclusions.reason(path)

    images: dict[str, Listed] = {}
    others: dict[str, Listed] = {}
    with store_errors(top.url):
        for page in list_below(top, storage, reason):
            for file in page:
                if isinstance(file, Skipped):
                    findings.left_out.add(file.path, file.reason)
                elif not file.path or file.path.endswith("/"):  # a store's mark for a folder
                    continue
                elif why := reason(file.path) or (None if is_text(file.path) else "name is not UTF-8"):
                    findings.left_out.add(file.path, why)
                elif _extension(file.path) in IMAGE_EXTENSIONS:
                    images[file.path] = file
                else:
                    others[file.path] = file
    findings.left_out.unmatched.extend(exclusions.unmatched)
    files = LayoutFiles(
        url=top.url,
        layout=source.layout,
        expected=layout.expected,
        storage=storage,
        images=images,
        others=others,
    )
    if not images:
        raise files.mismatch("no image is in it or below")
    return files


def _extension(path: str) -> str:
    return PurePosixPath(path).suffix.lower().removeprefix(".")
