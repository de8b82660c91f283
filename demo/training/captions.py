"""Captions for the training: templates and descriptions around a class's name, with some words replaced by unknown ones."""

import json
from pathlib import Path

import numpy as np
import open_clip
from jaxtyping import Int64

from laketag.demo.objects import CLASS_NAMES

CONTEXT = 32
DESCRIPTIONS_PATH = Path(__file__).parents[1] / "descriptions.json"
TEMPLATES = (
    "a photo of a {}.",
    "a picture of a {}.",
    "a drawing of a {}.",
    "a bad photo of a {}.",
    "a good photo of the {}.",
    "a photo of the small {}.",
    "a photo of the large {}.",
    "a close-up photo of a {}.",
    "a bright photo of the {}.",
    "a dark photo of a {}.",
    "a blurry photo of a {}.",
    "a rendering of a {}.",
    "a cartoon {}.",
    "art of the {}.",
    "a {} on a striped ground.",
    "a {} among other shapes.",
    "itap of a {}.",
    "there is a {} in the scene.",
    "{}",
)
_UNSEEN = 0  # index in the compact vocabulary of all tokens that the training never saw; its row is zero


class Captions:
    """Random captions of each class, as tokens of a compact vocabulary."""

    def __init__(self) -> None:
        descriptions: dict[str, list[str]] = json.loads(DESCRIPTIONS_PATH.read_text(encoding="utf-8"))
        tokenize = open_clip.SimpleTokenizer(context_length=CONTEXT)
        texts, sizes = [], []
        for name in CLASS_NAMES:
            own = [template.format(name) for template in TEMPLATES]
            own += descriptions[name]
            own += [f"{name}, which has {text[0].lower()}{text[1:]}" for text in descriptions[name][:3]]
            texts += own
            sizes.append(len(own))
        tokens = tokenize(texts).numpy()
        self.token_ids = np.unique(tokens)  # ascending, so the end token keeps the highest number
        compact = np.searchsorted(self.token_ids, tokens)
        self._by_class = np.split(compact, np.cumsum(sizes)[:-1])
        self._template_share = len(TEMPLATES) / (len(TEMPLATES) + 9)
        named = [tokenize(name)[0, 1:].numpy() for name in CLASS_NAMES]
        self._class_tokens = [np.searchsorted(self.token_ids, ids[: int(ids.argmax())]) for ids in named]
        self._other_tokens = np.setdiff1d(
            np.arange(1, len(self.token_ids) - 2), np.concatenate(self._class_tokens)
        )

    def draw(self, rng: np.random.Generator, per_class: int) -> Int64[np.ndarray, "captions tokens"]:
        """Return `per_class` captions of each class, grouped by class."""
        rows = [
            self._disturb(rng, own[int(rng.integers(len(own)))], self._class_tokens[index])
            for index, own in enumerate(self._by_class)
            for _ in range(per_class)
        ]
        return np.stack(rows)

    def _disturb(
        self, rng: np.random.Generator, caption: Int64[np.ndarray, "tokens"], keep: Int64[np.ndarray, "named"]
    ) -> Int64[np.ndarray, "tokens"]:
        """In half of the captions replace or insert words, so that prompts with unknown words still work."""
        if rng.random() < 0.5:
            return caption
        end = int(caption.argmax())
        words = caption[1:end].copy()
        replace = (rng.random(len(words)) < rng.uniform(0.0, 0.6)) & ~np.isin(words, keep)
        words[replace] = self._strange_words(rng, int(replace.sum()))
        if rng.random() < 0.5:
            extra = self._strange_words(rng, int(rng.integers(1, 7)))
            words = np.insert(words, int(rng.integers(len(words) + 1)), extra)
        words = words[: CONTEXT - 2]
        result = np.zeros_like(caption)
        result[0], result[1 : 1 + len(words)], result[1 + len(words)] = caption[0], words, caption[end]
        return result

    def _strange_words(self, rng: np.random.Generator, count: int) -> Int64[np.ndarray, "words"]:
        known = rng.choice(self._other_tokens, count)
        return np.where(rng.random(count) < 0.7, _UNSEEN, known)
