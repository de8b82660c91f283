"""The file of a night: which collections to index and label, where, and with which settings."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import ConfigDict, Field, field_validator, model_validator

from laketag.pipeline.config import Keeping, Settings
from laketag.pipeline.descriptions.formats import Format
from laketag.pipeline.descriptions.imagenet import SUBSETS
from laketag.pipeline.errors import SettingsError
from laketag.pipeline.flows.index_request import IndexOptions
from laketag.pipeline.lake.paths import checked_name
from laketag.pipeline.settings_file import read_settings_as
from laketag.pipeline.stages.description_files import DescriptionFile
from laketag.schemas import Failure

PATHS = ("source", "descriptions", "classes", "only")
"""Keys of a collection that name files and folders; ``only`` may also name a subset of ImageNet."""
DESCRIBED = ("descriptions", "format", "classes", "strict", "only", "no_filter")
"""Keys of a collection that belong to its set."""


class NightCollection(IndexOptions):
    """A collection: where its images are, and what they are labelled with."""

    model_config = ConfigDict(populate_by_name=True)

    description_set: str = Field(alias="set")
    """name of the description set"""
    descriptions: str | None = None
    """file of the descriptions; unset: the set stays as it is"""
    format: Format | Literal["auto"] = "auto"
    """format of the descriptions"""
    classes: str | None = None
    """file of class names, for a list of templates or descriptors"""
    strict: bool = False
    """refuse descriptions that need repairs"""
    only: str | None = None
    """keep these classes of the descriptions alone: imagenet-r, imagenet-a, or a file of names"""
    no_filter: bool = False
    """keep all descriptions, as papers do"""
    retry: tuple[Failure, ...] = ()
    """also retry images that failed for these reasons"""
    keep: Keeping | None = None
    """what to keep beside the labels; unset: as run.keep says"""

    @property
    def file(self) -> DescriptionFile | None:
        """The file of the descriptions and how to read it, if there is one."""
        if self.descriptions is None:
            return None
        wanted = None if self.format == "auto" else self.format
        return DescriptionFile(self.descriptions, wanted, self.classes, self.strict, self.only)

    @property
    def written_paths(self) -> dict[str, str]:
        """The paths and URLs by their keys; a subset of ImageNet is none."""
        written = {name: value for name in PATHS if (value := getattr(self, name))}
        return {name: value for name, value in written.items() if name != "only" or value not in SUBSETS}

    def describing(self, settings: Settings) -> Settings:
        """The settings by which the set is described."""
        if not self.no_filter:
            return settings
        return settings.model_copy(update={"descriptions": settings.descriptions.without_rules()})

    @field_validator("collection", "description_set")
    @classmethod
    def _check_name(cls, name: str) -> str:
        try:
            return checked_name(name, "the name")
        except SettingsError as error:
            raise ValueError(str(error)) from None


class NightFile(Settings):
    """The settings, and the collections of the night."""

    root: str | None = None
    """the lake"""
    collection: tuple[NightCollection, ...] = Field(min_length=1)
    """one [[collection]] block for each collection"""

    @model_validator(mode="after")
    def _check(self) -> "NightFile":
        pairs = [(one.collection, one.description_set) for one in self.collection]
        if twice := [pair for pair in pairs if pairs.count(pair) > 1]:
            raise ValueError(
                f"collection {twice[0][0]!r} has the set {twice[0][1]!r} twice; leave one of them out"
            )
        first: dict[str, tuple[int, dict[str, Any]]] = {}
        for number, one in enumerate(self.collection, 1):
            options = one.model_dump(include=set(IndexOptions.model_fields))
            block, known = first.setdefault(one.collection, (number, options))
            if unlike := [key for key in options if options[key] != known[key]]:
                raise ValueError(
                    f"the blocks {block} and {number} index collection {one.collection!r} with different {unlike[0]} "
                    f"({known[unlike[0]]!r} and {options[unlike[0]]!r}); make them equal, or give the collections two names"
                )
        for name in {one.description_set for one in self.collection}:
            files = {
                (one.file, one.no_filter)
                for one in self.collection
                if one.description_set == name and one.file
            }
            if len(files) > 1:
                raise ValueError(
                    f"set {name!r} has different descriptions ({', '.join(sorted(one.url for one, _ in files))}) or reads them "
                    "in different ways; give each of them a set of its own"
                )
        return self

    @property
    def settings(self) -> Settings:
        """The settings alone."""
        return Settings(**{name: getattr(self, name) for name in Settings.model_fields})

    @property
    def set_settings(self) -> Settings:
        """The settings alone, of which only those are set that were."""
        return Settings(**self.model_dump(include=set(Settings.model_fields), exclude_unset=True))


def read_night(
    file: Path | str,
    overrides: Sequence[str] = (),
    *,
    settings: Path | str | None = None,
    root: str | None = None,
) -> NightFile:
    """The night of the file; a relative path in ``root`` or in a collection is relative to the file's folder.

    Every collection has the descriptions of its set, also those that another one names. ``settings`` is a file of settings,
    of which those of the night replace some. ``root`` replaces the one of the file. A SettingsError names everything that is
    wrong.
    """
    night = read_written(file, overrides, settings=settings)
    folder = Path(file).expanduser().absolute().parent
    changes: dict[str, Any] = {"root": root or (night.root and place(folder, night.root))}
    if not changes["root"]:
        raise SettingsError(f'{file} names no lake; write root = "LAKE" at its top, or give --root')
    by_set = {one.description_set: one for one in night.collection if one.descriptions}
    described = (
        one.model_copy(update={key: getattr(by_set.get(one.description_set, one), key) for key in DESCRIBED})
        for one in night.collection
    )
    changes["collection"] = tuple(
        one.model_copy(update={name: place(folder, path) for name, path in one.written_paths.items()})
        for one in described
    )
    return night.model_copy(update=changes)


def read_written(
    file: Path | str, overrides: Sequence[str] = (), *, settings: Path | str | None = None
) -> NightFile:
    """As read_night, with all paths as they are written; there may be no root."""
    return read_settings_as(NightFile, [file] if settings is None else [settings, file], overrides)


def place(folder: Path, path: str) -> str:
    """The URL or path; a relative one is below the folder."""
    return path if "://" in path or path.startswith("~") else str(folder / path)
