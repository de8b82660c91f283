"""A description set: read → lint → embed → filter → write."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
import pyarrow as pa
import ray.data
from ray.data import ActorPoolStrategy
from rich.console import Console

from laketag.pipeline.cluster.ray_runtime import open_blocks, ray_runtime
from laketag.pipeline.cluster.resources import Resources, decide_resources
from laketag.pipeline.config import DescriptionSettings, Settings
from laketag.pipeline.descriptions.content_hash import hash_content
from laketag.pipeline.descriptions.embedded_set import EmbeddedSet
from laketag.pipeline.descriptions.filtering import choose_kept
from laketag.pipeline.descriptions.formats import Detected, Format, detect_format
from laketag.pipeline.descriptions.lint import Description, lint, refuse_bare_classes
from laketag.pipeline.descriptions.reading import ClassSentences, group_rows, read_descriptions, read_names
from laketag.pipeline.descriptions.strict_json import decode_text
from laketag.pipeline.errors import InputError
from laketag.pipeline.lake.description_versions import (
    description_url,
    find_same_content,
    new_version,
    read_descriptions_table,
    write_descriptions,
)
from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.models.backbone_spec import BackboneSpec
from laketag.pipeline.stages.description_files import read_description_file, read_parquet_rows
from laketag.pipeline.stages.embed_descriptions import EmbedDescriptions
from laketag.schemas import LABEL_PROMPT_POSITION, Descriptions


@dataclass(frozen=True)
class DescribedSet:
    """A version of a description set: where it lies, and all its rows (schemas.Descriptions)."""

    set_name: str
    version: str
    url: str
    detected: Detected
    is_new: bool  # false: the newest version holds the same content, so nothing was written
    rows: pl.DataFrame

    @property
    def texts(self) -> pl.DataFrame:
        """The rows without the label prompts."""
        return self.rows.filter(pl.col("position") != LABEL_PROMPT_POSITION)

    @property
    def dropped(self) -> dict[str, int]:
        """How many texts were dropped, by reason, the most frequent first."""
        reasons = self.texts["drop_reason"].drop_nulls().cast(pl.String)
        return dict(
            reasons.value_counts().sort(["count", "drop_reason"], descending=[True, False]).iter_rows()
        )


def describe_classes(
    lake: Lake,
    file: str,
    set_name: str,
    settings: Settings,
    console: Console,
    *,
    file_format: Format | None = None,
    classes_file: str | None = None,
) -> DescribedSet:
    """The set's newest version holds the file's descriptions, embedded, each kept or dropped with its reason.

    The file may be local or on S3; without a format it is told from the file. If the newest version has the
    same content (texts, settings, text tower), nothing is embedded or written.
    """
    sentences, detected = read_file(file, settings, file_format, classes_file)
    console.print(f"reading {file} as {detected.format}: {detected.because}", soft_wrap=True)
    rows = lint(sentences, settings.descriptions, file)
    refuse_bare_classes(rows, file)
    spec = BackboneSpec(settings.backbone, settings.storage).resolved()
    content_hash = hash_content(rows, settings.descriptions, _identity(spec))
    if (same := find_same_content(lake, set_name, content_hash)) is not None:
        found = read_descriptions_table(lake, set_name, same)
        return DescribedSet(set_name, same, description_url(lake, set_name, same), detected, False, found)
    embedded = embed(rows, spec, settings, console)
    filtered = filter_embedded(embedded, settings.descriptions)
    refuse_bare_classes(_descriptions(filtered), file)
    made = EmbeddedSet(
        name=set_name,
        version=new_version(content_hash),
        backbone=spec.name,
        backbone_sha256=str(spec.sha256),
        label_prompt=settings.descriptions.label_prompt,
    )
    write_descriptions(lake, made, filtered)
    url = description_url(lake, set_name, made.version)
    return DescribedSet(set_name, made.version, url, detected, True, filtered)


def read_file(
    file: str, settings: Settings, file_format: Format | None, classes_file: str | None
) -> tuple[ClassSentences, Detected]:
    """Class → texts of a description file, and the format it was read as."""
    content = read_description_file(file, settings.storage)
    detected = Detected(file_format, "--format says so") if file_format else detect_format(content, file)
    class_names = None
    if classes_file is not None:
        if detected.format != "clip-e":
            raise InputError(
                f"{file} is read as {detected.format}, which names its classes itself; "
                "--classes goes with a list of templates (clip-e) only, so leave it out"
            )
        names = read_description_file(classes_file, settings.storage)
        class_names = read_names(decode_text(names, classes_file), classes_file)
    if detected.format == "parquet":
        return group_rows(read_parquet_rows(content, file), file), detected
    label_prompt = settings.descriptions.label_prompt
    return (
        read_descriptions(content, file, detected.format, label_prompt=label_prompt, class_names=class_names),
        detected,
    )


def embed(
    rows: Sequence[Description], spec: BackboneSpec, settings: Settings, console: Console
) -> pl.DataFrame:
    """The rows with tokens, truncated and embedding, in the same order, made by a pool of actors."""
    table = pa.table(
        {
            "row": pa.array(range(len(rows)), pa.int64()),
            "class_name": pa.array([row.class_name for row in rows], pa.string()),
            "position": pa.array([row.position for row in rows], pa.int32()),
            "text": pa.array([row.text for row in rows], pa.string()),
            "drop_reason": pa.array([row.drop_reason for row in rows], pa.string()),
        }
    )
    size = settings.descriptions.batch_size
    blocks = [table.slice(start, size) for start in range(0, len(rows), size)]
    with ray_runtime() as runtime:
        resources = decide_resources(runtime, settings.run, len(rows))
        console.print(
            f"embedding {len(rows):,} texts on {resources.device}; Ray's own log: {runtime.log_file}",
            soft_wrap=True,
        )
        embedded = embed_chain(blocks, spec, resources)
    return embedded.sort("row").drop("row")


def embed_chain(blocks: Sequence[pa.Table], spec: BackboneSpec, resources: Resources) -> pl.DataFrame:
    """The blocks through the actors, as one chain; batches come back in any order."""
    embedded = ray.data.from_arrow(list(blocks)).map_batches(
        EmbedDescriptions,
        fn_constructor_args=(spec,),
        fn_constructor_kwargs={"device": resources.device, "threads": resources.threads_per_actor},
        batch_format="pyarrow",
        batch_size=None,  # a block is a batch: 256 texts of 77 tokens
        compute=ActorPoolStrategy(size=min(resources.actors, len(blocks))),
        num_cpus=resources.cpus_per_actor,
        num_gpus=resources.gpus_per_actor,
    )
    if resources.autoscaling:  # nodes may take as long as they do
        embedded.context.execution_no_progress_timeout_s = -1
    with open_blocks(embedded) as made:
        return pl.concat([pl.DataFrame(block) for block in made])


def filter_embedded(embedded: pl.DataFrame, settings: DescriptionSettings) -> pl.DataFrame:
    """The rows as the table keeps them (schemas.Descriptions), with the reasons that embeddings tell."""
    is_prompt = pl.col("position") == LABEL_PROMPT_POSITION
    prompts = embedded.filter(is_prompt)
    place = {name: index for index, name in enumerate(prompts["class_name"])}
    open_rows = embedded.with_row_index("row").filter(~is_prompt, pl.col("drop_reason").is_null())
    reasons = choose_kept(
        np.array([place[name] for name in open_rows["class_name"]], np.int64),
        _matrix(open_rows["embedding"]),
        _matrix(prompts["embedding"]),
        settings,
    )
    decided = embedded["drop_reason"].to_list()
    for row, reason in zip(open_rows["row"], reasons, strict=True):
        decided[row] = reason
    final = embedded.with_columns(pl.Series("drop_reason", decided, pl.String))
    return Descriptions.validate(final.select(Descriptions.column_names()), cast=True)


def _matrix(embeddings: pl.Series) -> np.ndarray:
    """Embeddings of equal length as one float32 array, texts × dim."""
    dim = len(embeddings[0]) if len(embeddings) else 0
    return embeddings.explode().cast(pl.Float32).to_numpy().reshape(len(embeddings), dim)


def _identity(spec: BackboneSpec) -> str:
    """What the text tower computes depends on, wherever the model lies."""
    return f"{spec.sha256} {spec.architecture.model_config_json if spec.architecture else ''}"


def _descriptions(rows: pl.DataFrame) -> list[Description]:
    columns = rows.select("class_name", "position", "text", "drop_reason")
    return [Description(*row) for row in columns.iter_rows()]
