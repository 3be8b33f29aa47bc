"""The pipeline on the device, against slow references and by its invariants."""

import json

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nas.data import Augment, BatchOrder, ImagePreprocessing, evaluation_batches
from nas.errors import UserError

RNG = np.random.default_rng(0)


def pixels(*shape: int) -> np.ndarray:
    """Random grey levels, none of which is the black of the padding."""
    return RNG.integers(1, 256, shape, np.uint8)


def test_preprocessing_measures_and_normalises():
    images = pixels(1500, 3, 2, 3)  # more than one chunk
    fitted = ImagePreprocessing.fit(images)
    scaled = images / 255
    np.testing.assert_allclose(fitted.mean, scaled.mean((0, 1, 2)), rtol=1e-12)
    np.testing.assert_allclose(fitted.std, scaled.std((0, 1, 2)), rtol=1e-12)
    out = jax.jit(fitted)(jnp.asarray(images))
    assert out.dtype == jnp.float32
    expected = (scaled - scaled.mean((0, 1, 2))) / scaled.std((0, 1, 2))
    np.testing.assert_allclose(out, expected, atol=2e-6)
    # One image alone, without a batch axis.
    np.testing.assert_array_equal(jax.jit(fitted)(jnp.asarray(images[7])), out[7])


def test_preprocessing_keeps_a_constant_channel_finite():
    images = pixels(10, 4, 4, 2)
    images[..., 1] = 77
    fitted = ImagePreprocessing.fit(images)
    assert fitted.std[1] == 1
    np.testing.assert_allclose(fitted(jnp.asarray(images))[..., 1], 0, atol=1e-7)


def test_preprocessing_round_trips_through_json():
    fitted = ImagePreprocessing.fit(pixels(10, 4, 4, 3))
    text = json.dumps(fitted.to_json())
    assert ImagePreprocessing.from_json(json.loads(text)) == fitted


@pytest.mark.parametrize(
    ("mean", "std"),
    [((), ()), ((0.5,), (0.1, 0.1)), ((0.5,), (0.0,)), ((float("nan"),), (1.0,))],
)
def test_preprocessing_refuses(mean, std):
    with pytest.raises(UserError, match="Preprocessing needs"):
        ImagePreprocessing(mean, std)


@pytest.mark.parametrize(
    "images", [jnp.zeros((2, 4, 4, 3), jnp.float32), jnp.zeros((2, 4, 4, 1), jnp.uint8)]
)
def test_preprocessing_takes_only_the_images_it_was_fitted_to(images):
    with pytest.raises(ValueError, match=r"uint8 \[.., H, W, 3\]"):
        ImagePreprocessing((0.5,) * 3, (0.1,) * 3)(images)


def all_crops(image: np.ndarray, pad: int, flip: bool) -> dict[bytes, tuple]:
    """Every outcome of the augmentation of one image, one loop at a time."""
    height, width, _ = image.shape
    outcomes = {}
    for top in range(2 * pad + 1):
        for left in range(2 * pad + 1):
            crop = np.zeros_like(image)
            for row in range(height):
                for column in range(width):
                    source = row + top - pad, column + left - pad
                    if 0 <= source[0] < height and 0 <= source[1] < width:
                        crop[row, column] = image[source]
            outcomes[crop.tobytes()] = (top, left, False)
            if flip:
                outcomes[crop[:, ::-1].tobytes()] = (top, left, True)
    return outcomes


@pytest.mark.parametrize(
    ("pad", "flip"), [(0, False), (0, True), (1, False), (2, True)]
)
def test_augmentation_draws_each_outcome_of_the_reference_equally_often(pad, flip):
    image = pixels(4, 5, 3)
    outcomes = all_crops(image, pad, flip)
    num = 40 * len(outcomes)
    batch = jnp.broadcast_to(jnp.asarray(image), (num, *image.shape))
    out = np.asarray(jax.jit(Augment(pad, flip))(jax.random.key(0), batch))
    assert out.dtype == np.uint8
    # KeyError if anything else comes out.
    drawn = [outcomes[each.tobytes()] for each in out]
    counts = [drawn.count(outcome) for outcome in outcomes.values()]
    # Mean 40, standard deviation below 6.4: no count of a fair draw is 5 of them off.
    assert min(counts) > 8
    assert max(counts) < 72


