"""The texts of an evaluation: those of description sets, and those that methods make themselves, embedded once."""

import polars as pl

from laketag.pipeline.classifier.choose_evaluation import ChosenEvaluation
from laketag.pipeline.config import Settings
from laketag.pipeline.descriptions.embedded_set import EmbeddedSet
from laketag.pipeline.descriptions.problems import name_some
from laketag.pipeline.descriptions.same_classes import find_same_classes
from laketag.pipeline.errors import InputError, ModelError
from laketag.pipeline.flows.embed_texts import Embedding, embed_texts
from laketag.pipeline.lake.description_versions import (
    description_url,
    read_class_names,
    read_descriptions_table,
)
from laketag.pipeline.lake.evaluations import Evaluation
from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.screen import Screen
from laketag.pipeline.stages.evaluate_images import EvaluatedTexts
from laketag.schemas import LABEL_PROMPT_POSITION, Descriptions

EMBEDDED_COLUMNS = {
    "class_name": pl.String,
    "position": pl.Int32,
    "text": pl.String,
    "drop_reason": pl.String,
}
IS_PROMPT = pl.col("position") == LABEL_PROMPT_POSITION


def prepare_texts(
    evaluation: Evaluation,
    described: EmbeddedSet,
    descriptors: EmbeddedSet | None,
    chosen: ChosenEvaluation,
    work: tuple[Settings, Screen],
) -> EvaluatedTexts:
    """All texts of the methods are stored and embedded; those of an earlier call are not embedded again."""
    lake, (settings, screen) = evaluation.lake, work
    table = read_descriptions_table(lake, described.name, described.version)
    prompts = table.filter(IS_PROMPT)
    class_names = tuple(prompts["class_name"])
    urls = {"descriptions": description_url(lake, described.name, described.version)}
    spelled: dict[str, dict[str, str]] = {}
    if descriptors is not None:
        urls["descriptors"] = description_url(lake, descriptors.name, descriptors.version)
        spelled["descriptors"] = spell_classes(lake, descriptors, class_names, described.name)
    missing: dict[str, pl.DataFrame] = {}
    for name, texts in chosen.generated.items():
        urls[name] = evaluation.text_url(name)
        if not evaluation.has_texts(name):
            texts_of_set = [
                (class_name, position, text, None)
                for class_name, of_class in texts.items()
                for position, text in enumerate(of_class)
            ]
            missing[name] = pl.DataFrame(texts_of_set, schema=EMBEDDED_COLUMNS, orient="row")
    if missing:
        rows = pl.concat(missing.values())
        screen.wait(f"embedding {rows.height:,} texts of {', '.join(missing)}")
        how = Embedding(lake=lake, backbone=chosen.backbone, settings=settings, screen=screen)
        embedded, _ = embed_texts(rows, how)
        columns = list(Descriptions.create_empty().columns)
        start = 0
        for name, of_set in missing.items():
            ours = embedded.slice(start, of_set.height).select(columns)
            evaluation.write_texts(name, pl.concat([prompts.select(columns), ours], how="vertical_relaxed"))
            start += of_set.height
    return EvaluatedTexts(urls=urls, class_names=class_names, spelled=spelled)


def spell_classes(
    lake: Lake, other: EmbeddedSet, class_names: tuple[str, ...], set_name: str
) -> dict[str, str]:
    """The other set's names of the classes → ours; an InputError if it lacks one of them."""
    theirs = read_class_names(lake, other)
    same = find_same_classes(class_names, theirs)
    if same.missing:
        raise InputError(
            f"set {other.name} describes no {name_some([repr(name) for name in same.missing])}, which set {set_name} has; "
            "describe these classes in both"
        )
    return {name: own for own, name in same.found.items()}


def check_backbone(described: EmbeddedSet, chosen: ChosenEvaluation) -> None:
    """ModelError if another model embedded the set."""
    if described.backbone_sha256 != chosen.backbone.sha256:
        raise ModelError(
            f"description set {described.name!r} was embedded with {described.backbone}, and the settings name "
            f"{chosen.backbone.name}; describe the set again with these settings, or evaluate with those it was described with"
        )
