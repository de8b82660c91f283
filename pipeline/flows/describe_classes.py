"""A description set: read → lint → embed → filter → write."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from laketag.pipeline.cluster.execution import NO_TIMEOUT, open_blocks, retries_allowed
from laketag.pipeline.cluster.ray_address import named_address
from laketag.pipeline.cluster.ray_runtime import ray_runtime
from laketag.pipeline.cluster.ray_wait import say_ray_starts
from laketag.pipeline.cluster.resources import Resources, decide_resources
from laketag.pipeline.config import Settings
from laketag.pipeline.descriptions.content_hash import hash_content, hash_with_all_settings
from laketag.pipeline.descriptions.embedded_set import EmbeddedSet
from laketag.pipeline.descriptions.lint import Description, lint, refuse_bare_classes
from laketag.pipeline.descriptions.reading import ClassSentences
from laketag.pipeline.lake.description_versions import (
    description_url,
    find_same_content,
    new_version,
    read_descriptions_table,
    read_embedded_texts,
    write_descriptions,
)
from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.models.choose_backbone import ChosenBackbone, choose_backbone, recall_backbone
from laketag.pipeline.screen import Screen
from laketag.pipeline.stages.description_files import DescriptionFile, read_sentences
from laketag.pipeline.stages.embed_descriptions import EmbedDescriptions
from laketag.pipeline.stages.filter_descriptions import (
    filter_descriptions,
    keep_label_prompts,
    name_alike_classes,
)

if TYPE_CHECKING:
    from ray.data import Dataset

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
    embedded: int  # texts that the model had to embed; of the others the newest version had the embeddings
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


def describe_classes(
    lake: Lake, set_name: str, file: DescriptionFile, settings: Settings, screen: Screen
) -> DescribedSet:
    """The set's newest version has the file's descriptions, embedded, each kept or dropped with its reason.

    If the newest version has the same content (texts, settings, text tower) already, nothing is embedded or written. Of a
    new version, only those texts are embedded that the newest one has not embedded with the same text tower.
    """
    read = read_set(lake, set_name, file, settings, screen)
    backbone, version = read.backbone, read.version
    embedded_texts = 0
    if is_new := version is None:
        # embed: the same rows out; what is not dropped has its embedding, that of the newest version if it has the text
        known = read_embedded_texts(lake, set_name, backbone.text_tower_sha256)
        embedded, embedded_texts = embed_new_descriptions(
            read.descriptions, known, backbone, settings, screen
        )
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


def embed_new_descriptions(
    descriptions: Sequence[Description],
    known: pl.DataFrame,
    backbone: ChosenBackbone,
    settings: Settings,
    screen: Screen,
) -> tuple[pl.DataFrame, int]:
    """The descriptions with ``tokens``, ``truncated`` and ``embedding``, in the same order; how many texts were embedded.

    What the same text tower has made of a text is taken from the known texts.
    """
    rows = pl.DataFrame([vars(description) for description in descriptions], schema=DESCRIPTION_COLUMNS)
    found = rows.with_row_index("row").join(known, on="text", how="left", maintain_order="left")
    is_kept = pl.col("drop_reason").is_null()
    is_new = pl.col("tokens").is_null() | (is_kept & pl.col("embedding").is_null())
    new = found.filter(is_new).select("row", *DESCRIPTION_COLUMNS)
    if new.is_empty():
        return found.drop("row"), 0
    made = embed_descriptions(new, backbone, settings, screen)
    both = pl.concat([found.filter(~is_new), made.select(found.columns)], how="vertical_relaxed")
    return both.sort("row").drop("row"), made.filter(is_kept).height


def embed_descriptions(
    numbered: pl.DataFrame, backbone: ChosenBackbone, settings: Settings, screen: Screen
) -> pl.DataFrame:
    """The rows with ``tokens``, ``truncated`` and ``embedding``; blocks of them come back in any order."""
    blocks = list(numbered.iter_slices(settings.descriptions.batch_size))
    say_ray_starts(screen)
    with ray_runtime() as runtime:
        resources = decide_resources(runtime, settings.run, numbered.height)
        screen.detail(f"{runtime}; Ray's own log: {runtime.log_file}")
        screen.detail(f"{resources.actors} actor(s) on {resources.device}")
        screen.wait(f"loading the model and embedding {numbered.height:,} texts")
        with retries_allowed():
            chain = embed_chain(blocks, backbone, resources)
        with open_blocks(chain) as embedded:
            return pl.concat([pl.DataFrame(block) for block in embedded])


def embed_chain(blocks: Sequence[pl.DataFrame], backbone: ChosenBackbone, resources: Resources) -> "Dataset":
    """Descriptions in, the same with their embeddings out, as one chain of Ray Data calls."""
    import ray.data
    from ray.data import ActorPoolStrategy

    chain: Dataset = (
        # read: batch_size texts a block
        ray.data.from_blocks([block.to_arrow() for block in blocks])
        # embed: a block in, the same rows with embeddings (4 bytes × dim each) out; the actor keeps the text tower
        .map_batches(
            EmbedDescriptions,
            fn_constructor_args=(backbone.pickled_spec,),
            fn_constructor_kwargs={"device": resources.device, "threads": resources.threads_per_actor},
            batch_format="pyarrow",
            batch_size=None,
            compute=ActorPoolStrategy(size=min(resources.actors, len(blocks))),
            num_cpus=resources.cpus_per_actor,
            num_gpus=resources.gpus_per_actor,
            max_restarts=1,  # Ray Data's default is unlimited, also for an actor that dies while it loads its model
            max_task_retries=1,
        )
    )
    if resources.autoscaling:  # new nodes may take any time
        chain.context.execution_no_progress_timeout_s = NO_TIMEOUT
    return chain
