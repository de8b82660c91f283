"""What a budget (laketag.pipeline.classifier.budgets) says of images whose crops are all encoded, and what it would spend."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor

from laketag.pipeline.classifier.baselines import score_by_mean
from laketag.pipeline.classifier.budgets import lead_of
from laketag.pipeline.classifier.matching import contribute_softly, match_softly
from laketag.pipeline.classifier.method_names import Method
from laketag.pipeline.classifier.probabilities import share_by_cosine
from laketag.pipeline.classifier.scoring import MatchedTexts
from laketag.pipeline.classifier.stopping import StopRule, use_crops


@dataclass(frozen=True)
class Spent:
    """One row for each image; scores of images that stopped at different places have different units."""

    scores: Float[Tensor, "images classes"]
    shares: Float64[Tensor, "images classes"]  # probabilities
    fraction: Float[
        np.ndarray, "images"
    ]  # of what images that never stop cost beyond those that stop at once


def spend(
    method: Method, views: Float[Tensor, "images views dim"], texts: MatchedTexts, round_crops: int
) -> Spent:
    """The method's scores within its budget; for a cascade the whole image is the first view."""
    if method.budget == "cascade":
        return _spend_in_cascade(method, views, texts)
    return _spend_in_rounds(method, views, texts, round_crops)


def _spend_in_cascade(method: Method, views: Float[Tensor, "images views dim"], texts: MatchedTexts) -> Spent:
    prompts = texts.prompts_alone()
    scores = score_by_mean(views[:, :1], prompts.embeddings, prompts.members)
    shares = share_by_cosine(scores, texts.logit_scale)
    goes_on = ~(lead_of(shares) > method.threshold)
    if goes_on.any():
        full = match_softly(
            views[goes_on, 1:], texts.embeddings, texts.members, texts.temperature, texts.logit_scale
        )
        scores[goes_on], shares[goes_on] = full.scores, full.probabilities
    return Spent(scores, shares, goes_on.cpu().numpy().astype(np.float64))


def _spend_in_rounds(
    method: Method, views: Float[Tensor, "images views dim"], texts: MatchedTexts, round_crops: int
) -> Spent:
    kinds = len(method.views)
    images, count, dim = views.shape
    crops = count // kinds
    pair = texts.embeddings, texts.members
    summands = contribute_softly(views, *pair, texts.temperature).view(images, kinds, crops, -1).sum(dim=1)
    rule = StopRule(
        crops,
        round_crops,
        method.threshold,
        lambda leaders: summands.new_full((len(leaders), summands.shape[2]), kinds / texts.temperature),
    )
    used = use_crops(images, rule, lambda active, part: summands[torch.from_numpy(active), part])
    scores = torch.empty_like(summands[:, 0])
    shares = scores.double()
    by_kind = views.view(images, kinds, crops, dim)
    for number in np.unique(used):
        own = torch.from_numpy(np.flatnonzero(used == number))
        first = by_kind[own, :, :number].flatten(1, 2)
        found = match_softly(first, *pair, texts.temperature, texts.logit_scale)
        scores[own], shares[own] = found.scores, found.probabilities
    return Spent(scores, shares, used / crops)
