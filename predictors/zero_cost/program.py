"""Look into a function's own program (jaxpr) while it runs.

A network need not show its insides. Its program is run operation by operation, and a
reader that looks on is shown those that it asks for. What it learns is a state that
goes along through calls, loops (`scan`) and branches (`cond`), so that a supernet
remains one program with the architecture as data.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import jax
import jax.numpy as jnp
from jax.extend.core import ClosedJaxpr, Jaxpr, Literal

# What only calls an inner program, and under which name it keeps it.
CALLS = {
    "jit": "jaxpr",
    "pjit": "jaxpr",
    "closed_call": "call_jaxpr",
    "core_call": "call_jaxpr",
    "checkpoint": "jaxpr",
    "remat": "jaxpr",
    "remat2": "jaxpr",
    "custom_jvp_call": "call_jaxpr",
    "custom_vjp_call": "call_jaxpr",
    "custom_vjp_call_jaxpr": "fun_jaxpr",
}

Equation = Any
Values = dict[Any, Any]


class Span:
    """Equations that a reader looks at together, and what is known before them."""

    def __init__(self, equations: Sequence[Equation], known: Mapping[Any, Any]) -> None:
        """Keep them.

        Args:
          equations: one or several, in their order.
          known: the value of every variable that was computed before.
        """
        self.equations = equations
        self._known = known

    @property
    def inputs(self) -> list[Any]:
        """What the first equation is given."""
        return _read(self.equations[0].invars, self._known)

    def run(self, first: list[Any] | None = None) -> Values:
        """Run the equations; traceable.

        Args:
          first: what the first equation gives, in place of what it would.

        Returns:
          The value of every variable that they define.
        """
        known = dict(self._known)
        defined: Values = {}
        for number, equation in enumerate(self.equations):
            if number or first is None:
                outputs = _bind(equation, _read(equation.invars, known))
            else:
                outputs = first
            own = dict(zip(equation.outvars, outputs, strict=True))
            known |= own
            defined |= own
        return defined


class Reader(Protocol):
    """Somebody who looks on. The state is a pytree of arrays whose shapes stay."""

    NAME: str

    def end(self, equations: Sequence[Equation], start: int) -> int | None:
        """Say whether an equation is looked at.

        Args:
          equations: of one program, without those of inner ones.
          start: the index of the equation.

        Returns:
          The index after the last equation that is looked at together with it; None if
          it is not looked at.
        """
        ...

    def read(self, span: Span, state: Any) -> tuple[Values, Any]:
        """Look at equations, and run them.

        Args:
          span: the equations.
          state: what was learned before.

        Returns:
          What `span.run` gives, and the next state.
        """
        ...


def run(
    reader: Reader, program: Jaxpr | ClosedJaxpr, args: Sequence[Any], state: Any
) -> tuple[list[Any], Any]:
    """Run a program while a reader looks on; traceable.

    Args:
      reader: who looks.
      program: what runs.
      args: its arguments, flat.
      state: what the reader starts from.

    Returns:
      The program's outputs, flat, and the reader's last state.

    Raises:
      ValueError: what the reader looks at is inside an operation that cannot be
        followed, such as `while`.
    """
    jaxpr, consts = _parts(program)
    values: Values = dict(zip(jaxpr.constvars, consts, strict=True))
    values |= dict(zip(jaxpr.invars, args, strict=True))
    position = 0
    while position < len(jaxpr.eqns):
        equation = jaxpr.eqns[position]
        end = reader.end(jaxpr.eqns, position)
        if end is not None:
            defined, state = reader.read(Span(jaxpr.eqns[position:end], values), state)
        else:
            end = position + 1
            inputs = _read(equation.invars, values)
            outputs, state = _step(reader, equation, inputs, state)
            defined = dict(zip(equation.outvars, outputs, strict=True))
        values |= defined
        position = end
    return _read(jaxpr.outvars, values), state


def count(reader: Reader, program: Jaxpr | ClosedJaxpr) -> int:
    """Count how often a reader will look, at most.

    Args:
      reader: who looks.
      program: what would run.

    Returns:
      Each look in a loop counts as often as the loop runs; of branches the one with
      the most looks counts.
    """
    jaxpr, _ = _parts(program)
    total = position = 0
    while position < len(jaxpr.eqns):
        equation = jaxpr.eqns[position]
        end = reader.end(jaxpr.eqns, position)
        position = position + 1 if end is None else end
        if end is not None:
            total += 1
            continue
        inner = [count(reader, part) for part in _inner(equation.params)]
        times = equation.params["length"] if equation.primitive.name == "scan" else 1
        total += times * max(inner, default=0)
    return total


def _step(
    reader: Reader, equation: Equation, inputs: list[Any], state: Any
) -> tuple[list[Any], Any]:
    """Run one equation that the reader does not look at, and what is inside."""
    name, params = equation.primitive.name, equation.params
    if not any(count(reader, inner) for inner in _inner(params)):
        return _bind(equation, inputs), state
    if name in CALLS:
        return run(reader, params[CALLS[name]], inputs, state)
    if name == "scan":
        return _scan(reader, equation, inputs, state)
    if name == "cond":
        return _cond(reader, params, inputs, state)
    raise ValueError(
        f"{reader.NAME} is inside {name!r}, which cannot be followed; allowed: scan, "
        f"cond, {', '.join(CALLS)}."
    )


def _read(variables: Sequence[Any], values: Mapping[Any, Any]) -> list[Any]:
    return [v.val if isinstance(v, Literal) else values[v] for v in variables]


def _bind(equation: Equation, inputs: list[Any]) -> list[Any]:
    rest = equation.primitive.get_bind_params(equation.params)
    with equation.ctx.manager:
        outputs = equation.primitive.bind(*inputs, **rest)
    return list(outputs) if equation.primitive.multiple_results else [outputs]


def _parts(program: Jaxpr | ClosedJaxpr) -> tuple[Jaxpr, Sequence[Any]]:
    if isinstance(program, ClosedJaxpr):
        return program.jaxpr, program.consts
    return program, ()


def _scan(
    reader: Reader, equation: Equation, inputs: list[Any], state: Any
) -> tuple[list[Any], Any]:
    params = equation.params
    body, _ = _parts(params["jaxpr"])
    # The order is constants, carry, and what the loop runs over, which has one axis
    # more outside. JAX says how many of each, but every release in other words.
    pairs = zip(inputs, body.invars, strict=True)
    num_xs = sum(jnp.ndim(x) > _rank(v) for x, v in pairs)
    results = zip(equation.outvars, body.outvars, strict=True)
    num_carry = sum(_rank(a) == _rank(b) for a, b in results)
    second = len(inputs) - num_xs
    first = second - num_carry
    consts, carry, xs = inputs[:first], inputs[first:second], inputs[second:]

    def step(before: Any, x: Any) -> tuple[Any, Any]:
        own, state = before
        out, state = run(reader, params["jaxpr"], [*consts, *own, *x], state)
        return (tuple(out[:num_carry]), state), tuple(out[num_carry:])

    (carry, state), ys = jax.lax.scan(
        step,
        (tuple(carry), state),
        tuple(xs),
        length=params["length"],
        reverse=params["reverse"],
    )
    return [*carry, *ys], state


def _cond(
    reader: Reader, params: Mapping[str, Any], inputs: list[Any], state: Any
) -> tuple[list[Any], Any]:
    def follow(branch: Jaxpr | ClosedJaxpr) -> Callable[..., Any]:
        return lambda own, state: run(reader, branch, own, state)

    branches = [follow(branch) for branch in params["branches"]]
    index, *own = inputs
    return jax.lax.switch(index, branches, own, state)


def _rank(variable: Any) -> int:
    return len(variable.aval.shape)


def _inner(params: Mapping[str, Any]) -> Iterator[Jaxpr | ClosedJaxpr]:
    for value in params.values():
        several = isinstance(value, tuple | list)
        for item in value if several else (value,):
            if isinstance(item, ClosedJaxpr | Jaxpr):
                yield item
