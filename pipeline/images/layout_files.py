"""What is below the source of a data set in a known layout: images, and the files that state their classes."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from laketag.pipeline.config import StorageSettings
from laketag.pipeline.descriptions.problems import name_some
from laketag.pipeline.descriptions.strict_json import decode_text
from laketag.pipeline.errors import InputError
from laketag.pipeline.store.errors import store_errors
from laketag.pipeline.store.locations import Listed
from laketag.pipeline.store.versioned_file import open_file

MAX_BYTES = 1 << 28
"""Of one file that states classes; the longest that is read, Kaggle's for ImageNet, has 50,000 lines."""


@dataclass(frozen=True, kw_only=True)
class LayoutFiles:
    """The files below a source, by their paths relative to it; ``notices`` fills while a layout reads them."""

    url: str
    layout: str
    expected: str  # what the layout has where, in words
    storage: StorageSettings
    images: Mapping[str, Listed]
    others: Mapping[str, Listed]
    notices: list[str] = field(default_factory=list)

    def mismatch(self, found: str) -> InputError:
        """The error that the source is not laid out as was said."""
        return InputError(
            f"{self.url} has not the layout {self.layout}: {found}. Expected is {self.expected}; name the folder that "
            "holds this, or another --layout"
        )

    def find(self, name: str) -> str | None:
        """The path that ends with this name (which may have folders); of several the one in the fewest folders."""
        found = [path for path in self.others if f"/{path}".endswith(f"/{name}")]
        return min(found, key=lambda path: (path.count("/"), path), default=None)

    def require(self, name: str) -> str:
        """As find; an InputError if there is none."""
        path = self.find(name)
        if path is None:
            raise self.mismatch(f"no file {name} is in it or below")
        return path

    def read(self, path: str) -> bytes:
        """The content of a file that states classes."""
        url = self.others[path].url
        with store_errors(url), open_file(url, self.storage) as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise InputError(
                f"{url} has over {MAX_BYTES:,} bytes, too many for a list of images; name another source"
            )
        return content

    def text(self, path: str) -> str:
        """The content as text."""
        return decode_text(self.read(path), self.others[path].url)

    def rows(self, path: str, columns: str) -> list[tuple[str, list[str]]]:
        """The place and the fields of each line, which has exactly these columns, separated by white space."""
        rows = []
        for number, line in enumerate(self.text(path).splitlines(), 1):
            if not line.strip() or line.startswith("#"):
                continue
            place, fields = f"{self.others[path].url} line {number}", line.split()
            if len(fields) != len(columns.split()):
                raise InputError(
                    f"{place}: expected is {columns!r}, not {line[:80]!r}; is this the file of {self.layout}?"
                )
            rows.append((place, fields))
        return rows


@dataclass(frozen=True, kw_only=True)
class StatedClasses:
    """The classes of the images that belong to a layout."""

    of_image: Mapping[str, str]  # path of an image → its class
    class_names: Collection[str]  # all that the layout has, also those without an image
    others: str  # why other images below the source do not belong to it


def collect(files: LayoutFiles, rows: Iterable[tuple[str, str, str]]) -> dict[str, str]:
    """Image → class for rows of (place, image, class).

    A row that comes again is counted once, with a notice; an InputError if an image has two classes.
    """
    found: dict[str, tuple[str, str]] = {}
    again = []
    for place, image, name in rows:
        first_place, first_name = found.setdefault(image, (place, name))
        if first_name != name:
            raise InputError(
                f"{place}: image {image} has the class {name!r} here and {first_name!r} in line "
                f"{first_place.rpartition(' line ')[2]}; correct one of these lines"
            )
        if first_place != place:
            again.append(place.rpartition("/")[2])
    if again:
        files.notices.append(f"{len(again):,} line(s) come twice and count once: {name_some(again)}")
    return {image: name for image, (_, name) in found.items()}


def find_images(
    files: LayoutFiles, stated: Mapping[str, str], file: str, folders: Collection[str] = ()
) -> dict[str, str]:
    """Path → class for images that a file names by the end of their paths, without extensions.

    Only images in one of these folders count, if any are named. Images that the file names and that are not there are counted
    in a notice; an InputError if that is all of them, or if two images have the name.
    """
    depth = max((name.count("/") + 1 for name in stated), default=1)
    paths: dict[str, list[str]] = {}
    for path in files.images:
        parts = path.split("/")
        if not folders or (len(parts) > depth and parts[-depth - 1] in folders):
            paths.setdefault(without_extension("/".join(parts[-depth:])), []).append(path)
    found: dict[str, str] = {}
    missing = []
    for image, name in stated.items():
        here = paths.get(image, [])
        if len(here) > 1:
            raise InputError(
                f"{files.url}: {image} of {file} may be {name_some(here)}; name the folder of one of them as the source, or "
                "leave the other out with --exclude"
            )
        found |= dict.fromkeys(here, name)
        missing += [] if here else [image]
    if not found:
        where = f" below a folder {' or '.join(folders)}" if folders else ""
        raise files.mismatch(
            f"none of the {len(stated):,} images of {file} is{where} there, such as {name_some(list(stated), 1)}"
        )
    if missing:
        files.notices.append(f"{len(missing):,} image(s) of {file} are not there: {name_some(missing)}")
    return found


def note_overlap(files: LayoutFiles, stated: Collection[str], other: str, images: Iterable[str]) -> None:
    """Images that another split has too are counted in a notice."""
    if both := [image for image in images if image in stated]:
        files.notices.append(
            f"{len(both):,} image(s) are also in {other}, which is of another split: {name_some(both)}"
        )


def without_extension(path: str) -> str:
    """The path without what follows the last dot of its name."""
    return str(PurePosixPath(path).with_suffix(""))


def class_of(number: str, names: Mapping[str, str] | Sequence[str], place: str) -> str:
    """The class with the number; an InputError with the numbers that exist otherwise."""
    numbers = names if isinstance(names, Mapping) else {str(at): name for at, name in enumerate(names)}
    if number not in numbers:
        ordered = list(numbers)
        known = f"{ordered[0]} to {ordered[-1]}" if ordered else "none"
        raise InputError(f"{place}: {number!r} is no number of a class; there are {known}")
    return numbers[number]


def spaced(name: str) -> str:
    """The name of a folder or file as words: ``apple_pie`` with a space."""
    return re.sub(r"[_\s]+", " ", name).strip()
