"""The settings: frozen, checked when they are made. The text under a setting is what ``laketag settings`` prints.

Defaults are those of the ABS release (BIT-DA/ABS@5ba77c6, main.py) where it has the setting.
"""

import re
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator


class Section(BaseModel):
    """A frozen group of settings that refuses unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)


LOCAL_DIR = "local-dir:"


def local_dir(value: str) -> str | None:
    """The FOLDER of ``local-dir:FOLDER``, a path or an s3:// prefix; None for every other name of a model."""
    return value.removeprefix(LOCAL_DIR).rstrip("/") if value.startswith(LOCAL_DIR) else None


class BackboneSettings(Section):
    """The CLIP model: its image tower sees the crops, its text tower the descriptions."""

    name: str = "ViT-B-16"
    """open_clip architecture, for example ViT-B-16; not used with local-dir:"""
    pretrained: str = "openai"
    """open_clip pretrained tag, a .safetensors path or s3:// URL, or local-dir:FOLDER with its own config"""
    sha256: str | None = Field(None, pattern="^[0-9a-f]{64}$")
    """refuse weights with another SHA-256"""
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    """number format of the image tower"""


class AttentionSettings(Section):
    """The model whose attention chooses where crops are taken."""

    name: str = "vit_base_patch16_224.dino"
    """timm ViT, for example vit_small_patch16_224.dino, or 'backbone' for the CLIP tower's own attention"""
    weights: str | None = None
    """.safetensors path or s3:// URL instead of timm's own weights"""
    sha256: str | None = Field(None, pattern="^[0-9a-f]{64}$")
    """refuse weights with another SHA-256"""
    preprocessing: Literal["release", "timm"] = "release"
    """release: as the ABS release (bilinear, mean = std = 0.5); timm: as the attention model was trained"""


class MethodSettings(Section):
    """How an image becomes a label."""

    name: Literal["abs", "clip"] = "abs"
    """abs: attention-based selection; clip: one view, label prompt"""
    raw_crops: bool = True
    """crops cut from the pixels"""
    feature_crops: bool = True
    """crops cut from the tokens inside the image tower"""
    soft_matching: bool = True
    """weight the descriptions separately for each crop; off: plain mean of cosines"""
    crops: int = Field(50, ge=1, le=1000)
    """number of crops of each kind per image"""
    attended_patches: int = Field(20, ge=1, le=10_000)
    """number of most attended patches from which a crop's centre is drawn"""
    min_side_fraction: float = Field(0.6, gt=0, le=1)
    """shortest side of a crop, as a fraction of the image's side"""
    max_side_fraction: float = Field(0.9, gt=0, le=1)
    """longest side of a crop, as a fraction of the image's side"""
    sampling_temperature: float = Field(0.03, gt=0)
    """softmax temperature for drawing centres; lower follows the attention more closely"""
    matching_temperature: float = Field(0.03, gt=0)
    """softmax temperature of soft matching; lower concentrates on fewer descriptions"""
    feature_block: int | None = Field(None, ge=0)
    """index of the block before which tokens are cropped; unset: the last (the release uses 11 for every model)"""
    seed: int = Field(0, ge=0)
    """seed of all random crops, together with the image's id"""
    tags: int = Field(5, ge=1, le=100)
    """number of most probable classes that a row keeps"""

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

    label_prompt: str = Field("a photo of a {}.", pattern=r"\{\}")
    """prompt that names a class and nothing else; {} is the name"""
    drop_empty: bool = True
    """drop texts without a letter or digit; off: such a text is an error"""
    drop_exact_duplicates: bool = True
    """drop texts that repeat another one of the same class"""
    drop_near_duplicates: bool = True
    """drop texts that nearly repeat another one of the same class"""
    near_duplicate_cosine: float = Field(0.99, gt=0, le=1)
    """two texts are near duplicates from this cosine on"""
    drop_names_another_class: bool = True
    """drop texts that contain the name of another class of the set"""
    drop_closer_to_another_class: bool = False
    """drop texts that are closer to another class's label prompt than to their own"""
    closer_margin: float = Field(0.0, ge=0, le=2)
    """by how much the cosine must be larger for that"""
    limit_per_class: int = Field(50, ge=1)
    """maximum number of descriptions per class; the first ones are kept, as in the release"""
    batch_size: int = Field(256, ge=1)
    """number of texts embedded at once"""

    def without_rules(self) -> "DescriptionSettings":
        """The settings with each rule off that judges what a text says: empty texts and those over the limit are dropped."""
        return self.model_copy(update=dict.fromkeys(DESCRIPTION_RULES, False))


DESCRIPTION_RULES = (
    "drop_exact_duplicates",
    "drop_near_duplicates",
    "drop_names_another_class",
    "drop_closer_to_another_class",
)
"""Settings of the filter that judge what a text says."""

