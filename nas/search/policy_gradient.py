"""Search by the gradient of a policy: draw, measure, make what was good more likely.

One policy serves all trade-offs: it is conditioned on a preference between the
objectives, each of a few in turn, and so ends in a front, not in a point. What an
architecture is worth under a preference is said in `nas.search.rewards`.

Every measured architecture teaches under every preference, not only the one that drew
it: it is a draw of the mixture of the policies of all preferences, and its weight for a
preference is its probability there over that in the mixture. Such weights never exceed
the number of preferences, and the gradient stays unbiased (the balance heuristic).

Proposals are new, differ and meet the constraints; draws need not. An architecture
counts as often as it was drawn, and one that was measured lately counts without being
proposed again. What chance added, because the policy gave too little that is new, was
never drawn and teaches nothing. Draws that the constraints refuse are left out, and so
are new ones beyond what is proposed. The policy that learns is therefore the one given
that a draw is not left out: with the baseline at the mean of the rewards, the gradient
is of its expected reward.

References:
  Williams, "Simple statistical gradient-following algorithms for connectionist
  reinforcement learning", Machine Learning 8, 1992 (the gradient, the baseline).
  Veach, Guibas, "Optimally combining sampling techniques for Monte Carlo rendering",
  SIGGRAPH 1995 (the balance heuristic).
  Pham, Guan, Zoph, Le, Dean, "Efficient neural architecture search via parameter
  sharing", ICML 2018, arXiv:1802.03268 (moving-average baseline, entropy bonus, Adam).
"""

import abc
import collections
import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from nas.errors import UserError
from nas.policies import Autoregressive, Policy
from nas.policies.base import Params
from nas.preferences import spread
from nas.search import population as populations
from nas.search.base import Controller, Problem, State, fold, start, turn
from nas.search.proposals import propose
from nas.search.rewards import rewards
from search_spaces import SearchSpace

DRAWS = 4
"""Draws of a round for each proposal, so that rejections seldom need a second round."""

_PARAMS = 2**31 - 1
"""The count that gives the key of the first parameters, which no ask reaches."""


