"""The control of descriptions: texts of another class, as if they were of this one."""

import pytest

from laketag.pipeline.descriptions.swapped import rename, swap_texts

TEXTS = {
    "hot_dog": ("A hot dog is a sausage.", "Hot dogs are long.", "It is eaten."),
    "cat": ("Cats purr; a cat is not a category.",),
    "ox": ("The OX is strong.",),
}


def test_each_class_has_the_texts_of_the_next_one_in_the_order_with_its_own_name() -> None:
    assert swap_texts(TEXTS, [2, 0, 1]) == {
        "hot_dog": ("hot dogs purr; a hot dog is not a category.",),
        "cat": ("The cat is strong.",),
        "ox": ("A ox is a sausage.", "oxs are long.", "It is eaten."),
    }
    assert swap_texts({"cat": ("A cat.",)}, [0]) == {"cat": ("A cat.",)}


@pytest.mark.parametrize(
    ("text", "renamed"),
    [
        ("A Golden-Retriever and a golden  retriever.", "A cat and a cat."),
        ("Golden retrievers, golden retrieverish.", "cats, golden retrieverish."),
    ],
)
def test_a_name_is_found_however_it_is_written_and_never_within_a_word(text: str, renamed: str) -> None:
    assert rename(text, "golden_retriever", "cat") == renamed
