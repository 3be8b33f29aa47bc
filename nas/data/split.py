"""The seeded split into weights, search and report: stratified, or of runs."""

from collections.abc import Sequence

import numpy as np

from nas.data.base import Dataset, Split, Splits
from nas.errors import UserError


def split_dataset(
    dataset: Dataset,
    seed: int,
    search_fraction: float = 0.2,
    report_fraction: float = 0.2,
) -> Splits:
    """Split a data set three ways, the same way each time.

    With an official test set, that is the report split and the training images are
    divided between the other two; otherwise all three come from the training images.
    Each class is divided in the same proportions. Where neighbours are alike
    (`ordered`), each split is a run of neighbours instead, and one example is left out
    between two splits. Each split is shuffled, so that its first examples are a fair
    sample of it.

    Args:
      dataset: what to split.
      seed: not negative; with the labels it decides the split.
      search_fraction: share of the training images that goes to the search split.
      report_fraction: share that goes to the report split where there is no test set.

    Returns:
      The three splits.

    Raises:
      UserError: if a class has too few examples to occur in each split, or a fraction
        leaves nothing to train on.
    """
    divide = _runs if dataset.ordered else _strata
    if dataset.test_inputs is None or dataset.test_labels is None:
        fractions = (1 - search_fraction - report_fraction, search_fraction)
        weights, search, report = divide(dataset, (*fractions, report_fraction), seed)
        last = _take(dataset.inputs, dataset.labels, report)
    else:
        if not dataset.ordered:
            _check_test_classes(
                dataset.test_labels, dataset.class_names, dataset.source
            )
        weights, search = divide(dataset, (1 - search_fraction, search_fraction), seed)
        last = Split(dataset.test_inputs, dataset.test_labels)
    return Splits(
        weights=_take(dataset.inputs, dataset.labels, weights),
        search=_take(dataset.inputs, dataset.labels, search),
        report=last,
        class_names=dataset.class_names,
    )


def _strata(
    dataset: Dataset, fractions: Sequence[float], seed: int
) -> tuple[np.ndarray, ...]:
    return stratified_indices(dataset.labels, fractions, seed, dataset.class_names)


def _runs(
    dataset: Dataset, fractions: Sequence[float], seed: int
) -> tuple[np.ndarray, ...]:
    try:
        return run_indices(len(dataset.inputs), fractions, seed)
    except UserError as error:
        raise UserError(f"{dataset.source}: {error}") from error


def run_indices(
    num: int, fractions: Sequence[float], seed: int
) -> tuple[np.ndarray, ...]:
    """Divide ordered examples into runs of neighbours, one example apart.

    Args:
      num: N, the number of examples.
      fractions: share of each part; positive, and their sum is 1.
      seed: not negative; decides the order within the parts only.

    Returns:
      For each fraction int64 [N_part], shuffled. In order, the parts cover all indices
      but the one before each part that is not the first.

    Raises:
      UserError: if there are too few examples, or a fraction or the seed is impossible.
    """
    _check_request(fractions, seed)
    borders = len(fractions) - 1
    if num < len(fractions) + borders:
        raise UserError(
            f"{num} examples are too few for {len(fractions)} splits that lie one "
            f"example apart; at least {len(fractions) + borders} are needed."
        )
    counts = _apportion(num - borders, fractions)
    starts = np.cumsum([0, *(counts[:-1] + 1)])
    return tuple(
        start + _permutation(int(count), seed)
        for start, count in zip(starts, counts, strict=True)
    )


def stratified_indices(
    labels: np.ndarray,
    fractions: Sequence[float],
    seed: int,
    class_names: Sequence[str],
) -> tuple[np.ndarray, ...]:
    """Divide the indices of the examples into parts, class by class.

    Args:
      labels: int32 [N], each below the number of class names.
      fractions: share of each part; positive, and their sum is 1.
      seed: not negative.
      class_names: what each label means.

    Returns:
      For each fraction int64 [N_part]: together each index once, shuffled. Within a
      class a part has its share rounded up or down, and at least one example.

    Raises:
      UserError: if a class has fewer examples than there are parts, or if a fraction
        or the seed is impossible.
    """
    _check_request(fractions, seed)
    order = _permutation(len(labels), seed)  # [N]
    shuffled_labels = labels[order]
    part_of = np.empty(len(labels), np.int64)  # [N], in the shuffled order
    for label, name in enumerate(class_names):
        members = np.flatnonzero(shuffled_labels == label)
        if members.size < len(fractions):
            raise UserError(
                f"Class {name} (label {label}) has {members.size} images, too few to "
                f"be in each of {len(fractions)} splits. Add images of it, or leave "
                "the class out."
            )
        counts = _apportion(members.size, fractions)
        part_of[members] = np.repeat(np.arange(len(fractions)), counts)
    return tuple(order[part_of == part] for part in range(len(fractions)))


def _permutation(num: int, seed: int) -> np.ndarray:
    # NumPy promises that the raw stream of a bit generator never changes; it does not
    # promise that of Generator.permutation, and a split must outlive a NumPy release.
    return np.argsort(np.random.Philox(seed).random_raw(num), kind="stable")


def _apportion(num: int, fractions: Sequence[float]) -> np.ndarray:
    """Divide `num` by the method of largest remainders, at least one for each part."""
    shares = num * np.asarray(fractions)
    counts = np.floor(shares).astype(np.int64)
    neediest = np.argsort(counts - shares, kind="stable")
    counts[neediest[: num - counts.sum()]] += 1
    while counts.min() == 0:
        counts[counts.argmax()] -= 1
        counts[counts.argmin()] += 1
    return counts


def _take(inputs: np.ndarray, labels: np.ndarray, indices: np.ndarray) -> Split:
    return Split(inputs[indices], labels[indices])


def _check_request(fractions: Sequence[float], seed: int) -> None:
    if seed < 0:
        raise UserError(f"The seed must be 0 or more, found {seed}.")
    if min(fractions) <= 0:
        found = ", ".join(f"{fraction:g}" for fraction in fractions)
        raise UserError(
            f"Each split needs a share above 0, found {found} (the first is what the "
            "others leave). Choose fractions whose sum is below 1."
        )


def _check_test_classes(
    labels: np.ndarray, class_names: tuple[str, ...], source: str
) -> None:
    counts = np.bincount(labels, minlength=len(class_names))
    if counts.min() == 0:
        label = int(counts.argmin())
        raise UserError(
            f"{source}: class {class_names[label]} (label {label}) has no test images, "
            "so nothing could be reported of it. Add some, or remove the test set: "
            "one is then split off from the training images."
        )