ROOT = re.compile(
    r"(?!file:)\w[\w+.-]*://[^/]+(/.*)?"
    r"|(?!(file|s3a?|gs|az|https?):)\w[\w+.-]*:///.+"  # of schemes without a server in their URLs, such as hdfs:///data
    r"|(file://)?/.*|~(/.*)?"
)
"""What fetch.allowed_roots may hold."""


class FetchSettings(Section):
    """How images are read from the store."""

    concurrency: int = Field(32, ge=1, le=4096)
    """number of requests in flight in each fetch task"""
    max_bytes: int = Field(64 * 2**20, ge=1)
    """larger objects fail as too_large"""
    deadline_s: float = Field(60.0, gt=0)
    """an object that takes longer, retries included, fails as timeout; row groups of embedded images get more"""
    attempts: int = Field(5, ge=1, le=100)
    """maximum number of attempts per object; only transient errors are retried"""
    attempts_over_runs: int = Field(25, ge=1)
    """an image that transient errors have failed in this many attempts, counted over runs, is retried with --retry only"""
    backoff_s: float = Field(0.2, ge=0)
    """mean wait before the first retry; doubles with each further one, with jitter"""
    max_backoff_s: float = Field(10.0, ge=0)
    """maximum wait between two attempts"""
    allowed_roots: tuple[str, ...] = ()
    """folders or URL prefixes from which images may be read; empty: anywhere in s3, gs and az, and see local_images"""

    local_images: bool | None = None
    """read images on the disks of the cluster without allowed_roots; unset: only if the lake is on one, too"""

    @field_validator("allowed_roots", mode="before")
    @classmethod
    def _one_root_is_a_list(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value

    @field_validator("allowed_roots")
    @classmethod
    def _check_roots(cls, roots: tuple[str, ...]) -> tuple[str, ...]:
        for root in roots:
            if not ROOT.fullmatch(root):
                raise ValueError(
                    f"{root!r} is neither a URL such as s3://bucket/prefix nor an absolute path, so no image could be below it; "
                    "correct it"
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
    """How bytes become pixels."""

    max_pixels: int = Field(178_956_970, ge=1)
    """images with more pixels fail as too_many_pixels before they are decoded"""
    short_side_px: int = Field(512, ge=1)
    """images with a longer short side are shrunk to it"""
    bounded_pixels: int = Field(4_000_000, ge=1)
    """after that, images with more pixels are shrunk to this number"""


class IndexSettings(Section):
    """When an index of a source is refused."""

    max_gone_fraction: float = Field(0.2, ge=0, le=1)
    """write no index without --accept-gone if a larger fraction of at least 100 images would be gone from it; 1: never refuse"""


class StoreSection(Section):
    """How a store is reached."""

    endpoint_url: str | None = Field(None, pattern="^https?://[^/]")
    """S3 endpoint URL, for stores other than AWS"""
    region: str | None = None
    """S3 region of buckets for which the store names none"""
    profile: str | None = None
    """profile in the AWS configuration files"""

    @field_validator("endpoint_url")
    @classmethod
    def _check_no_credentials(cls, url: str | None) -> str | None:
        if url is not None and "@" in url:
            raise ValueError(
                "an endpoint's URL holds no credentials, because settings are shown and stored; remove everything before the @ "
                "and set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a profile"
            )
        return url

    @field_validator("endpoint_url", mode="before")  # the validator that is defined last sees the value first
    @classmethod
    def _hide_credentials(cls, url: object) -> object:
        """The URL without credentials, so that no error shows them."""
        return re.sub(r"(\w+://)?.*@", r"\1…@", url) if isinstance(url, str) else url


Addressing = Literal["auto", "path", "virtual"]


class StorageSettings(StoreSection):
    """How object storage is reached; settings that are unset come from the usual AWS variables and profiles."""

    anonymous: bool = False
    """do not sign requests"""
    requester_pays: bool = False
    """pay for requests to buckets whose readers pay"""
    addressing: Addressing = "auto"
    """virtual: https://BUCKET.ENDPOINT/KEY; path: https://ENDPOINT/BUCKET/KEY; auto: as usual for the endpoint"""
    max_outage_s: float = Field(180.0, ge=0)
    """how long a run waits for a store that is away or refuses its credentials, before it ends with exit code 4"""


class SourceSettings(StoreSection):
    """How the store of the images is reached, and of tables of images; settings that are unset are those of [storage]."""

    anonymous: bool | None = None
    """do not sign requests for images; unset: as storage.anonymous"""
    requester_pays: bool | None = None
    """pay for requests for images; unset: as storage.requester_pays"""
    addressing: Addressing | None = None
    """as storage.addressing, for the store of the images; unset: the same"""


class RunSettings(Section):
    """Resources and limits of a labelling run; none of them changes a label."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    """auto: cuda if the cluster has GPUs"""
    actors: int | None = Field(None, ge=1)
    """number of label actors; unset: as many as the GPUs allow, or one without GPUs"""
    max_actors: int | None = Field(None, ge=1)
    """size to which the pool of label actors may grow; unset: it does not grow"""
    autoscaling: bool = False
    """the cluster adds nodes on demand: request max_actors at once and wait for their nodes; needs device and max_actors"""
    gpus_per_actor: float = Field(1.0, gt=0)
    """GPUs per label actor; with a fraction several actors share one GPU"""
    cpus_per_actor: float | None = Field(None, gt=0)
    """CPUs that Ray reserves per label actor; unset: chosen to fit the nodes, 1 on a single machine"""
    memory_per_actor_gib: float | None = Field(None, ge=0)
    """memory that Ray reserves per label actor; unset: 2 where the cluster has it"""
    threads_per_actor: int | None = Field(None, ge=1)
    """torch threads per label actor on a CPU; unset: the machine's cores divided by the actors"""
    fetch_slots: int | None = Field(None, ge=1)
    """number of fetch tasks at once; unset: as the CPUs allow"""
    decode_slots: int | None = Field(None, ge=1)
    """number of decode tasks at once; unset: as the CPUs allow"""
    batch_size: int | None = Field(None, ge=1, le=4096)
    """number of images per call of a label actor; unset: 32 on a GPU, 8 on a CPU"""
    views_per_pass: int = Field(256, ge=1)
    """number of crops per forward pass of the image tower; bounds device memory"""
    rows_per_block: int | None = Field(None, ge=1, le=65536)
    """number of images per fetch and decode task; unset: up to 128 on a GPU and 16 on a CPU, fewer in small runs"""
    rows_per_file: int = Field(100_000, ge=1)
    """maximum number of rows per published Parquet file"""
    max_failed_fraction: float = Field(0.5, gt=0, le=1)
    """stop the run when a larger fraction of its images fails for one reason; 1: never"""
    failed_images_before_stop: int = Field(200, ge=1)
    """minimum number of images that failed for one reason before a run is stopped"""
    price_per_hour: float | None = Field(None, ge=0)
    """what a run's machines cost in an hour, in any currency; estimates then name the cost too"""
    missing_nodes_s: float = Field(120.0, gt=0)
    """continue with fewer label actors when nodes have been missing for this long; not with autoscaling"""
    stall_s: float = Field(1800.0, gt=0)
    """start the execution again after this long without progress; not with autoscaling, where a run waits for nodes"""

    @model_validator(mode="after")
    def _check(self) -> "RunSettings":
        if self.gpus_per_actor > 1 and self.gpus_per_actor % 1:
            raise ValueError(
                f"gpus_per_actor {self.gpus_per_actor} is neither a fraction of one GPU nor a whole number; use one of these"
            )
        if self.actors and self.max_actors and self.max_actors < self.actors:
            raise ValueError(
                f"max_actors {self.max_actors} is under actors {self.actors}; raise it or leave it out"
            )
        if self.autoscaling and (self.max_actors is None or self.device == "auto"):
            raise ValueError(
                "autoscaling = true needs max_actors, how far the pool may grow, and device = 'cuda' or 'cpu', "
                "because neither can be seen before the nodes have joined; set both"
            )
        if self.batch_size and self.rows_per_block and self.batch_size > self.rows_per_block:
            raise ValueError(
                f"batch_size {self.batch_size} is over rows_per_block {self.rows_per_block}; "
                "a call never gets more than one block: raise rows_per_block or leave it out"
            )
        return self


class EvaluateSettings(Section):
    """The baselines that laketag evaluate compares with; label uses none of them."""

    wca_crops: int | None = Field(None, ge=1, le=2000)
    """number of WCA's crops per image; unset: as many as ABS has, twice method.crops (the paper: 100, ImageNet 60)"""
    wca_min_side_fraction: float = Field(0.5, gt=0, le=0.9)
    """shortest side of WCA's crops, as a fraction of the image's shorter side (the paper: 0.5, Places365 0.7)"""
    waffle_pairs: int = Field(15, ge=1, le=1000)
    """number of Waffle's random texts per class, of words and as many of characters"""


class Settings(Section):
    """All settings, one table of the TOML file for each part."""

    backbone: BackboneSettings = BackboneSettings()
    attention: AttentionSettings = AttentionSettings()
    method: MethodSettings = MethodSettings()
    descriptions: DescriptionSettings = DescriptionSettings()
    index: IndexSettings = IndexSettings()
    fetch: FetchSettings = FetchSettings()
    decode: DecodeSettings = DecodeSettings()
    storage: StorageSettings = StorageSettings()
    source: SourceSettings = SourceSettings()
    run: RunSettings = RunSettings()
    evaluate: EvaluateSettings = EvaluateSettings()

    @property
    def source_storage(self) -> StorageSettings:
        """How images are reached: as ``[source]`` says, and where it is silent, as ``[storage]``."""
        return StorageSettings(**self.storage.model_dump() | self.source.model_dump(exclude_none=True))
