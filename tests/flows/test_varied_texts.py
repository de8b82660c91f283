"""The variants of a set's texts: what each rule of the filter leaves, and the texts of a random other class."""

import io

import numpy as np
import polars as pl
import pytest
from rich.console import Console

from laketag.pipeline.classifier.choose_evaluation import ChosenEvaluation
from laketag.pipeline.config import Settings
from laketag.pipeline.descriptions.embedded_set import EmbeddedSet
from laketag.pipeline.flows.report_descriptions import suggest_for
from laketag.pipeline.flows.varied_texts import Varying, prepare_varied_texts
from laketag.pipeline.lake.description_versions import new_version, write_descriptions
from laketag.pipeline.lake.embedded_texts import stage_embedded_texts
from laketag.pipeline.lake.evaluations import Evaluation
from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.lake.tables import read_table
from laketag.pipeline.models.choose_backbone import ChosenBackbone
from laketag.pipeline.screen import Screen
from laketag.schemas import Descriptions

SET = [  # class, position, text, and why describe has dropped it
    ("dog", -1, "a dog", None),
    ("dog", 0, "A dog barks.", None),
    ("dog", 1, "A dog barks.", "exact_duplicate"),
    ("dog", 2, "A dog chases a cat.", "names_another_class"),
    ("dog", 3, "", "empty"),
    ("cat", -1, "a cat", None),
    ("cat", 0, "A cat meets a dog.", "names_another_class"),
    ("cat", 1, "a cat", None),  # which describes a class without a text of its own
]  # fmt: skip
SWAPPED = ["A cat barks.", "A cat chases a cat.", "A dog meets a dog."]
BACKBONE = ChosenBackbone(name="tiny", sha256="0" * 64, text_tower="tower", pickled_spec=b"")


def rows_of(texts: list[tuple[str, int, str, str | None]]) -> pl.DataFrame:
    """As rows of schemas.Descriptions; each text points in a direction of its own."""
    vectors = np.eye(16, dtype=np.float32).tolist()
    places = {
        text: place for place, text in enumerate(dict.fromkeys([text for _, _, text, _ in SET] + SWAPPED))
    }
    rows = [(*one[:3], 5, False, one[3], vectors[places[one[2]]]) for one in texts]
    return pl.DataFrame(rows, schema=Descriptions.create_empty().schema, orient="row")


@pytest.fixture
def varying(lake: Lake) -> Varying:
    """The set, and a lake that has all embeddings, so that no text tower is needed."""
    made = EmbeddedSet(
        name="pets",
        version=new_version(lake, "pets", "a" * 16),
        backbone="tiny",
        backbone_sha256="0" * 64,
        label_prompt="a {}",
    )
    write_descriptions(lake, made, rows_of(SET), BACKBONE.text_tower_sha256)
    stage_embedded_texts(
        lake,
        rows_of([("dog", number, text, None) for number, text in enumerate(SWAPPED)]),
        BACKBONE.text_tower_sha256,
    )
    chosen = ChosenEvaluation(BACKBONE, b"", {}, {})
    return Varying(
        Evaluation(lake, "photos-1", "photos"), made, chosen, Settings(), Screen(Console(file=io.StringIO()))
    )


def kept(varying: Varying, url: str) -> dict[str, list[str]]:
    rows = read_table(url, Descriptions, varying.evaluation.lake.storage)
    used = rows.filter(pl.col("drop_reason").is_null() & (pl.col("position") >= 0))
    return {name: used.filter(pl.col("class_name") == name)["text"].to_list() for name in ("dog", "cat")}


def test_each_variant_has_the_texts_that_its_rules_leave_and_a_prompt_where_none_is_left(
    varying: Varying,
) -> None:
    urls = prepare_varied_texts(varying, range(2))
    found = {name: kept(varying, url) for name, url in urls.items()}
    every = ["A dog barks.", "A dog barks.", "A dog chases a cat."]
    assert found == {
        "unfiltered": {"dog": every, "cat": ["A cat meets a dog."]},
        "filtered": {"dog": ["A dog barks."], "cat": ["a cat"]},
        "exact_duplicate": {"dog": [every[0], every[2]], "cat": ["A cat meets a dog."]},
        "near_duplicate": {"dog": [every[0], every[2]], "cat": ["A cat meets a dog."]},
        "names_another_class": {"dog": every[:2], "cat": ["a cat"]},
        "closer_to_another_class": {"dog": every, "cat": ["A cat meets a dog."]},
        "other_class-0": {"dog": ["A dog meets a dog."], "cat": ["A cat barks.", "A cat barks.", "A cat chases a cat."]},
        "other_class-1": {"dog": ["A dog meets a dog."], "cat": ["A cat barks.", "A cat barks.", "A cat chases a cat."]},
    }  # fmt: skip
    filtered = read_table(urls["filtered"], Descriptions, varying.evaluation.lake.storage)
    assert suggest_for(filtered)[0].startswith("rule names_another_class drops all 1 text(s) of 'cat'")
