"""How a forward pass treats training-only parts and batch statistics."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Mode:
    """Static switches of a forward pass.

    Attributes:
      train: apply what only training does.
      given: normalise by given statistics; otherwise by the batch's own.
      collect: keep the batch's statistics as the pass goes.
    """

    train: bool = False
    given: bool = False
    collect: bool = False


CALIBRATE = Mode(train=False, given=False, collect=True)
