"""The scores of CLIP and of what came before ABS: cosines of views and texts of unit length."""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F  # noqa: N812  # torch's own habit

from laketag.pipeline.classifier.matching import class_sums

CROP_EXPONENT, TEXT_EXPONENT = math.exp(4), math.exp(2)
"""WCA's factors on the cosines (arXiv 2406.02915)."""


def class_means(
    texts: Float[Tensor, "texts dim"], members: Int[Tensor, "classes most"]
) -> Float[Tensor, "classes dim"]:
    """The mean embedding of each class's texts, of unit length: ``normalise(Σ_d t_cd)``."""
    inside = (members >= 0)[..., None]
    return F.normalize(torch.where(inside, texts[members.clamp(min=0)], 0.0).sum(dim=1), dim=-1)


def score_by_prototype(
    views: Float[Tensor, "images views dim"],
    texts: Float[Tensor, "texts dim"],
    members: Int[Tensor, "classes most"],
) -> Float[Tensor, "images classes"]:
    """``score_c = z · normalise(Σ_d t_cd)``, averaged over the views.

    CLIP-E with templates (arXiv 2103.00020), CuPL with sentences (arXiv 2209.03320).
    """
    return (views @ class_means(texts, members).T).mean(dim=1)


def score_by_mean(
    views: Float[Tensor, "images views dim"],
    texts: Float[Tensor, "texts dim"],
    members: Int[Tensor, "classes most"],
) -> Float[Tensor, "images classes"]:
    """``score_c = mean_m mean_d z_m · t_cd``.

    CLIP with one prompt a class (arXiv 2103.00020), CLIP-D (arXiv 2210.07183), Waffle (arXiv 2306.07282), and ABS without
    soft matching.
    """
    return class_sums((views @ texts.T).mean(dim=1), members) / (members >= 0).sum(dim=1)


def score_by_weighted_alignment(
    views: Float[Tensor, "images views dim"],
    texts: Float[Tensor, "texts dim"],
    members: Int[Tensor, "classes most"],
    prompts: Float[Tensor, "classes dim"],
) -> Float[Tensor, "images classes"]:
    """WCA (arXiv 2406.02915): crops weigh by their likeness to the whole image, descriptions by that to the label prompt.

    The first view is the whole image, the others are crops. ``z = normalise(Σ_m softmax_m(e⁴ x·z_m) z_m)``,
    ``t_c = normalise(Σ_d softmax_d(e² p_c·t_cd) t_cd)``, ``score_c = z · t_c``.
    """
    whole, crops = views[:, :1], views[:, 1:]
    crop_weights = (CROP_EXPONENT * (crops @ whole.transpose(1, 2))).softmax(dim=1)
    image = F.normalize((crop_weights * crops).sum(dim=1), dim=-1)
    own = texts[members.clamp(min=0)]
    likeness = (own @ prompts[..., None])[..., 0].masked_fill(members < 0, -torch.inf)
    text_weights = (TEXT_EXPONENT * likeness).softmax(dim=1)
    described = F.normalize((text_weights[..., None] * own).sum(dim=1), dim=-1)
    return image @ described.T
