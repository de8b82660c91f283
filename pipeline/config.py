"""Settings: frozen, checked once, complete in their errors.

One TOML file with a table for each class below; every key can be overridden as ``table.key=value``.
Defaults are those of the ABS release (BIT-DA/ABS@5ba77c6, main.py) where it has the setting.
"""

import re
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from laketag.pipeline.errors import SettingsError


class Section(BaseModel):
    """A frozen group of settings that refuses unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, protected_namespaces=())


class BackboneSettings(Section):
    """The CLIP model: its image tower sees the crops, its text tower the descriptions."""

    name: str = Field(
        "ViT-B-16", description="open_clip architecture, such as ViT-B-16; not used with local-dir:"
    )
    pretrained: str = Field(
        "openai",
        description="open_clip pretrained tag, a .safetensors path or s3:// URL, or local-dir:FOLDER with its own config",
    )
    sha256: str | None = Field(
        None, pattern="^[0-9a-f]{64}$", description="refuse weights with another checksum"
    )
    precision: Literal["fp32", "bf16", "fp16"] = Field("fp32", description="number format of the image tower")


class AttentionSettings(Section):
    """The model that says where to look."""

    name: str = Field(
        "vit_base_patch16_224.dino",
        description="timm ViT, such as vit_small_patch16_224.dino, or 'backbone' for the CLIP tower's own attention",
    )
    weights: str | None = Field(
        None, description=".safetensors path or s3:// URL instead of timm's own weights"
    )
    sha256: str | None = Field(
        None, pattern="^[0-9a-f]{64}$", description="refuse weights with another checksum"
    )
    preprocessing: Literal["release", "timm"] = Field(
        "release", description="release: bilinear, mean = std = 0.5; timm: as the attention model was trained"
    )


class MethodSettings(Section):
    """How an image becomes a label."""

    name: Literal["abs", "clip"] = Field(
        "abs", description="abs: attention-based selection; clip: one view, label prompt"
    )
    raw_crops: bool = Field(True, description="crops cut from the pixels")
    feature_crops: bool = Field(True, description="crops cut from the tokens inside the image tower")
    soft_matching: bool = Field(
        True, description="weigh every description for every crop; off: plain mean of cosines"
    )
    crops: int = Field(50, ge=1, le=1000, description="crops of each kind for an image")
    attended_patches: int = Field(
        20, ge=1, le=10_000, description="a crop's centre is drawn from so many patches"
    )
    min_side_fraction: float = Field(
        0.6, gt=0, le=1, description="smallest side of a crop, of the image's side"
    )
    max_side_fraction: float = Field(
        0.9, gt=0, le=1, description="largest side of a crop, of the image's side"
    )
    sampling_temperature: float = Field(0.03, gt=0, description="how sharply centres follow the attention")
    matching_temperature: float = Field(0.03, gt=0, description="how sharply a crop chooses its descriptions")
    feature_block: int | None = Field(
        None,
        ge=0,
        description="crop the tokens before this block; unset: the last (the release uses 11 for every model)",
    )
    seed: int = Field(0, ge=0, description="part of every draw, together with the image's id")
    tags: int = Field(5, ge=1, le=100, description="how many of the most probable classes a row keeps")

    @model_validator(mode="after")
    def _check(self) -> "MethodSettings":
        if self.min_side_fraction > self.max_side_fraction:
            raise ValueError(
                f"min_side_fraction {self.min_side_fraction} is over max_side_fraction {self.max_side_fraction}; "
                "lower the first or raise the second"
            )
        return self


class DescriptionSettings(Section):
    """Which descriptions are kept, and how they are embedded."""

    label_prompt: str = Field(
        "a photo of a {}.", pattern=r"\{\}", description="the prompt of a bare class; {} is its name"
    )
    drop_empty: bool = Field(True, description="drop texts without a letter or digit; off: refuse them")
    drop_exact_duplicates: bool = Field(True, description="drop repetitions within a class")
    drop_near_duplicates: bool = Field(True, description="drop what is nearly the same within a class")
    near_duplicate_cosine: float = Field(
        0.99, gt=0, le=1, description="from this cosine on, two texts are nearly the same"
    )
    drop_names_another_class: bool = Field(True, description="drop texts that name another class of the set")
    drop_closer_to_another_class: bool = Field(
        False, description="drop texts nearer to another class's label prompt"
    )
    closer_margin: float = Field(0.0, ge=0, le=2, description="by how much cosine nearer")
    limit_per_class: int = Field(
        50, ge=1, description="descriptions kept of each class, the first ones (as the release)"
    )
    batch_size: int = Field(256, ge=1, description="texts embedded at once")


class FetchSettings(Section):
    """How images are read from the store."""

    concurrency: int = Field(32, ge=1, le=4096, description="objects in flight in each fetch task")
    max_bytes: int = Field(64 * 2**20, ge=1, description="larger objects fail as too_large")
    deadline_s: float = Field(
        60.0,
        gt=0,
        description="time for one object, retries included; then it fails as timeout; row groups of images get more",
    )
    attempts: int = Field(5, ge=1, le=100, description="tries for one object while answers are transient")
    backoff_s: float = Field(0.2, ge=0, description="mean wait before the second try; doubles, with jitter")
    max_backoff_s: float = Field(10.0, ge=0, description="longest wait between two tries")
    allowed_roots: tuple[str, ...] = Field(
        (), description="folders or s3:// prefixes images may come from; none: anywhere"
    )

    @field_validator("allowed_roots", mode="before")
    @classmethod
    def _one_root_is_a_list(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value

    @field_validator("allowed_roots")
    @classmethod
    def _check_roots(cls, roots: tuple[str, ...]) -> tuple[str, ...]:
        for root in roots:
            if not re.fullmatch(r"s3://[^/]+(/.*)?|(file://)?/.*|~(/.*)?", root):
                raise ValueError(
                    f"{root!r} is neither s3://bucket/prefix nor an absolute path, and nothing would lie under it; correct it"
                )
        return roots

    @model_validator(mode="after")
    def _check(self) -> "FetchSettings":
        if self.max_backoff_s < self.backoff_s:
            raise ValueError(
                f"max_backoff_s {self.max_backoff_s} is under backoff_s {self.backoff_s}; raise the first or lower the second"
            )
        return self


class DecodeSettings(Section):
    """How bytes become pixels; part of the classifier's fingerprint."""

    max_pixels: int = Field(
        178_956_970, ge=1, description="larger pictures fail as too_many_pixels before decoding"
    )
    short_side_px: int = Field(512, ge=1, description="larger pictures are shrunk to this short side")
    bounded_pixels: int = Field(4_000_000, ge=1, description="and to no more pixels than this")


