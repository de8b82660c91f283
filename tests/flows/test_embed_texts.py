"""Texts of about equal length are embedded together, and processes that die end the call with the reason, or cost no text."""

import itertools
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch
from ray import cloudpickle
from rich.console import Console

from laketag.pipeline.cluster.work_stop import WorkStop, WorkStoppedError
from laketag.pipeline.config import DescriptionSettings, Settings
from laketag.pipeline.errors import ClusterError
from laketag.pipeline.flows.describe_classes import DESCRIPTION_COLUMNS
from laketag.pipeline.flows.embed_texts import Embedding, blocks_of_equal_length, embed_texts
from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.models.choose_backbone import ChosenBackbone
from laketag.pipeline.screen import Screen

TEXTS = 100
"""Of which a deadline lets only the first be embedded."""


def test_blocks_hold_texts_of_about_equal_length_and_every_text_once() -> None:
    texts = [f"{'word ' * (number * 7 % 20)}{number}" for number in range(100)]
    blocks = blocks_of_equal_length(pl.DataFrame({"text": texts}), 10)
    assert sorted(pl.concat(blocks)["text"]) == sorted(texts)
    ranges = sorted(
        (block["text"].str.len_chars().min(), block["text"].str.len_chars().max()) for block in blocks
    )
    assert all(longest <= shortest for (_, longest), (shortest, _) in itertools.pairwise(ranges))
    assert [block["text"][0] for block in blocks] != sorted(block["text"][0] for block in blocks)


@dataclass(frozen=True)
class Dying:
    """A text tower, and its spec, whose process dies the first times that it is loaded or embeds; each leaves a file."""

    folder: Path
    loads: int = 0
    embeds: int = 0
    context_length = 77

    def load(self, _device: str) -> "Dying":
        self._die("load", self.loads)
        return self

    def tokenize(self, texts: Sequence[str]) -> tuple[None, list[int]]:
        return None, [len(text.split()) for text in texts]

    def encode_text(self, texts: Sequence[str]) -> torch.Tensor:
        self._die("embed", self.embeds)
        return torch.ones(len(texts), 1)

    def _die(self, doing: str, times: int) -> None:
        if (before := len(list(self.folder.glob(f"{doing}*")))) < times:
            (self.folder / f"{doing}-{before}").touch()
            os._exit(1)


def embed(
    lake: Lake, model: object, texts: Sequence[str], batch_size: int = 64, **how: Any
) -> tuple[pl.DataFrame, int]:
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    backbone = ChosenBackbone("dying", "0" * 64, "tower", cloudpickle.dumps(model))
    rows = [("cat", number, text, None) for number, text in enumerate(texts)]
    frame = pl.DataFrame(rows, schema=DESCRIPTION_COLUMNS, orient="row")
    settings = Settings(descriptions=DescriptionSettings(batch_size=batch_size))
    screen = Screen(Console(quiet=True))
    return embed_texts(
        frame, Embedding(lake=lake, backbone=backbone, settings=settings, screen=screen, **how)
    )


def embed_two_texts(lake: Lake, dying: Dying) -> pl.DataFrame:
    return embed(lake, dying, ["It purrs.", "It barks."])[0]


@pytest.fixture
def deaths(tmp_path: Path) -> Path:
    """A folder with a file for each process that has died."""
    folder = tmp_path / "deaths"
    folder.mkdir()
    return folder


@pytest.mark.usefixtures("joined_ray")
def test_an_actor_that_dies_while_it_loads_its_model_ends_the_command_with_the_reason(
    lake: Lake, deaths: Path
) -> None:
    with pytest.raises(
        ClusterError, match="died 2 times while it loaded its models, without an error of Python"
    ):
        embed_two_texts(lake, Dying(deaths, loads=100))
    assert len(list(deaths.iterdir())) == 2, "processes"


@pytest.mark.usefixtures("joined_ray")
def test_an_actor_that_dies_once_while_it_embeds_costs_no_text(lake: Lake, deaths: Path) -> None:
    assert embed_two_texts(lake, Dying(deaths, embeds=1))["tokens"].to_list() == [2, 2]
    assert len(list(deaths.iterdir())) == 1, "process"


@dataclass(frozen=True)
class Noting(Dying):
    """Leaves a file for each text that it embeds."""

    def encode_text(self, texts: Sequence[str]) -> torch.Tensor:
        (self.folder / f"embedded-{texts[0]}").touch()
        return torch.ones(len(texts), 1)


@dataclass
class StopAfterText(WorkStop):
    """Due once thirty texts were embedded: Ray gives the driver all but the last few before it goes on."""

    folder: Path = Path()

    @property
    def is_due(self) -> bool:
        return len(list(self.folder.glob("embedded-*"))) >= 30


@pytest.mark.usefixtures("joined_ray")
def test_a_deadline_ends_the_embedding_and_the_next_call_embeds_only_the_rest(
    lake: Lake, deaths: Path
) -> None:
    texts = [f"Text {number}" for number in range(TEXTS)]
    with pytest.raises(WorkStoppedError):
        embed(lake, Noting(deaths), texts, batch_size=1, stop=StopAfterText(folder=deaths))
    begun = len(list(deaths.iterdir()))
    assert 0 < begun < TEXTS
    rows, embedded = embed(lake, Noting(deaths), texts, batch_size=1)
    assert rows["text"].to_list() == texts
    assert TEXTS - begun <= embedded < TEXTS
