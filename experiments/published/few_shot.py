"""How published few-shot methods split, as settings of `FewShot`.

Hu et al., "Generalizing Few-Shot NAS with Gradient Matching", ICLR 2022, arXiv
2203.15207, and its released code, whose rule for the decision differs between spaces:
cells of NAS-Bench-201 and elastic kernels are split where groups differ most, the other
two where they agree best. Zhao et al., "Few-shot Neural Architecture Search", ICML
2021, arXiv 2006.06863, split exhaustively.

Epochs are given as shares of the training, which `steps` says in updates. Where ours
departs: the schedule after a restart lasts as long as the training does; distances of a
pair that has no gradient are left out instead of counting as 1; the groups of a cut in
three are compared, where the code always kept the options' order; elastic kernels are
compared outside of what the decision changes, not outside its block.
"""

from nas.partition import FewShot, GradientMatching


def _at(steps: int, *shares: float) -> tuple[int, ...]:
    return tuple(round(steps * share) for share in shares)


def nasbench201(steps: int, splits: int = 2) -> FewShot:
    """Split cells of NAS-Bench-201: two edges after epochs 15 and 30 of 60.

    Args:
      steps: of the whole training.
      splits: 2, or 4 for the 16 sub-supernets of the paper's table of rankings, spread
        evenly over the first half here.
    """
    shares = [0.5 * (i + 1) / splits for i in range(splits)]
    return FewShot(
        at=_at(steps, *shares),
        sizes=((2, 3),),
        children="restart",
        score=_score("soft"),
    )


def darts(steps: int) -> FewShot:
    """Split edges of normal cells with 7 operations: after epochs 2, 4, 6 of 21."""
    return FewShot(
        at=_at(steps, 2 / 21, 4 / 21, 6 / 21),
        decision="min_within",
        sizes=((2, 5), (3, 4)),
        candidates="normal.*",
        children="restart",
        score=_score("soft"),
    )


def proxyless(steps: int) -> FewShot:
    """Split blocks with 6 or 7 operations: in 2, then in 3, after a third each."""
    return FewShot(
        at=_at(steps, 1 / 3, 2 / 3),
        decision="min_within",
        groups=(2, 3),
        sizes=((2, 4), (3, 3), (2, 5), (3, 4), (2, 2, 2), (2, 2, 3)),
        score=_score("hard"),
    )


def once_for_all(steps: int) -> FewShot:
    """Split elastic kernels of 3, 5 and 7: three times, after a quarter each."""
    return FewShot(
        at=_at(steps, 1 / 4, 2 / 4, 3 / 4),
        sizes=((1, 2),),
        candidates="kernel.*",
        score=_score("hard"),
    )


def exhaustive(steps: int, decision: str) -> FewShot:
    """Give each option of one decision a sub-supernet, after half of the training.

    Args:
      steps: of the whole training.
      decision: its name, or `random`.
    """
    return FewShot(at=_at(steps, 1 / 2), decision=decision, cut="each")


def random_groups(like: FewShot) -> FewShot:
    """Make the control of a setting: as many splits, of random groups."""
    return FewShot(
        at=like.at,
        decision="random",
        cut="random",
        groups=like.groups,
        sizes=like.sizes,
        candidates=like.candidates,
        children=like.children,
    )


def _score(context: str) -> GradientMatching:
    # The paper averages over 100 batches, always.
    return GradientMatching(context=context, repeats=100, stability=0.0)
