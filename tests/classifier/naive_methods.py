"""The formulas of the compared methods, one loop after the other in float64 numpy, independent of the fast code."""

import math
from collections.abc import Sequence

import numpy as np

from laketag.pipeline.classifier.method_names import Rule

Vector = np.ndarray


def unit(vector: Vector) -> Vector:
    return vector / math.sqrt(float(vector @ vector))


def softmax(values: Sequence[float]) -> list[float]:
    powers = [math.exp(value - max(values)) for value in values]
    return [power / sum(powers) for power in powers]


def lower_median(values: Sequence[float]) -> float:
    return sorted(values)[(len(values) - 1) // 2]


def score(
    rule: Rule,
    views: Sequence[Vector],
    texts: Sequence[Sequence[Vector]],
    prompts: Sequence[Vector],
    temperature: float,
    scale: float,
) -> list[float]:
    """The scores of the classes; ``texts`` has a list of vectors for each class."""
    if rule == "prototype":
        return [np.mean([z @ unit(sum(of_class)) for z in views]) for of_class in texts]
    if rule == "mean":
        return [np.mean([[z @ t for t in of_class] for z in views]) for of_class in texts]
    if rule == "wca":
        return align(views[0], views[1:], texts, prompts)
    if rule == "soft":
        return add_softly(views, [1.0] * len(views), texts, temperature)
    if rule == "entropy":
        entropies = []
        for z in views:
            p = softmax([scale * float(np.mean([z @ t for t in of_class])) for of_class in texts])
            entropies.append(-sum(one * math.log(one) for one in p if one > 0))
        return add_softly(views, softmax([-h / 0.5 for h in entropies]), texts, temperature)
    if rule == "mode":
        prototypes = [unit(sum(of_class)) for of_class in texts]
        mode = shift(views, [softmax([scale * float(z @ t) for t in prototypes]) for z in views])
        return [float(mode @ t) for t in prototypes]
    return [
        np.mean([trim([scale * float(z @ t) for t in of_class]) for z in views]) / scale for of_class in texts
    ]


def align(
    whole: Vector, crops: Sequence[Vector], texts: Sequence[Sequence[Vector]], prompts: Sequence[Vector]
) -> list[float]:
    weights = softmax([math.e**4 * float(whole @ z) for z in crops])
    image = unit(sum(w * z for w, z in zip(weights, crops, strict=True)))
    scores = []
    for of_class, prompt in zip(texts, prompts, strict=True):
        weights = softmax([math.e**2 * float(prompt @ t) for t in of_class])
        scores.append(float(image @ unit(sum(w * t for w, t in zip(weights, of_class, strict=True)))))
    return scores


def add_softly(
    views: Sequence[Vector], weights: Sequence[float], texts: Sequence[Sequence[Vector]], temperature: float
) -> list[float]:
    scores = [0.0] * len(texts)
    for z, weight in zip(views, weights, strict=True):
        similarity = [[float(z @ t) / temperature for t in of_class] for of_class in texts]
        mass = iter(softmax([s for of_class in similarity for s in of_class]))
        for index, of_class in enumerate(similarity):
            scores[index] += weight * sum(next(mass) * s for s in of_class)
    return scores


def shift(views: Sequence[Vector], predictions: Sequence[Sequence[float]]) -> Vector:
    n = len(views)
    if n == 1:
        return views[0]
    widths = []
    for m in range(n):
        distances = sorted(float((views[m] - views[k]) @ (views[m] - views[k])) for k in range(n) if k != m)
        widths.append(float(np.mean(distances[: max(1, int(0.3 * (n - 1)))])))
    affinity = [[float(np.dot(predictions[m], predictions[k])) for k in range(n)] for m in range(n)]
    y, mode = [1 / n] * n, views[0]

    def density() -> list[float]:
        return [
            math.exp(-float((z - mode) @ (z - mode)) / width) for z, width in zip(views, widths, strict=True)
        ]

    for _ in range(5):
        near = density()
        for _ in range(5):
            y = softmax(
                [(near[m] + 4 * sum(affinity[m][k] * y[k] for k in range(n))) / 0.2 for m in range(n)]
            )
        for _ in range(5):
            mode = unit(sum(w * k * z for w, k, z in zip(y, density(), views, strict=True)))
    return mode


def trim(similarity: Sequence[float]) -> float:
    median = lower_median(similarity)
    mad = lower_median([abs(s - median) for s in similarity]) + 1e-6
    outliers = sum(abs(s - median) > 2.5 * mad for s in similarity) / len(similarity)
    slope = (
        4.0
        if outliers == 0
        else 0.1
        if outliers == 1
        else min(4.0, max(0.1, math.log((1 - outliers) / outliers)))
    )
    weights = [1 / (1 + math.exp(min(700.0, -slope * (s - median) / mad))) for s in similarity]
    return sum(w * s for w, s in zip(weights, similarity, strict=True)) / sum(weights)
