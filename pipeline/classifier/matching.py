"""Scores and probabilities of all classes, and the evidence for the best one, from the embeddings of views and texts."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Float64, Int
from torch import Tensor

from laketag.pipeline.classifier.probabilities import share_by_cosine, share_by_score


@dataclass(frozen=True)
class Scores:
    """One row for each image: a score and a probability for each class, and the view and text that support the best most."""

    scores: Float[Tensor, "images classes"]
    probabilities: Float64[Tensor, "images classes"]  # in the order of the scores; each row sums to 1
    evidence_view: Int[Tensor, "images"]
    evidence_text: Int[Tensor, "images"]  # position among the texts that were matched


def match_softly(
    views: Float[Tensor, "images views dim"],
    texts: Float[Tensor, "texts dim"],
    members: Int[Tensor, "classes most"],
    temperature: float,
    logit_scale: float,
) -> Scores:
    """ABS's soft matching (arXiv 2505.13233): each view weighs all descriptions of all classes against each other.

    ``s = z·t / temperature``; ``π`` is the softmax of a view's ``s`` over all texts; ``score_c = Σ_m Σ_d π s`` over
    the views m and the class's descriptions d. The exponent of the probabilities brings scores at this temperature to
    the logit scale that the model was trained with; it is at least 1.
    """
    similarity = views @ texts.T / temperature
    mass = similarity.softmax(dim=-1)
    contributions = mass * similarity
    scores = class_sums(contributions.sum(dim=1), members)
    probabilities = share_by_score(scores, views.shape[1], max(1.0, temperature * logit_scale))
    return Scores(scores, probabilities, *find_evidence(contributions, scores.argmax(dim=1), members))


def match_plainly(
    views: Float[Tensor, "images views dim"],
    texts: Float[Tensor, "texts dim"],
    members: Int[Tensor, "classes most"],
    logit_scale: float,
) -> Scores:
    """Without soft matching: a class's score is the mean cosine over all views and all its descriptions.

    The evidence is the largest single cosine.
    """
    cosines = views @ texts.T
    scores = class_sums(cosines.mean(dim=1), members) / (members >= 0).sum(dim=1)
    return Scores(
        scores, share_by_cosine(scores, logit_scale), *find_evidence(cosines, scores.argmax(dim=1), members)
    )


def class_sums(
    values: Float[Tensor, "images texts"], members: Int[Tensor, "classes most"]
) -> Float[Tensor, "images classes"]:
    """The sum over the texts of each class, always added in the same order."""
    inside: Bool[Tensor, "classes most"] = members >= 0
    return torch.where(inside, values[:, members.clamp(min=0)], 0.0).sum(dim=-1)


def find_evidence(
    contributions: Float[Tensor, "images views texts"],
    label: Int[Tensor, "images"],
    members: Int[Tensor, "classes most"],
) -> tuple[Int[Tensor, "images"], Int[Tensor, "images"]]:
    """The view and the text of the label's class that contribute most; the first of equal ones."""
    own = members[label]
    images, views, _ = contributions.shape
    gathered = contributions.gather(2, own.clamp(min=0)[:, None].expand(images, views, -1))
    best = gathered.masked_fill((own < 0)[:, None], float("-inf")).flatten(1).argmax(dim=1)
    return best // own.shape[1], own.gather(1, (best % own.shape[1])[:, None])[:, 0]
