"""The lattice problem once more as a linear program, whose dual variables certify the optimum.

One unit flows from the first lattice point to the last through n layers of edges. By duality its least cost
is the largest difference of potentials `W_0(first) - W_n(last)` such that no edge is steeper than its cost,

    W_i(p) - W_(i+1)(q) <= cost(p, q)    for all i and all edges p -> q.

The inequality can be checked without solving anything, which makes the potentials a proof. The program has
one variable per edge and layer and suits lattices of up to a few dozen points; it is the only place that
needs CVXPY.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from lift_theory._validation import real_array, whole_number


@dataclass(frozen=True, kw_only=True, eq=False)
class FlowSolution:
    """The optimum of the linear program and its proof.

    Attributes:
        cost: least cost over paths of exactly `steps` edges.
        potentials: `W_i(p)`, zero at the last point of the last layer.
        violation: largest excess of `W_i(p) - W_(i+1)(q)` over the cost of an edge.
    """

    cost: float
    potentials: Float[np.ndarray, "layers points"]
    violation: float

    @property
    def lower_bound(self) -> float:
        """What the potentials prove, their difference less the violation once per layer."""
        layers = len(self.potentials) - 1
        return float(self.potentials[0, 0] - self.potentials[-1, -1] - layers * max(self.violation, 0.0))


def flow_program(edges: Float[np.ndarray, "points points"], steps: int) -> FlowSolution:
    """The cheapest path from the first to the last point over exactly `steps` edges, by linear programming.

    Args:
        edges: cost from point p to point q; infinite where there is no edge.
        steps: number of edges.

    Raises:
        ImportError: if CVXPY is not installed.
        ValueError: if the table is not square, or the last point cannot be reached.
    """
    try:
        import cvxpy
    except ImportError as error:
        raise ImportError("flow_program needs CVXPY: pip install 'lift-theory[certificates]'.") from error
    edges = real_array(edges, name="edges", finite=False)
    steps = whole_number(steps, name="steps", least=1)
    if edges.ndim != 2 or edges.shape[0] != edges.shape[1]:
        raise ValueError(f"edges must be a square table of costs; got shape {edges.shape}.")
    count = len(edges)
    p, q = np.nonzero(np.isfinite(edges))
    leave, enter = np.zeros((count, len(p))), np.zeros((count, len(p)))
    leave[p, np.arange(len(p))] = 1.0
    enter[q, np.arange(len(q))] = 1.0
    unit = np.eye(count)
    flows: list[Any] = [cvxpy.Variable(len(p), nonneg=True) for _ in range(steps)]
    arriving = [unit[0], *(enter @ flow for flow in flows)]
    leaving = [*(leave @ flow for flow in flows), unit[-1]]
    balance = [a - b == 0 for a, b in zip(arriving, leaving, strict=True)]
    problem = cvxpy.Problem(cvxpy.Minimize(sum(edges[p, q] @ flow for flow in flows)), balance)
    problem.solve(solver=cvxpy.SCIPY, scipy_options={"method": "highs"})
    if problem.status != cvxpy.OPTIMAL:
        raise ValueError(
            f"the last point cannot be reached from the first in exactly {steps} steps over the finite edges "
            f"(the solver says {problem.status}); allow more edges or more steps."
        )
    potentials = np.stack([constraint.dual_value for constraint in balance])
    if potentials[0, 0] < potentials[-1, -1]:  # solvers differ in the sign of multipliers
        potentials = -potentials
    potentials = potentials - potentials[-1, -1]
    violation = max(
        float(np.max(potentials[i][p] - potentials[i + 1][q] - edges[p, q])) for i in range(steps)
    )
    return FlowSolution(cost=float(problem.value), potentials=potentials, violation=violation)
