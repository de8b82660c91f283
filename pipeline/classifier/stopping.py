"""When the first crops of an image are enough: the class that leads will not be overtaken by the crops that are left.

A score is a sum over crops, and the crops of an image are drawn independently of each other. So the crops that were encoded are
a random sample of all of them, and the lead of one class over another in all crops is estimated as a total of a finite
population is estimated (W. G. Cochran, Sampling Techniques, 1977, chapter 2).
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

ROUNDING = 1e-4
"""By which fraction a bound is widened, because sums of float32 numbers are rounded."""
Contribute = Callable[[Int[np.ndarray, "active"], slice], Float[Tensor, "active drawn classes"]]
"""From some images and some crops to what each of these crops adds to the score of each class."""
Reach = Callable[[Int[Tensor, "images"]], Float[Tensor, "images classes"]]
"""From the leading class of each image to how much one crop can add at most to the lead of each class over it."""


@dataclass(frozen=True)
class StopRule:
    """When an image is settled; a crop of each kind counts as one."""

    crops: int
    """Of an image that is never settled."""
    round_crops: int
    """How many go together; after each round it is decided which images need another one."""
    confidence: float
    """With which a class that leads will lead after all crops; 1: it cannot be overtaken by any crops."""
    reach: Reach


def draw_rounds(rule: StopRule) -> Iterator[slice]:
    """The crops of each round, in their order."""
    for start in range(0, rule.crops, rule.round_crops):
        yield slice(start, min(start + rule.round_crops, rule.crops))


def use_crops(images: int, rule: StopRule, contribute: Contribute) -> Int[np.ndarray, "images"]:
    """How many crops each image used until it was settled, or all of them.

    ``contribute`` is called once for each round, with the places of the images that are not settled.
    """
    used = np.full(images, rule.crops)
    active, seen = np.arange(images), None
    for part in draw_rounds(rule):
        added = contribute(active, part)
        if part.stop == rule.crops:
            break
        seen = added if seen is None else torch.cat([seen, added], dim=1)
        settled = is_settled(seen, rule)
        stays = (~settled).cpu().numpy()
        used[active[~stays]] = part.stop
        active, seen = active[stays], seen[~settled]
        if not len(active):
            break
    return used


def is_settled(seen: Float[Tensor, "images drawn classes"], rule: StopRule) -> Bool[Tensor, "images"]:
    """Whether the leading class of each image will lead after all crops, as far as these crops show.

    It is certain of a class whose lead is larger than what the crops that are left can take away. It is likely, with the
    rule's confidence for each other class, where the expected lead ``N·mean`` is over ``t · sqrt(variance · N (N − n) / n)``
    after n of N crops. An image with a value that is not finite is never settled.
    """
    drawn = seen.shape[1]
    left = rule.crops - drawn
    leader = seen.sum(dim=1).argmax(dim=1)
    leads = seen.gather(2, leader[:, None, None].expand(-1, drawn, 1)) - seen
    total = leads.sum(dim=1)
    safe = total > left * rule.reach(leader) * (1 + ROUNDING)
    if rule.confidence < 1 and drawn > 1:
        error = (leads.var(dim=1) * rule.crops * left / drawn).sqrt()
        safe |= total * rule.crops / drawn > student_quantile(rule.confidence, drawn - 1) * error
    safe.scatter_(1, leader[:, None], True)  # over itself no class needs a lead
    return safe.all(dim=1) & seen.isfinite().flatten(1).all(dim=1)


def student_quantile(confidence: float, degrees: int) -> float:
    """The quantile of Student's t, by the series of Abramowitz and Stegun 26.7.5 in four terms.

    Within 1 % from 4 degrees of freedom on, for confidences up to 0.99.
    """
    x = NormalDist().inv_cdf(confidence)
    terms = (
        (x**3 + x) / 4,
        (5 * x**5 + 16 * x**3 + 3 * x) / 96,
        (3 * x**7 + 19 * x**5 + 17 * x**3 - 15 * x) / 384,
        (79 * x**9 + 776 * x**7 + 1482 * x**5 - 1920 * x**3 - 945 * x) / 92160,
    )
    return x + math.fsum(term / degrees**power for power, term in enumerate(terms, 1))
