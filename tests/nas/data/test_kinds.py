"""Kinds of examples: what they refuse, and that their preprocessing comes back."""

import json

import jax.numpy as jnp
import numpy as np
import pytest

from nas.data import (
    Augment,
    Dataset,
    ImagePreprocessing,
    TokenPreprocessing,
    Tokens,
    read_preprocessing,
)
from nas.data.kinds import words_of
from nas.errors import UserError

CHARACTERS = Tokens(3, "character", (10, 97, 228))
ROWS = np.array([[0, 1, 2, 1]] * 5, np.int32)


@pytest.mark.parametrize(
    "preprocessing",
    [
        ImagePreprocessing((0.5,), (0.25,)),
        TokenPreprocessing(CHARACTERS),
        TokenPreprocessing(Tokens(70_000)),
        TokenPreprocessing(Tokens(2, "byte", (0, 255))),
    ],
)
def test_preprocessing_comes_back(preprocessing):
    text = json.dumps(preprocessing.to_json())
    assert (
        read_preprocessing(preprocessing.kind.NAME, json.loads(text)) == preprocessing
    )


def test_tokens_stay_what_they_are():
    preprocessing = CHARACTERS.fit(ROWS)
    x = preprocessing(jnp.asarray(ROWS))
    assert x.dtype == jnp.int32
    np.testing.assert_array_equal(x, ROWS)
    assert preprocessing.num_values == 3
    for wrong in (jnp.zeros((2, 3)), jnp.zeros((2, 3), jnp.uint8), jnp.int32(3)):
        with pytest.raises(ValueError, match="Tokens must be int32"):
            preprocessing(wrong)
    preprocessing.check_shape((8,))
    with pytest.raises(UserError, match=r"shape \[8, 8, 1\]"):
        preprocessing.check_shape((8, 8, 1))


def test_crops_and_flips_are_for_images():
    assert Augment()(None, ROWS) is ROWS
    CHARACTERS.refuse_augmentation(Augment().augments)
    with pytest.raises(UserError, match="crops and flips are for images"):
        CHARACTERS.refuse_augmentation(Augment(flip=True).augments)


@pytest.mark.parametrize(
    ("inputs", "labels", "message"),
    [
        (ROWS.astype(np.int64), ROWS, r"tokens must be int32 \[N, T\]"),
        (ROWS[0], ROWS, r"tokens must be int32 \[N, T\]"),
        (ROWS, ROWS[:, 0], "labels must be int32 .*one for each token"),
        (ROWS + 1, ROWS, "tokens reach from 1 to 3; the 3 of the vocabulary"),
        (ROWS, ROWS + 1, "label 3 at index 0, 2 is out of range"),
    ],
)
def test_arrays_that_are_no_tokens(inputs, labels, message):
    with pytest.raises(UserError, match=f"made up: training {message}"):
        Dataset(inputs, labels, CHARACTERS.names, "made up", kind=CHARACTERS)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((3, "word"), "unit is 'word'"),
        ((1,), "at least two"),
        ((3, "character", (1, 2)), "3 tokens with 2 meanings"),
        ((2, "token", (1, 2)), "2 tokens with 2 meanings"),
        ((2, "byte", (2, 1)), "ascending"),
        ((2, "byte", (2, 256)), "not all bytes"),
    ],
)
def test_impossible_vocabularies(arguments, message):
    with pytest.raises(UserError, match=message):
        Tokens(*arguments)


def test_words():
    assert words_of({"kind": "image"}).places == "images"
    assert words_of(CHARACTERS.to_json()).places == "characters"
    assert words_of(None).example == "image"
    assert CHARACTERS.names == (r"\n", "a", "ä")
    assert Tokens(2).names == ("0", "1")


@pytest.mark.parametrize(("unit", "size"), [("character", 0x3000), ("byte", 256)])
def test_names_are_printable_and_all_different(unit, size):
    names = Tokens(size, unit, tuple(range(size))).names
    assert len(set(names)) == size
    assert all(name and name.isprintable() and not name.isspace() for name in names)


def test_unknown_kinds_of_files():
    with pytest.raises(UserError, match="kind is 'sound'"):
        read_preprocessing("sound", {})
