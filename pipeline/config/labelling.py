"""The settings of models, method and descriptions: those that decide labels.

Defaults are those of the ABS release (BIT-DA/ABS@5ba77c6, main.py) where it has the setting.
"""

from typing import Literal

from pydantic import Field, model_validator

from laketag.pipeline.config.section import Section

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
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    """number format of the attention model; with 'backbone' that of the image tower counts"""


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
    budget: Literal["full", "cascade", "adaptive"] = "full"
    """full: all crops of every image; cascade: none if the whole image is decisive; adaptive: no more than decide its label"""
    cascade_lead: float = Field(0.9, ge=0, le=1)
    """cascade: by how much the whole image's best class must lead in probability to be the label; 1: it never is"""
    adaptive_confidence: float = Field(0.95, gt=0.5, le=1)
    """adaptive: stop when the class that leads will lead after all crops with this confidence; 1: when it must"""
    round_crops: int = Field(4, ge=1, le=1000)
    """adaptive: number of crops of each kind that are added before it is decided again"""

    @model_validator(mode="after")
    def _check(self) -> "MethodSettings":
        if self.min_side_fraction > self.max_side_fraction:
            raise ValueError(
                f"min_side_fraction {self.min_side_fraction} is over max_side_fraction {self.max_side_fraction}; "
                "lower the first or raise the second"
            )
        if self.budget != "full" and (self.name != "abs" or not (self.raw_crops or self.feature_crops)):
            raise ValueError(
                f"budget {self.budget!r} saves crops, and this method has none; set budget to full, or name to abs with crops"
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


class EvaluateSettings(Section):
    """The baselines that laketag evaluate compares with; label uses none of them."""

    wca_crops: int | None = Field(None, ge=1, le=2000)
    """number of WCA's crops per image; unset: as many as ABS has, twice method.crops (the paper: 100, ImageNet 60)"""
    wca_min_side_fraction: float = Field(0.5, gt=0, le=0.9)
    """shortest side of WCA's crops, as a fraction of the image's shorter side (the paper: 0.5, Places365 0.7)"""
    waffle_pairs: int = Field(15, ge=1, le=1000)
    """number of Waffle's random texts per class, of words and as many of characters"""
