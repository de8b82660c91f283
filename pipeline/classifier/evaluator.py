"""A loaded evaluation: decoded images in, what each method says of them out."""

import math
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from laketag.pipeline.classifier.budget_trials import Spent, spend
from laketag.pipeline.classifier.class_texts import ClassTexts
from laketag.pipeline.classifier.costs import Cost, count_costs
from laketag.pipeline.classifier.method_names import OTHER_CLASS, Method
from laketag.pipeline.classifier.micro_batch import MicroBatch, is_out_of_memory
from laketag.pipeline.classifier.scoring import MatchedTexts, score_views, share_scores
from laketag.pipeline.classifier.shared_views import EvaluatedModels, SharedViews
from laketag.pipeline.classifier.views import Images

SIMILARITIES_AT_ONCE = 1 << 24
"""Most view × text pairs in memory at once."""


@dataclass(frozen=True)
class Trial:
    """A method with a seed."""

    method: Method
    seed: int

    @property
    def texts(self) -> str:
        """The name of the texts that it reads."""
        return text_name(self.method, self.seed)


@dataclass(frozen=True)
class Outcome:
    """What a trial says of one image."""

    top: tuple[int, ...]
    """The classes with the highest scores, best first, as many as were asked for; of equal ones the first."""
    probability: float
    """Of the best class."""
    true_rank: int
    """The place of the true class in that order, from 1."""
    seconds: float
    """For the views, as if no other trial shared them, and for matching."""
    fraction: float = 1.0
    """Which part of what a budget can save was needed."""

    @property
    def is_finite(self) -> bool:
        """Whether the scores are numbers."""
        return math.isfinite(self.probability)


def text_name(method: Method, seed: int) -> str:
    """The name of a method's texts: those that are drawn at random differ between seeds."""
    return f"{method.texts}-{seed}" if method.texts in ("waffle", OTHER_CLASS) else method.texts


class Evaluator:
    """Runs all trials on the same images; each view is encoded once."""

    def __init__(
        self, models: EvaluatedModels, methods: tuple[Method, ...], texts: Mapping[str, ClassTexts]
    ) -> None:
        """``texts`` by text_name; ``descriptions`` are always there, and all have the same classes in the same order."""
        temperature = models.settings.method.matching_temperature
        for one in texts.values():
            one.check(models.backbone.embed_dim)
        self._models = models
        self._texts = {
            name: MatchedTexts.of(one, temperature, models.backbone.logit_scale, models.backbone.device)
            for name, one in texts.items()
        }
        self._texts["prompts"] = self._texts["descriptions"].prompts_alone()
        self.costs: dict[str, Cost] = count_costs(models, methods)

    @torch.inference_mode()
    def evaluate(
        self, images: Images, image_ids: Sequence[str], true_classes: Sequence[int], trials: Sequence[Trial]
    ) -> list[list[Outcome]]:
        """For each image the outcome of each trial. Where the device has too little memory, fewer images go together."""
        outcomes: list[list[Outcome]] = []
        at_once = self._models.at_once
        while len(outcomes) < len(images):
            part = slice(len(outcomes), len(outcomes) + at_once.size)
            found = self._try_to_evaluate(images[part], image_ids[part], true_classes[part], trials)
            if found is None:  # outside the except clause, where the error keeps the tensors alive
                at_once.shrink()
            else:
                outcomes += found
                at_once.note_success()
        return outcomes

    def _try_to_evaluate(
        self, images: Images, image_ids: Sequence[str], true_classes: Sequence[int], trials: Sequence[Trial]
    ) -> list[list[Outcome]] | None:
        try:
            views = SharedViews(self._models, images, image_ids)
            of_trials = [self._run(trial, views, true_classes) for trial in trials]
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            return None
        return [list(of_image) for of_image in zip(*of_trials, strict=True)]

    def _run(self, trial: Trial, views: SharedViews, true_classes: Sequence[int]) -> list[Outcome]:
        method, texts = trial.method, self._texts[trial.texts]
        embeddings = views.of(method, trial.seed)
        begun = time.perf_counter()
        at_once = max(1, SIMILARITIES_AT_ONCE // max(1, embeddings.shape[1] * len(texts.embeddings)))
        spent = [self._score(method, chunk, texts) for chunk in torch.split(embeddings, at_once)]
        scores, shares = (
            torch.cat([getattr(one, name) for one in spent]).cpu().numpy() for name in ("scores", "shares")
        )
        fractions = np.concatenate([one.fraction for one in spent])
        orders = np.argsort(-scores, axis=1, kind="stable")
        seconds = views.seconds_of(method, trial.seed) + time.perf_counter() - begun
        saved = (1 - fractions) * views.varying_seconds_of(method, trial.seed)
        return [
            Outcome(
                top=tuple(int(index) for index in order[:TOP]),
                probability=float(of_class[order[0]]),
                true_rank=int(np.flatnonzero(order == true_class)[0]) + 1,
                seconds=float(taken),
                fraction=float(fraction),
            )
            for order, of_class, true_class, taken, fraction in zip(
                orders, shares, true_classes, (seconds - saved) / len(orders), fractions, strict=True
            )
        ]

    def _score(self, method: Method, views: Float[Tensor, "images views dim"], texts: MatchedTexts) -> Spent:
        """Scores and probabilities of a chunk of images."""
        if method.budget != "full":
            return spend(method, views, texts, self._models.settings.method.round_crops)
        scores = score_views(method, views, texts)
        return Spent(scores, share_scores(method, scores, views.shape[1], texts), np.ones(len(views)))


TOP = 5
"""How many classes an outcome names."""


def load_evaluator(
    models: EvaluatedModels, methods: tuple[Method, ...], texts: Mapping[str, ClassTexts], threads: int
) -> Evaluator:
    """The evaluator, whose crops are cut by ``threads`` threads."""
    workers = ThreadPoolExecutor(threads, thread_name_prefix="cut") if threads > 1 else None
    views_per_pass = models.settings.run.views_per_pass
    return Evaluator(replace(models, workers=workers, at_once=MicroBatch(views_per_pass)), methods, texts)