class StorageSettings(Section):
    """How object storage is reached; what is unset comes from the usual AWS variables."""

    endpoint_url: str | None = Field(
        None, pattern="^https?://[^/]", description="S3 endpoint URL, for stores other than AWS"
    )
    region: str | None = Field(None, description="S3 region")
    profile: str | None = Field(None, description="profile in the AWS configuration files")
    anonymous: bool = Field(False, description="do not sign requests")

    @field_validator("endpoint_url")
    @classmethod
    def _check_no_credentials(cls, url: str | None) -> str | None:
        if url is not None and "@" in url:
            raise ValueError(
                "an endpoint's URL holds no credentials, as settings are shown and stored; leave out what stands before @ "
                "and set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a profile"
            )
        return url

    @field_validator("endpoint_url", mode="before")  # the last one is the first to see the value
    @classmethod
    def _hide_credentials(cls, url: object) -> object:
        """The URL as an error may show it."""
        return re.sub(r"(\w+://)?.*@", r"\1…@", url) if isinstance(url, str) else url


class RunSettings(Section):
    """Resources and limits of a labelling run; none of them changes a label."""

    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="auto: cuda if the cluster has GPUs")
    actors: int | None = Field(
        None, ge=1, description="label actors; unset: as many as the GPUs allow, or one without"
    )
    max_actors: int | None = Field(
        None, ge=1, description="let the pool grow to this many; unset: fixed size"
    )
    autoscaling: bool = Field(
        False,
        description="the cluster adds nodes on demand: ask for max_actors at once, and wait instead of refusing; "
        "device and max_actors must be set",
    )
    gpus_per_actor: float = Field(1.0, gt=0, description="GPUs of one label actor; a fraction shares one")
    cpus_per_actor: float | None = Field(
        None, gt=0, description="CPUs that Ray reserves for one label actor; unset: 1"
    )
    memory_per_actor_gib: float | None = Field(
        None,
        ge=0,
        description="memory that Ray reserves for one label actor; unset: 2 where the cluster has it",
    )
    threads_per_actor: int | None = Field(
        None, ge=1, description="torch threads on a CPU; unset: the machine's cores by actors"
    )
    fetch_slots: int | None = Field(None, ge=1, description="fetch tasks at once; unset: what the CPUs allow")
    decode_slots: int | None = Field(
        None, ge=1, description="decode tasks at once; unset: what the CPUs allow"
    )
    batch_size: int | None = Field(
        None, ge=1, le=4096, description="images in one call of a label actor; unset: 32 on a GPU, 8 on a CPU"
    )
    views_per_pass: int = Field(
        256, ge=1, description="crops in one pass of the image tower; bounds device memory"
    )
    rows_per_block: int | None = Field(
        None,
        ge=1,
        le=65536,
        description="images in one task of fetch and decode; unset: 128, fewer where a small plan needs more tasks",
    )
    rows_per_file: int = Field(100_000, ge=1, description="rows in one published Parquet file")
    max_failed_fraction: float = Field(
        0.5, gt=0, le=1, description="stop when more of the images than this fail for one reason; 1: never"
    )
    failed_images_before_stop: int = Field(200, ge=1, description="but not before so many have failed for it")
    missing_nodes_s: float = Field(
        120.0,
        gt=0,
        description="go on with fewer label actors when nodes for all of them are missing for so long; not with autoscaling",
    )
    stall_s: float = Field(
        1800.0,
        gt=0,
        description="begin again when nothing has moved for so long; not with autoscaling, where a run waits for its nodes",
    )

    @model_validator(mode="after")
    def _check(self) -> "RunSettings":
        if self.gpus_per_actor > 1 and self.gpus_per_actor % 1:
            raise ValueError(
                f"gpus_per_actor {self.gpus_per_actor} is neither a fraction of one GPU nor a whole number; write one of them"
            )
        if self.actors and self.max_actors and self.max_actors < self.actors:
            raise ValueError(
                f"max_actors {self.max_actors} is under actors {self.actors}; raise it or leave it out"
            )
        if self.autoscaling and (self.max_actors is None or self.device == "auto"):
            raise ValueError(
                "autoscaling = true needs max_actors, how far the pool may grow, and device = 'cuda' or 'cpu', "
                "as the cluster shows neither before its nodes have come; set both"
            )
        if self.batch_size and self.rows_per_block and self.batch_size > self.rows_per_block:
            raise ValueError(
                f"batch_size {self.batch_size} is over rows_per_block {self.rows_per_block}; "
                "a call gets no more than a block: raise rows_per_block or leave it out"
            )
        return self


