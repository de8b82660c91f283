"""Drop reasons that need words alone: empty texts, exact duplicates, texts that name another class."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from laketag.pipeline.config import DescriptionSettings
from laketag.pipeline.descriptions.class_names import NameFinder
from laketag.pipeline.descriptions.problems import name_some, refuse
from laketag.pipeline.descriptions.reading import Lists
from laketag.pipeline.descriptions.sentences import fill_template, fold, has_content
from laketag.schemas import LABEL_PROMPT_POSITION, DropReason

SWITCHES: dict[str, str] = {
    "exact_duplicate": "descriptions.drop_exact_duplicates",
    "near_duplicate": "descriptions.drop_near_duplicates",
    "names_another_class": "descriptions.drop_names_another_class",
    "closer_to_another_class": "descriptions.drop_closer_to_another_class",
}
"""Drop reason → the setting that switches it off."""


WORD_RULES = ("drop_exact_duplicates", "drop_names_another_class")
"""Settings of the rules that need no embeddings."""


@dataclass(frozen=True)
class Description:
    """A text of a class, and the reason why it is dropped, if it is."""

    class_name: str
    position: int  # among the texts of its class; -1 is the label prompt
    text: str
    drop_reason: DropReason | None = None

    @property
    def is_label_prompt(self) -> bool:
        """Whether this is the class's label prompt, which is never dropped."""
        return self.position == LABEL_PROMPT_POSITION


def lint(sentences: Lists, settings: DescriptionSettings, file: str) -> list[Description]:
    """Each class's label prompt and then its texts, in the order of the file, with the drop reasons that words show.

    ``filtering`` finds the other reasons. Texts may name a class that the label prompt's own words name ("photo").
    """
    finder = NameFinder(list(sentences))
    frame = fill_template(settings.label_prompt, " ")
    in_prompt = {name for name in sentences if finder.mentions(name, frame)}
    rows: list[Description] = []
    empty: list[str] = []
    for name, texts in sentences.items():
        rows.append(Description(name, LABEL_PROMPT_POSITION, fill_template(settings.label_prompt, name)))
        seen: set[str] = set()
        for position, text in enumerate(texts):
            reason: DropReason | None = None
            folded = fold(text)
            if not has_content(text):
                reason = "empty"
                empty.append(f"class {name!r}, text {position + 1}")
            elif settings.drop_exact_duplicates and folded in seen:
                reason = "exact_duplicate"
            elif settings.drop_names_another_class and set(finder.find_others(name, text)) - in_prompt:
                reason = "names_another_class"
            seen.add(folded)
            rows.append(Description(name, position, text, reason))
    if not settings.drop_empty:
        refuse(
            file,
            [f"{place} is empty" for place in empty],
            "write or remove it, or set descriptions.drop_empty=true",
        )
    return rows


def name_spared(
    rows: Sequence[Description], sentences: Lists, settings: DescriptionSettings, file: str
) -> str | None:
    """What rules that are off would drop of the linted rows by words alone, in one sentence; None if nothing."""
    if all(getattr(settings, rule) for rule in WORD_RULES):
        return None
    judged = lint(sentences, settings.model_copy(update=dict.fromkeys(WORD_RULES, True)), file)
    kept = {(row.class_name, row.position) for row in rows if row.drop_reason is None}
    spared = [row for row in judged if row.drop_reason and (row.class_name, row.position) in kept]
    if not spared:
        return None
    counts = Counter(row.drop_reason for row in spared)
    reasons = ", ".join(f"{texts:,} {reason}" for reason, texts in counts.most_common())
    left = {row.class_name for row in judged if row.drop_reason is None and not row.is_label_prompt}
    whole = [repr(name) for name in dict.fromkeys(row.class_name for row in spared) if name not in left]
    classes = f", among them all texts of {len(whole):,} class(es): {name_some(whole)}" if whole else ""
    return f"{len(spared):,} text(s) are kept that the filter would drop ({reasons}){classes}"


def find_bare_classes(rows: Iterable[Description]) -> list[str]:
    """The classes without a kept text, besides their label prompts, in the order of the rows."""
    rows = list(rows)
    kept = {row.class_name for row in rows if row.drop_reason is None and not row.is_label_prompt}
    return [name for name in dict.fromkeys(row.class_name for row in rows) if name not in kept]


def refuse_bare_classes(rows: Sequence[Description], file: str) -> None:
    """InputError if all texts of a class are dropped, or it has none; it names all such classes, with the drop reasons."""
    bare = {name: Counter[DropReason]() for name in find_bare_classes(rows)}
    for row in rows:
        if row.drop_reason and row.class_name in bare:
            bare[row.class_name][row.drop_reason] += 1
    problems = []
    for name, counts in bare.items():
        dropped = ", ".join(f"{times} {reason}" for reason, times in counts.most_common())
        problems.append(f"class {name!r} has no description left ({dropped or 'it has no text'})")
    switches = [
        switch for reason, switch in SWITCHES.items() if any(reason in counts for counts in bare.values())
    ]
    refuse(file, problems, "write others" + (f", or switch off {' or '.join(switches)}" if switches else ""))
