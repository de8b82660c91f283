"""A description set: read → lint → embed → filter → write."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from laketag.pipeline.cluster.ray_address import named_address
from laketag.pipeline.cluster.work_stop import WorkStop
from laketag.pipeline.config import Settings
from laketag.pipeline.descriptions.content_hash import hash_content, hash_with_all_settings
from laketag.pipeline.descriptions.embedded_set import EmbeddedSet
from laketag.pipeline.descriptions.lint import Description, lint, name_spared, refuse_bare_classes
from laketag.pipeline.descriptions.reading import ClassSentences
from laketag.pipeline.flows.embed_texts import Embedding, embed_texts
from laketag.pipeline.lake.description_versions import (
    description_url,
    find_same_content,
    new_version,
    read_descriptions_table,
    write_descriptions,
)
from laketag.pipeline.lake.embedded_texts import remove_staged_texts
from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.models.choose_backbone import ChosenBackbone, choose_backbone, recall_backbone
from laketag.pipeline.screen import Screen
from laketag.pipeline.stages.description_files import DescriptionFile, read_sentences
from laketag.pipeline.stages.filter_descriptions import (
    filter_descriptions,
    keep_label_prompts,
    name_alike_classes,
)

DESCRIPTION_COLUMNS = {
    "class_name": pl.String,
    "position": pl.Int32,
    "text": pl.String,
    "drop_reason": pl.String,
}


@dataclass(frozen=True, kw_only=True)
class DescribedSet:
    """A version of a description set: its file, its rows (schemas.Descriptions), and what a person should know of them."""

    description_set: str
    version: str
    url: str
    is_new: bool  # false: the newest version has the same content, so nothing was written
    embedded: int  # texts that the model had to embed; the lake had the embeddings of the others
    rows: pl.DataFrame
    sentences: ClassSentences  # of the description file
    alike_classes: list[tuple[str, ...]]  # groups that the model cannot tell apart

    @property
    def texts(self) -> pl.DataFrame:
        """The rows of the file's own texts."""
        own = {name: len(texts) for name, texts in self.sentences.by_class.items()}
        counts = pl.col("class_name").replace_strict(own, return_dtype=pl.Int32)
        return self.rows.filter(pl.col("position").is_between(0, counts - 1))

    @property
    def dropped(self) -> dict[str, int]:
        """How many texts were dropped, by reason, the most frequent first."""
        reasons = self.texts["drop_reason"].drop_nulls().cast(pl.String)
        return dict(
            reasons.value_counts().sort(["count", "drop_reason"], descending=[True, False]).iter_rows()
        )

    @property
    def bare_classes(self) -> list[str]:
        """The classes without a kept text of their own, which their label prompt describes."""
        kept = set(self.texts.filter(pl.col("drop_reason").is_null())["class_name"])
        return [name for name in self.sentences.by_class if name not in kept]

    def as_json(self) -> dict[str, Any]:
        """What ``--json`` prints."""
        texts = self.texts
        return {
            "description_set": self.description_set,
            "version": self.version,
            "is_new": self.is_new,
            "embedded": self.embedded,
            "descriptions": self.url,
            "classes": len(self.sentences.by_class),
            "texts": texts.height,
            "kept": texts["drop_reason"].null_count(),
            "dropped": self.dropped,
            "bare_classes": self.bare_classes,
            "alike_classes": self.alike_classes,
        }


@dataclass(frozen=True, kw_only=True)
class ReadSet:
    """A description file that was read and linted, and the version of the set that has its content already, if any."""

    sentences: ClassSentences
    descriptions: Sequence[Description]
    backbone: ChosenBackbone
    content_hash: str
    version: str | None