@dataclasses.dataclass(frozen=True)
class PolicyGradient(Controller):
    """What the concrete controllers share; they say what is maximised.

    Letters in shapes: W preferences, and those of `nas.search.base`.
    """

    policy: Policy = dataclasses.field(default_factory=Autoregressive)
    """Who draws: autoregressive, an LSTM, or independent, a table of logits."""

    population: int = 10
    """P, how many are proposed at a time; each ask and tell is one update."""

    learning_rate: float = 0.02
    """Of Adam. Published ones are a twentieth or less, for many more updates."""

    entropy_bonus: float = 0.04
    """By what the policy's entropy is multiplied, in nats, in what is maximised."""

    baseline_decay: float = 0.7
    """What of the baseline is kept at an update; the rest is the new mean reward."""

    preferences: int = 5
    """W, how many trade-offs between objectives are learnt; one if there is but one
    objective."""

    memory: int = 200
    """How many architectures, the latest told, rewards are ranked among; they are not
    proposed again."""

    def __post_init__(self) -> None:
        """Refuse what could not learn."""
        for name in ("population", "preferences", "memory"):
            if getattr(self, name) < 1:
                raise UserError(
                    f"{self.NAME}: {name} is {getattr(self, name)}, it must be at "
                    "least 1."
                )
        if self.memory < self.population:
            raise UserError(
                f"{self.NAME}: memory is {self.memory} and population is "
                f"{self.population}; what is proposed at a time must fit into memory."
            )
        if self.learning_rate <= 0 or self.entropy_bonus < 0:
            raise UserError(
                f"{self.NAME}: learning_rate is {self.learning_rate} and entropy_bonus "
                f"is {self.entropy_bonus}; the one must be above 0, the other not "
                "below."
            )
        if not 0 <= self.baseline_decay < 1:
            raise UserError(
                f"{self.NAME}: baseline_decay is {self.baseline_decay}, it must be at "
                "least 0 and below 1."
            )

    @property
    def num_epochs(self) -> int:
        """How many gradient steps are taken on what was told."""
        return 1

    def table(self, num_objectives: int) -> np.ndarray:
        """List the preferences.

        Args:
          num_objectives: M.

        Returns:
          `float32[W, M]`, rows on the simplex, all different.
        """
        return spread(self.preferences if num_objectives > 1 else 1, num_objectives)

    @abc.abstractmethod
    def surrogate(
        self, new: jax.Array, old: jax.Array, advantage: jax.Array
    ) -> jax.Array:
        """Give what is maximised, without the entropy bonus.

        Args:
          new: `float32[.., D]`, log-probability of each decision, differentiated.
          old: `float32[.., D]`, the same before the first gradient step.
          advantage: `float32[..]`, the reward less the baseline.

        Returns:
          `float32[..]`.
        """

    def init(self, key: jax.Array, problem: Problem) -> State:
        """Make a policy and nothing to compare with."""
        space, num_objectives = problem.space, problem.num_objectives
        state = start(key)
        params = _init(self.policy, space, num_objectives, fold(state, _PARAMS))
        num_preferences = len(self.table(num_objectives))
        made = {
            "params": params,
            "optimizer": self.optimizer.init(params),
            "baseline": np.full(num_preferences, np.nan, np.float32),
            "drawn": np.zeros((2 * self.population, space.num_decisions), np.int32),
            "times": np.zeros(2 * self.population, np.int32),
            "memory": populations.empty(
                self.memory, space.num_decisions, num_objectives
            ),
        }
        return state | jax.tree.map(np.asarray, made)

    def ask(self, state: State, problem: Problem) -> tuple[State, np.ndarray]:
        """Draw from the policy, under each preference in turn."""
        state, key = turn(state)
        preferences = self.table(problem.num_objectives)
        rounds = -(-DRAWS * self.population // len(preferences))
        table = np.tile(preferences, (rounds, 1))
        times: collections.Counter[bytes] = collections.Counter()
        exhausted = False

        def draw(draw_key: jax.Array) -> np.ndarray:
            nonlocal exhausted
            if exhausted:
                return problem.known[:0]
            rows = np.asarray(
                _sample(self.policy, problem.space, state["params"], draw_key, table)
            )
            before = len(times)
            times.update(row.tobytes() for row in rows)
            exhausted = len(times) == before
            return rows

        known = populations.load(state["memory"]).genotypes
        asked = propose(key, problem, self.population, draw, known)
        return state | self._drawn(asked, known, times), asked

    def _drawn(
        self, asked: np.ndarray, known: np.ndarray, times: collections.Counter[bytes]
    ) -> State:
        """List what was drawn, first what is proposed, then the most drawn known.

        Args:
          asked: int32[P, D].
          known: int32[N, D].
          times: how often each genotype was drawn.

        Returns:
          `drawn` int32[2P, D] and `times` int32[2P], 0 of those that chance added.
        """
        # Popped, so that one that had to be proposed twice counts once.
        first = [times.pop(row.tobytes(), 0) for row in asked]
        again = np.array([times[row.tobytes()] for row in known], np.int32)
        most = np.argsort(-again, kind="stable")[: self.population]
        drawn = np.zeros((2 * self.population, asked.shape[1]), np.int32)
        counts = np.zeros(2 * self.population, np.int32)
        drawn[: len(asked)], counts[: len(asked)] = asked, first
        end = len(asked) + len(most)
        drawn[len(asked) : end], counts[len(asked) : end] = known[most], again[most]
        return {"drawn": drawn, "times": counts}

    def tell(
        self,
        state: State,
        problem: Problem,
        genotypes: np.ndarray,
        objectives: np.ndarray,
        violation: np.ndarray,
    ) -> State:
        """Learn from those that the policy drew; all are ranked among."""
        fine = problem.feasible(genotypes)
        told = populations.Members(genotypes, objectives, violation)
        state = state | {"memory": _remember(state["memory"], told.take(fine))}
        recent = populations.load(state["memory"])
        mine, rows = _measured(state, recent)
        if not len(mine):
            return state
        preferences = self.table(problem.num_objectives)
        times = np.zeros(len(state["times"]), np.float32)
        times[mine] = state["times"][mine]
        reward = np.zeros((len(times), len(preferences)), np.float32)
        reward[mine] = rewards(
            recent.objectives[rows],
            recent.violation[rows],
            (recent.objectives, recent.violation),
            preferences,
        )
        learnt = _learn(
            self,
            problem.space,
            {name: state[name] for name in ("params", "optimizer", "baseline")},
            (state["drawn"], times, reward, preferences),
        )
        left = state["times"].copy()
        left[mine] = 0  # a draw teaches once
        return state | jax.tree.map(np.asarray, learnt) | {"times": left}

    @property
    def optimizer(self) -> optax.GradientTransformation:
        """What turns gradients into steps."""
        return optax.adam(self.learning_rate)


def _remember(state: State, told: populations.Members) -> State:
    """Keep the latest architectures told, each once."""
    queue = populations.load(state).join(told)  # oldest first
    last = {row.tobytes(): i for i, row in enumerate(queue.genotypes)}
    rows = np.sort(np.fromiter(last.values(), np.int64, len(last)))
    return populations.store(state, queue.take(rows[-len(state["violation"]) :]))


def _measured(
    state: State, recent: populations.Members
) -> tuple[np.ndarray, np.ndarray]:
    """Find what the policy drew among what was measured.

    Args:
      state: with the latest draws.
      recent: what is remembered.

    Returns:
      int64[F] rows of the draws, and int64[F] the same ones' rows in `recent`.
    """
    places = {row.tobytes(): i for i, row in enumerate(recent.genotypes)}
    pairs = [
        (i, places[row.tobytes()])
        for i, row in enumerate(state["drawn"])
        if state["times"][i] and row.tobytes() in places
    ]
    mine, rows = np.asarray(pairs, np.int64).reshape(-1, 2).T
    return mine, rows


@functools.partial(jax.jit, static_argnames=("policy", "space", "num_objectives"))
def _init(
    policy: Policy, space: SearchSpace, num_objectives: int, key: jax.Array
) -> Params:
    return policy.init(key, space, num_objectives)


@functools.partial(jax.jit, static_argnames=("policy", "space"))
def _sample(
    policy: Policy,
    space: SearchSpace,
    params: Params,
    key: jax.Array,
    preference: jax.Array,
) -> jax.Array:
    return policy.sample(params, space, key, preference)


@functools.partial(jax.jit, static_argnames=("controller", "space"))
def _learn(
    controller: PolicyGradient,
    space: SearchSpace,
    learner: State,
    told: tuple[jax.Array, ...],
) -> State:
    """Take the gradient steps that follow a telling; one program.

    Args:
      controller: the settings.
      space: of the genotypes.
      learner: `params`, `optimizer` and `baseline` float32[W], NaN before the first.
      told: genotypes int32[N, D], how often each was drawn float32[N], rewards
        float32[N, W] and preferences float32[W, M].

    Returns:
      The next `learner`.
    """
    genotypes, times, reward, preferences = told
    policy = controller.policy
    shape = (*reward.shape, space.num_decisions)
    rows = jnp.repeat(genotypes, shape[1], axis=0)
    preference = jnp.tile(preferences, (shape[0], 1))

    def evaluate(params: Params) -> tuple[jax.Array, ...]:
        found = policy.evaluate(params, space, rows, preference)
        return tuple(each.reshape(shape) for each in found)

    old, _ = evaluate(learner["params"])
    weight = times[:, None] * _balance(old.sum(axis=-1))
    total = weight.sum(axis=0)
    # A preference may be left with next to nothing that it would have drawn.
    seen = total > 1e-6
    mean = (weight * reward).sum(axis=0) / jnp.where(seen, total, 1.0)
    # The first rewards are the first baseline: from 0, all would look good, or bad.
    old_baseline = learner["baseline"]
    before = jnp.where(jnp.isnan(old_baseline), mean, old_baseline)
    advantage = reward - before[None]

    def loss(params: Params) -> jax.Array:
        new, entropy = evaluate(params)
        each = controller.surrogate(new, old, advantage)
        each = each + controller.entropy_bonus * entropy.sum(axis=-1)
        return -(weight * each).sum() / (times.sum() * shape[1])

    def epoch(carry: tuple[Params, Any], _: None) -> tuple[tuple[Params, Any], None]:
        params, optimizer = carry
        gradient = jax.grad(loss)(params)
        updates, optimizer = controller.optimizer.update(gradient, optimizer, params)
        return (optax.apply_updates(params, updates), optimizer), None

    begin = learner["params"], learner["optimizer"]
    (params, optimizer), _ = jax.lax.scan(epoch, begin, length=controller.num_epochs)
    keep = controller.baseline_decay
    moved = keep * before + (1 - keep) * mean
    baseline = jnp.where(seen, moved, old_baseline)
    return {"params": params, "optimizer": optimizer, "baseline": baseline}


def _balance(log_prob: jax.Array) -> jax.Array:
    """Weigh a draw of any preference's policy for each preference, by the mixture.

    Args:
      log_prob: float32[P, W], of a genotype under each preference.

    Returns:
      float32[P, W], from 0 to W; the mean of a row is 1.
    """
    return log_prob.shape[1] * jax.nn.softmax(log_prob, axis=1)
