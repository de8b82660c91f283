"""Beyond the paper, at the same crops: views weighted by their entropy, the mode of the views, and trimmed descriptions.

Each looks at one image alone.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F  # noqa: N812  # torch's own habit

from laketag.pipeline.classifier.baselines import class_means
from laketag.pipeline.classifier.matching import class_sums

ENTROPY_TEMPERATURE = 0.5
"""MCG-NJU/AWT@4e4c28e, AWT_zero_shot/evaluate.py."""
AFFINITY_WEIGHT, INLIER_TEMPERATURE = 4.0, 0.2
"""λ_q and λ_y of MaxZanella/MTA@5379467, main.py."""
NEIGHBOURS_FRACTION = 0.3
STEPS = 5
"""MTA's bandwidth and most iterations; its code stops earlier where nothing changes by more than 1e-6."""
OUTLIER_MADS = 2.5
SLOPE = (0.1, 4.0)
LEAST_MAD = 1e-6
"""less-and-less-bugs/CGBC@5a5b413, clip/concept_clip.py: what counts as an outlier, and the range of the logistic's slope."""


def score_by_entropy(
    views: Float[Tensor, "images views dim"],
    texts: Float[Tensor, "texts dim"],
    members: Int[Tensor, "classes most"],
    temperature: float,
    logit_scale: float,
) -> Float[Tensor, "images classes"]:
    """Soft matching in which decided views count more (weights of AWT, arXiv 2407.04603).

    ``p_m = softmax_c(logit scale · mean_d z_m·t_cd)``, ``w = softmax_m(−H(p_m) / 0.5)``,
    ``score_c = Σ_m w_m Σ_d π_mcd s_mcd`` with π and s as in match_softly. Uniform weights give ABS's score divided by the views.
    """
    cosines = views @ texts.T
    images, count, _ = cosines.shape
    of_class = class_sums(cosines.flatten(0, 1), members).view(images, count, -1) / (members >= 0).sum(dim=1)
    logits = logit_scale * of_class
    entropy = -(logits.softmax(dim=-1) * logits.log_softmax(dim=-1)).sum(dim=-1)
    weights = (-entropy / ENTROPY_TEMPERATURE).softmax(dim=1)
    similarity = cosines / temperature
    contributions = similarity.softmax(dim=-1) * similarity
    return class_sums((weights[..., None] * contributions).sum(dim=1), members)


def score_by_mode(
    views: Float[Tensor, "images views dim"],
    texts: Float[Tensor, "texts dim"],
    members: Int[Tensor, "classes most"],
    logit_scale: float,
) -> Float[Tensor, "images classes"]:
    """``score_c = mode · normalise(Σ_d t_cd)``: the cosine with the mode of the views (MTA, arXiv 2405.02266)."""
    prototypes = class_means(texts, members)
    predictions = (logit_scale * views @ prototypes.T).softmax(dim=-1)
    return find_mode(views, predictions @ predictions.transpose(1, 2)) @ prototypes.T


def find_mode(
    views: Float[Tensor, "images views dim"], affinity: Float[Tensor, "images views views"]
) -> Float[Tensor, "images dim"]:
    """The mode of each image's views, of unit length; the search begins at the first view.

    Inlier scores and mode by turns: ``y ∝ exp((K_m + 4 Σ_n affinity_mn y_n) / 0.2)``, then mean shift,
    ``mode = normalise(Σ_m y_m K_m z_m)``, where ``K_m = exp(−|z_m − mode|² / (2 h_m²))`` and ``2 h_m²`` is the mean squared
    distance of view m to the nearest 30 % of the others.
    """
    count = views.shape[1]
    if count == 1:
        return views[:, 0]
    squared = (2 - 2 * views @ views.transpose(1, 2)).clamp(min=0)
    nearest = squared.sort(dim=2).values[:, :, 1 : 1 + max(1, int(NEIGHBOURS_FRACTION * (count - 1)))]
    twice_variance = nearest.mean(dim=2).clamp(min=1e-12)
    inliers = torch.full_like(twice_variance, 1 / count)
    mode = views[:, 0]
    for _ in range(STEPS):
        density = _density(views, mode, twice_variance)
        for _ in range(STEPS):
            pull = (affinity @ inliers[..., None])[..., 0]
            inliers = ((density + AFFINITY_WEIGHT * pull) / INLIER_TEMPERATURE).softmax(dim=1)
        for _ in range(STEPS):
            weights = inliers * _density(views, mode, twice_variance)
            mode = F.normalize((weights[..., None] * views).sum(dim=1), dim=-1)
    return mode


def _density(views: Tensor, mode: Tensor, twice_variance: Tensor) -> Float[Tensor, "images views"]:
    return (-(views - mode[:, None]).square().sum(dim=-1) / twice_variance).exp()


def score_by_trimmed_mean(
    views: Float[Tensor, "images views dim"],
    texts: Float[Tensor, "texts dim"],
    members: Int[Tensor, "classes most"],
    logit_scale: float,
) -> Float[Tensor, "images classes"]:
    """The mean over the views of each class's cosines, in which descriptions that fit badly hardly count.

    The soft trim of CGBC (arXiv 2603.07911), for each view: with the class's median and MAD of ``s_d = logit scale · z·t_d``
    and ρ, the fraction of its descriptions further than 2.5 MAD from the median,
    ``κ = clamp(log((1 − ρ) / ρ), 0.1, 4)``, ``w_d = sigmoid(κ (s_d − median) / MAD)``, ``score = Σ_d w_d z·t_d / Σ_d w_d``.
    As there, the median of an even number is the lower of the middle two.
    """
    inside = members >= 0
    similarity = logit_scale * (views @ texts.T)[..., members.clamp(min=0)]
    unknown = similarity.masked_fill(~inside, torch.nan)
    median = unknown.nanmedian(dim=-1, keepdim=True).values
    distance = (unknown - median).abs()
    mad = distance.nanmedian(dim=-1, keepdim=True).values + LEAST_MAD
    outliers = (distance > OUTLIER_MADS * mad).sum(dim=-1, keepdim=True) / inside.sum(dim=-1, keepdim=True)
    slope = ((1 - outliers) / outliers).log().clamp(*SLOPE)
    weights = torch.where(inside, (slope * (similarity - median) / mad).sigmoid(), 0.0)
    trimmed = (weights * similarity).sum(dim=-1) / weights.sum(dim=-1)
    return trimmed.mean(dim=1) / logit_scale