def test_augmentation_depends_on_the_key_alone():
    augment, images = Augment(2, True), jnp.asarray(pixels(16, 6, 6, 1))
    first = augment(jax.random.key(1), images)
    np.testing.assert_array_equal(first, jax.jit(augment)(jax.random.key(1), images))
    assert not np.array_equal(first, augment(jax.random.key(2), images))


def test_augmentation_refuses_negative_padding():
    with pytest.raises(UserError, match="found -1"):
        Augment(crop_padding=-1)


def take(order: BatchOrder, state, start: int, num: int):
    """Take batches as training does: the key is a function of the step."""
    chex.clear_trace_counter()
    next_batch = jax.jit(chex.assert_max_traces(order.next, n=1))
    batches = []
    for step in range(start, start + num):
        key = jax.random.fold_in(jax.random.key(5), step)
        state, indices = next_batch(state, key)
        batches.append(np.asarray(indices))
    return state, np.array(batches)


@settings(max_examples=8, deadline=None)
@given(data=st.data(), num=st.integers(1, 20))
def test_every_epoch_visits_each_example_at_most_once(data, num):
    order = BatchOrder(num, data.draw(st.integers(1, num)))
    per_epoch = order.batches_per_epoch
    _, batches = take(order, order.init(jax.random.key(0)), 0, 3 * per_epoch)
    assert batches.shape == (3 * per_epoch, order.batch_size)
    assert batches.dtype == np.int32
    for epoch in np.split(batches, 3):
        visited = np.bincount(epoch.ravel(), minlength=num)
        assert visited.max() == 1
        assert visited.sum() == num - num % order.batch_size


def test_epochs_differ_and_the_dropped_examples_change():
    order = BatchOrder(11, 3)
    _, batches = take(order, order.init(jax.random.key(0)), 0, 30)
    epochs = batches.reshape(10, 9)
    assert len({epoch.tobytes() for epoch in epochs}) == 10
    assert set(epochs.ravel().tolist()) == set(range(11))


@pytest.mark.parametrize("stop", [1, 3, 4, 7])
def test_order_resumes_from_what_was_saved(stop):
    order = BatchOrder(10, 3)
    begin = order.init(jax.random.key(0))
    end, whole = take(order, begin, 0, 10)
    state, first = take(order, begin, 0, stop)
    saved = jax.tree.map(np.asarray, state)
    restored = jax.tree.map(jnp.asarray, saved)
    resumed_end, second = take(order, restored, stop, 10 - stop)
    assert np.array_equal(np.concatenate([first, second]), whole)
    chex.assert_trees_all_equal(resumed_end, end)


@pytest.mark.parametrize("batch_size", [0, 11])
def test_order_refuses_batches_that_no_epoch_holds(batch_size):
    with pytest.raises(UserError, match=f"1 to 10, .* found {batch_size}"):
        BatchOrder(10, batch_size)


@given(num=st.integers(1, 50), batch_size=st.integers(1, 60))
def test_evaluation_counts_each_example_once(num, batch_size):
    indices, weights = evaluation_batches(num, batch_size)
    assert indices.shape == weights.shape == (-(-num // batch_size), batch_size)
    assert (indices.dtype, weights.dtype) == (np.int32, np.float32)
    counted = np.zeros(num)
    np.add.at(counted, indices, weights)
    assert counted.tolist() == [1] * num


@pytest.mark.parametrize(("num", "batch_size"), [(0, 4), (4, 0)])
def test_evaluation_refuses_nothing(num, batch_size):
    with pytest.raises(UserError, match=f"found {num} and {batch_size}"):
        evaluation_batches(num, batch_size)