class Settings(Section):
    """Everything that can be set, one table of the TOML file for each part."""

    backbone: BackboneSettings = BackboneSettings()
    attention: AttentionSettings = AttentionSettings()
    method: MethodSettings = MethodSettings()
    descriptions: DescriptionSettings = DescriptionSettings()
    fetch: FetchSettings = FetchSettings()
    decode: DecodeSettings = DecodeSettings()
    storage: StorageSettings = StorageSettings()
    run: RunSettings = RunSettings()


def read_settings(file: Path | None = None, overrides: Iterable[str] = ()) -> Settings:
    """Settings from a TOML file and ``table.key=value`` overrides, or one SettingsError naming all that is wrong."""
    values: dict[str, Any] = {}
    if file is not None:
        try:
            values = tomllib.loads(file.read_text())
        except OSError as error:
            raise SettingsError(
                f"settings file {file} cannot be read ({error.strerror}); name an existing TOML file"
            ) from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise SettingsError(f"settings file {file} is not TOML: {error}; correct that line") from None
    problems = [problem for override in overrides if (problem := _apply(values, override))]
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        problems += [_sentence(detail) for detail in error.errors()]
    if problems:
        where = f" in {file}" if file else ""
        raise SettingsError(
            f"{len(problems)} wrong setting(s){where}:\n" + "\n".join(f"  {p}" for p in problems)
        )
    return settings


def _apply(values: dict[str, Any], override: str) -> str | None:
    """Put one ``table.key=value`` into values (``table.key=`` is the default); what is wrong with its form, if anything."""
    path, equals, text = override.partition("=")
    table, dot, key = path.strip().partition(".")
    if not (equals and dot and table and key):
        return f"{override!r}: write table.key=value, such as method.crops=16"
    known = type(Settings.model_fields[table].default).model_fields if table in Settings.model_fields else {}
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text  # a bare word is a string
    section = values.setdefault(table, {})
    if not isinstance(section, dict):
        return f"{table}: is a table of settings, not the value {section!r}"
    if not text.strip() and key in known:
        section.pop(key, None)
    else:
        section[key] = value
    return None


def _sentence(detail: Any) -> str:
    """Setting, value received, rule and fix, from one of pydantic's error details."""
    where = ".".join(str(part) for part in detail["loc"])
    if detail["type"] == "extra_forbidden":
        table = Settings.model_fields.get(str(detail["loc"][0])) if len(detail["loc"]) > 1 else None
        known = type(table.default).model_fields if table else Settings.model_fields
        return f"{where}: no such setting; known here: {', '.join(known)}"
    message = detail["msg"].removeprefix("Value error, ")
    return f"{where} = {detail['input']!r}: {message[0].lower()}{message[1:]}"
