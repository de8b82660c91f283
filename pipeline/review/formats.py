"""The files of reviews, by the tool that they are for."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal, get_args

from laketag.pipeline.errors import InputError, SettingsError
from laketag.pipeline.review.csv_file import read_csv, write_csv
from laketag.pipeline.review.fiftyone import read_dataset, write_dataset
from laketag.pipeline.review.items import ReadFile, ReviewItem, Subject
from laketag.pipeline.review.label_studio import read_tasks, write_interface, write_tasks

ReviewFormat = Literal["csv", "label-studio", "fiftyone"]
FORMATS: tuple[ReviewFormat, ...] = get_args(ReviewFormat)
SUFFIXES: dict[ReviewFormat, str] = {"csv": ".csv", "label-studio": ".json", "fiftyone": ".json"}
WRITERS: dict[ReviewFormat, Callable[[Sequence[ReviewItem], Subject], bytes]] = {
    "csv": write_csv,
    "label-studio": write_tasks,
    "fiftyone": write_dataset,
}


@dataclass(frozen=True)
class ReadReview:
    """What a file holds, and the tool that wrote it."""

    format: ReviewFormat
    file: ReadFile


def choose_format(name: str, wanted: ReviewFormat | None) -> ReviewFormat:
    """The format of a file to be written: the one that is wanted, or else that of its suffix, of ``.json`` Label Studio's."""
    suffix = PurePosixPath(name).suffix.lower()
    if wanted is None:
        wanted = next((known for known in FORMATS if SUFFIXES[known] == suffix), None)
    if wanted is None or SUFFIXES[wanted] != suffix:
        rule = " or ".join(f"{SUFFIXES[known]} ({known})" for known in ([wanted] if wanted else FORMATS))
        raise SettingsError(f"--to {name}: cannot tell the format by its name; end it in {rule}")
    return wanted


def write_files(
    name: str, chosen: ReviewFormat, items: Sequence[ReviewItem], subject: Subject
) -> dict[str, bytes]:
    """The file of that name, and for Label Studio beside it the labelling interface of its project, in ``.xml``."""
    files = {name: WRITERS[chosen](items, subject)}
    if chosen == "label-studio":
        files[f"{name[: -len(SUFFIXES[chosen])]}.xml"] = write_interface(subject)
    return files


def read_review(data: bytes, name: str) -> ReadReview:
    """What the file says, whose format its content tells; an InputError if it is none of them."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{name}: is no UTF-8; save it as CSV UTF-8, or as JSON") from None
    if text.lstrip()[:1] not in ("[", "{"):
        return ReadReview("csv", read_csv(text, name))
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{name}: is no JSON ({error}); export it from its tool again") from None
    if isinstance(content, list):
        return ReadReview("label-studio", read_tasks(content, name))
    if isinstance(content.get("samples"), list):
        return ReadReview("fiftyone", read_dataset(content, name))
    raise InputError(
        f"{name}: is neither a list of tasks of Label Studio nor an object with the samples of FiftyOne; export it again"
    )
