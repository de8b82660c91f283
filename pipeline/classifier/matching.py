"""From the embeddings of views and texts to a score, a posterior and the best evidence for every class."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


@dataclass(frozen=True)
class Scores:
    """One row for each image: what the method computed for each class, and what spoke most for the best."""

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

    ``s = z·t / temperature``, ``π`` = softmax of a view's ``s`` over all texts, ``score_c = Σ_m Σ_d π s``; the posterior
    is the mean over views of π's mass on the class.
    """
    similarity = views @ texts.T / temperature
    mass = similarity.softmax(dim=-1)
    contributions = mass * similarity
    scores = class_sums(contributions.sum(dim=1), members)
    posteriors = class_sums(mass.mean(dim=1), members).clamp(max=1)
    return Scores(scores, posteriors, *strongest(contributions, scores.argmax(dim=1), members))


def match_plainly(
    views: Float[Tensor, "images views dim"],
    texts: Float[Tensor, "texts dim"],
    members: Int[Tensor, "classes most"],
    temperature: float,
) -> Scores:
    """Soft matching switched off: a class's score is the mean cosine over all views and the class's descriptions.

    The posterior is the softmax over classes of ``score / temperature``; the evidence is the largest single cosine.
    """
    cosines = views @ texts.T
    scores = class_sums(cosines.mean(dim=1), members) / (members >= 0).sum(dim=1)
    posteriors = (scores / temperature).softmax(dim=-1)
    return Scores(scores, posteriors, *strongest(cosines, scores.argmax(dim=1), members))


def class_sums(
    values: Float[Tensor, "images texts"], members: Int[Tensor, "classes most"]
) -> Float[Tensor, "images classes"]:
    """The sum over each class's own texts, always in the same order of addition."""
    inside: Bool[Tensor, "classes most"] = members >= 0
    return torch.where(inside, values[:, members.clamp(min=0)], 0.0).sum(dim=-1)


def strongest(
    contributions: Float[Tensor, "images views texts"],
    label: Int[Tensor, "images"],
    members: Int[Tensor, "classes most"],
) -> tuple[Int[Tensor, "images"], Int[Tensor, "images"]]:
    """The view and the text of the label's class with the largest contribution; the first of equal ones."""
    own = members[label]
    images, views, _ = contributions.shape
    gathered = contributions.gather(2, own.clamp(min=0)[:, None].expand(images, views, -1))
    best = gathered.masked_fill((own < 0)[:, None], float("-inf")).flatten(1).argmax(dim=1)
    return best // own.shape[1], own.gather(1, (best % own.shape[1])[:, None])[:, 0]