def read_set(lake: Lake, set_name: str, file: DescriptionFile, settings: Settings, screen: Screen) -> ReadSet:
    """The file, read and compared with the newest version of the set; nothing is embedded or written."""
    named_address()  # refuses an impossible RAY_ADDRESS before anything is looked up or downloaded
    # read: a file in, class → texts out
    sentences = read_sentences(file, settings)
    how = f"as {sentences.detected.format}: {sentences.detected.because}"
    screen.say(f"reading {file.url} {how}", whole=file.url)
    for notice in sentences.notices:
        screen.say(notice, "yellow")
    # lint: each class's label prompt and texts out, with the reason of what its words alone drop
    descriptions = lint(sentences.by_class, settings.descriptions, file.url)
    if spared := name_spared(descriptions, sentences.by_class, settings.descriptions, file.url):
        screen.say(spared, "yellow")
    if file.strict:
        refuse_bare_classes(descriptions, file.url)

    def compare(backbone: ChosenBackbone) -> tuple[str, str | None]:
        content = (descriptions, settings.descriptions, backbone.text_tower)
        content_hash = hash_content(*content)
        return content_hash, find_same_content(
            lake, set_name, (content_hash, hash_with_all_settings(*content))
        )

    backbone = recall_backbone(settings.backbone, settings.storage)
    content_hash, version = compare(backbone) if backbone else ("", None)
    if backbone is None or version is None:  # there is something to embed
        screen.wait("looking up the model")
        backbone = choose_backbone(settings.backbone, settings.storage)
        content_hash, version = compare(backbone)
    return ReadSet(
        sentences=sentences,
        descriptions=descriptions,
        backbone=backbone,
        content_hash=content_hash,
        version=version,
    )


@dataclass(frozen=True, kw_only=True)
class DescribeRequest:
    """Which file becomes the newest version of which set."""

    description_set: str
    file: DescriptionFile
    stop: WorkStop = field(default_factory=WorkStop, compare=False)
    """Once it is due, no more texts are embedded: WorkStoppedError. The next call takes those that are."""


def describe_classes(
    lake: Lake, request: DescribeRequest, settings: Settings, screen: Screen
) -> DescribedSet:
    """The set's newest version has the file's descriptions, embedded, each kept or dropped with its reason.

    If the newest version has the same content (texts, settings, text tower) already, nothing is embedded or written. Of a
    new version, only those texts are embedded for which the lake has no embedding by the same text tower.
    """
    set_name, file = request.description_set, request.file
    read = read_set(lake, set_name, file, settings, screen)
    backbone, version = read.backbone, read.version
    embedded_texts = 0
    if is_new := version is None:
        # embed: the same rows out; what is not dropped has its embedding, that of the lake if it has one of the text
        texts = pl.DataFrame([vars(text) for text in read.descriptions], schema=DESCRIPTION_COLUMNS)
        how = Embedding(lake=lake, backbone=backbone, settings=settings, screen=screen, stop=request.stop)
        embedded, embedded_texts = embed_texts(texts, how)
        # filter: the same rows out; near duplicates and texts over the limit are dropped too
        rows = filter_descriptions(embedded, settings.descriptions)
        if file.strict:
            refuse_bare_classes(
                [Description(*row) for row in rows.select(*DESCRIPTION_COLUMNS).iter_rows()], file.url
            )
        # keep: one row more for each class without a kept text, its label prompt
        rows = keep_label_prompts(rows)
        # write: one file, a new version of the set
        version = new_version(lake, set_name, read.content_hash)
        made = EmbeddedSet(
            name=set_name,
            version=version,
            backbone=backbone.name,
            backbone_sha256=backbone.sha256,
            label_prompt=settings.descriptions.label_prompt,
        )
        write_descriptions(lake, made, rows, backbone.text_tower_sha256)
        remove_staged_texts(lake, backbone.text_tower_sha256)
    else:
        rows = read_descriptions_table(lake, set_name, version)
    alike = name_alike_classes(rows, settings.descriptions)
    url = description_url(lake, set_name, version)
    return DescribedSet(
        description_set=set_name,
        version=version,
        url=url,
        is_new=is_new,
        embedded=embedded_texts,
        rows=rows,
        sentences=read.sentences,
        alike_classes=alike,
    )
