from laketag.pipeline.classifier.generated_texts import known_words, template_texts, waffle_texts

NAMES = ("steam_train", "cat", "golden retriever")


def test_every_class_has_the_80_templates_with_its_readable_name() -> None:
    texts = template_texts(NAMES)
    assert [len(texts[name]) for name in NAMES] == [80, 80, 80]
    assert texts["cat"][0] == "a bad photo of a cat."
    assert all("steam train" in text for text in texts["steam_train"])


def test_waffle_has_the_same_random_words_and_characters_for_every_class_and_others_with_another_seed() -> (
    None
):
    texts = waffle_texts(NAMES, 15, seed=3)
    assert [len(of_class) for of_class in texts.values()] == [30, 30, 30]
    assert [text.replace("cat", "steam train") for text in texts["cat"]] == list(texts["steam_train"])
    assert texts["cat"][0].startswith("cat, which ")
    assert len(set(texts["cat"])) == 30
    assert waffle_texts(NAMES, 15, seed=3) == texts
    assert not set(waffle_texts(NAMES, 15, seed=4)["cat"]) & set(texts["cat"])


def test_the_words_of_waffle_are_as_long_as_those_of_the_classes() -> None:
    descriptors = [
        text.removeprefix("cat, which ").split() for text in waffle_texts(NAMES, 15, 0)["cat"][:15]
    ]
    words = [[word for word in text if word not in ("is", "has")] for text in descriptors]
    assert max(map(len, words)) <= 2  # names have 5 words in 3 names
    assert max(len(word) for text in words for word in text) <= 6  # 4.9 letters on average, rounded per name
    assert len(known_words()) > 10_000
