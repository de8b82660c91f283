"""Scores and probabilities of all classes, and the evidence for the best one, from the embeddings of views and texts."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Float64, Int
from torch import Tensor

from laketag.pipeline.classifier.probabilities import share_by_cosine, share_by_score

SIMILARITIES_AT_ONCE = 1 << 20
"""Most view × text pairs at once, unless one class has more: 4 MiB for each of a few float32 tensors, which caches hold."""
VIEWS_AT_ONCE = 1024
"""How many views the texts are grouped for; with fewer the groups are the same."""


@dataclass(frozen=True)
class Scores:
    """One row for each image: a score and a probability for each class, and the view and text that support the best most."""

    scores: Float[Tensor, "images classes"]
    probabilities: Float64[Tensor, "images classes"]  # in the order of the scores; each row sums to 1
    evidence_view: Int[Tensor, "images"]
    evidence_text: Int[Tensor, "images"]  # position among the texts that were matched

    def first(self, images: int) -> "Scores":
        """Those of the first images."""
        return Scores(
            self.scores[:images],
            self.probabilities[:images],
            self.evidence_view[:images],
            self.evidence_text[:images],
        )


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

    The texts pass in groups of classes. Each view's sums are taken relative to the largest ``s`` so far, as in a softmax that
    is computed online, so that no more than ``SIMILARITIES_AT_ONCE`` of the ``s`` are in memory.
    """
    scaled = views / temperature
    parts, highest, total = _contribute_in_groups(scaled, texts, members)
    scores = views.new_empty(len(views), len(members))
    for classes, contributions in parts:
        scores[:, classes] = contributions.sum(dim=1)
    probabilities = share_by_score(scores, views.shape[1], max(1.0, temperature * logit_scale))
    own = members[scores.argmax(dim=1)]
    similarity = scaled @ texts[own.clamp(min=0)].mT
    contributions = (similarity - highest[..., None]).exp() / total[..., None] * similarity
    return Scores(scores, probabilities, *find_evidence(contributions, own))


def contribute_softly(
    views: Float[Tensor, "images views dim"],
    texts: Float[Tensor, "texts dim"],
    members: Int[Tensor, "classes most"],
    temperature: float,
) -> Float[Tensor, "images views classes"]:
    """What each view adds to the scores of match_softly, ``Σ_d π s``. For two classes it differs by at most 1 / temperature."""
    parts, _, _ = _contribute_in_groups(views / temperature, texts, members)
    found = views.new_empty(*views.shape[:2], len(members))
    for classes, contributions in parts:
        found[:, :, classes] = contributions
    return found


Group = tuple[Int[Tensor, "group"], Float[Tensor, "images views group"]]
"""Some classes, and what each view adds to their scores."""


def _contribute_in_groups(
    scaled: Float[Tensor, "images views dim"],
    texts: Float[Tensor, "texts dim"],
    members: Int[Tensor, "classes most"],
) -> tuple[Iterator[Group], Float[Tensor, "images views"], Float[Tensor, "images views"]]:
    """What each view, divided by the temperature, adds to the scores; its highest ``s``, and its sum of ``exp(s − highest)``."""
    images, count, _ = scaled.shape
    highest = scaled.new_full((images, count), -torch.inf)
    total = torch.zeros_like(highest)
    parts = []
    for classes, positions in group_classes(
        members, SIMILARITIES_AT_ONCE // max(VIEWS_AT_ONCE, images * count)
    ):
        similarity = scaled @ texts[positions.clamp(min=0).flatten()].T
        before, highest = highest, torch.maximum(highest, similarity.amax(dim=-1))
        mass = (similarity - highest[..., None]).exp_().mul_(positions.flatten() >= 0)
        total = total * (before - highest).exp() + mass.sum(dim=-1)
        contributions = mass.mul_(similarity).view(images, count, *positions.shape).sum(dim=-1)
        parts.append((classes, highest, contributions))

    def shares() -> Iterator[Group]:
        for classes, reference, contributions in parts:
            share = (reference - highest).exp() / total
            yield classes, contributions.mul_(share[..., None])

    return shares(), highest, total


def group_classes(
    members: Int[Tensor, "classes most"], texts_at_once: int
) -> list[tuple[Int[Tensor, "group"], Int[Tensor, "group most_of_group"]]]:
    """The classes in groups of at most this many texts, or of one class, with their members.

    Classes with equally many texts are together, so that few positions are padding.
    """
    counts, order = (members >= 0).sum(dim=1).sort(descending=True, stable=True)
    most, groups, start = counts.tolist(), [], 0
    while start < len(most):
        classes = order[start : start + max(1, texts_at_once // max(1, most[start]))]
        groups.append((classes, members[classes, : most[start]]))
        start += len(classes)
    return groups


def match_plainly(
    views: Float[Tensor, "images views dim"],
    texts: Float[Tensor, "texts dim"],
    members: Int[Tensor, "classes most"],
    logit_scale: float,
) -> Scores:
    """Without soft matching: a class's score is the mean cosine over all views and all its descriptions.

    The evidence is the largest single cosine.
    """
    scores = class_sums(views.mean(dim=1) @ texts.T, members) / (members >= 0).sum(dim=1)
    own = members[scores.argmax(dim=1)]
    cosines = views @ texts[own.clamp(min=0)].mT
    return Scores(scores, share_by_cosine(scores, logit_scale), *find_evidence(cosines, own))


def contribute_plainly(
    views: Float[Tensor, "images views dim"],
    texts: Float[Tensor, "texts dim"],
    members: Int[Tensor, "classes most"],
) -> Float[Tensor, "images views classes"]:
    """The mean cosine of each view with the descriptions of each class; the scores of match_plainly are their means."""
    sums = class_sums(views.flatten(0, 1) @ texts.T, members) / (members >= 0).sum(dim=1)
    return sums.view(*views.shape[:2], -1)


def class_sums(
    values: Float[Tensor, "images texts"], members: Int[Tensor, "classes most"]
) -> Float[Tensor, "images classes"]:
    """The sum over the texts of each class, always added in the same order."""
    inside: Bool[Tensor, "classes most"] = members >= 0
    return torch.where(inside, values[:, members.clamp(min=0)], 0.0).sum(dim=-1)


def find_evidence(
    contributions: Float[Tensor, "images views most"], own: Int[Tensor, "images most"]
) -> tuple[Int[Tensor, "images"], Int[Tensor, "images"]]:
    """The view and the text that contribute most of the label's own texts, which −1 pads; the first of equal ones."""
    best = contributions.masked_fill((own < 0)[:, None], float("-inf")).flatten(1).argmax(dim=1)
    return best // own.shape[1], own.gather(1, (best % own.shape[1])[:, None])[:, 0]
