"""Scores and posteriors of all classes, and the evidence for the best one, from the embeddings of views and texts."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


@dataclass(frozen=True)
class Scores:
    """One row for each image: a score and a posterior for each class, and the view and text that support the best most."""

    scores: Float[Tensor, "images classes"]
    posteriors: Float[Tensor, "images classes"]  # in [0, 1], each row sums to 1
    evidence_view: Int[Tensor, "images"]
    evidence_text: Int[Tensor, "images"]  # position among the texts that were matched


def match_softly(
    views: Float[Tensor, "images views dim"],
    texts: Float[Tensor, "texts dim"],
    members: Int[Tensor, "classes most"],
    temperature: float,
) -> Scores:
    """ABS's soft matching (arXiv 2505.13233): each view weighs all descriptions of all classes against each other.

    ``s = z·t / temperature``; ``π`` is the softmax of a view's ``s`` over all texts; ``score_c = Σ_m Σ_d π s`` over
    the views m and the class's descriptions d; the posterior of a class is its share of ``π``, averaged over the views.
    """
    similarity = views @ texts.T / temperature
    mass = similarity.softmax(dim=-1)
    contributions = mass * similarity
    scores = class_sums(contributions.sum(dim=1), members)
    posteriors = class_sums(mass.mean(dim=1), members).clamp(max=1)
    return Scores(scores, posteriors, *find_evidence(contributions, scores.argmax(dim=1), members))


def match_plainly(
    views: Float[Tensor, "images views dim"],
    texts: Float[Tensor, "texts dim"],
    members: Int[Tensor, "classes most"],
    temperature: float,
) -> Scores:
    """Without soft matching: a class's score is the mean cosine over all views and all its descriptions.

    The posterior is the softmax of ``score / temperature`` over the classes; the evidence is the largest single cosine.
    """
    cosines = views @ texts.T
    scores = class_sums(cosines.mean(dim=1), members) / (members >= 0).sum(dim=1)
    posteriors = (scores / temperature).softmax(dim=-1)
    return Scores(scores, posteriors, *find_evidence(cosines, scores.argmax(dim=1), members))


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
