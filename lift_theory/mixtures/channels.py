"""What noisy scales tell about data from a Gaussian mixture, averaged over draws that are fixed once and for all.

The component J splits every quantity into a part known in closed form and one that is averaged over draws:

    I(x; z)   = I(x; z | J) + I(J; z),      I(J; z) = H(J) - E H(r(z)),
    mmse_k    = E tr Phi_kk(z),
    E ||Phi_kl||^2  likewise,               Phi(z) = sum_j r_j R_j + Cov_r(mu_j(z)),

with the responsibilities r_j(z) of the components, their posterior means mu_j(z) and covariances R_j. Nothing is
averaged that could be integrated: entropies of r instead of log-likelihood ratios, posterior covariances instead of
squared errors. With one component the averages vanish and the closed form remains.

A draw is a component j, a deviation `x - m_j` and a noise for every scale, used with both signs of deviation and noise;
components are drawn in proportion to their weights, and what rounding does to the proportions is weighted away. All
log-SNRs use the same draws: `z = F x + e` with `F = sqrt(g) A` is smooth in them, and so is every average.

Averages of different quantities over the same draws agree with the identities between them only up to their standard
errors. The cost of a step is therefore defined by the one that keeps it positive and exact for tiny steps, the integral

    D(g + dg, g) = integral over t in (0, 1) of (1 - t) dg^T H(g + t dg) dg,    H_kl = E ||Phi_kl||^2 / 2,

in closed form for given components, by Gauss-Legendre quadrature in log-SNR for the rest.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from lift_theory.channels import LOST, DenseBlocks, _inverse_root
from lift_theory.mixtures.law import GaussianMixture

QUADRATURE = 20
"""Nodes along one piece of a step."""
PIECE = 8.0
"""Log-SNR, nats, up to which a step is one piece; all pieces are equally long."""
MOST_PIECES = 16
"""Pieces of one step."""
CELLS = 1 << 16
"""Entries of the arrays that one chunk of draws needs for each component: what stays in the cache is fastest."""
FEW = (16, 64)
"""Numbers of components that second moments are computed for, where no more are likely."""
NEGLIGIBLE = 1e-20
"""Responsibility that does not count."""
SHARP = 1e7
"""Variance times SNR above which residuals are whitened before they are squared."""
CHUNK_WORK = 3
"""Pairs that take as long as what is done once for a chunk."""
TINY = 1e-300
"""Added under a square root, whose derivative at zero is not finite."""

PerDraw = dict[str, Any]
"""Arrays with one row per draw."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class MixtureChannels:
    """A mixture seen through linear scales, with its draws in chunks of pairs of opposite sign."""

    weights: Float[Array, " components"]
    means: Float[Array, "components size"]
    """Relative to the mean of the data."""
    roots: Float[Array, "shared size size"]
    """Square roots of the covariances: one for all components or one each."""
    operators: Float[Array, "rows size"]
    """All scales stacked, with as many rows as each has rank."""
    basis: Float[Array, "size seen"]
    """Orthonormal; all that scales see, the last scale first."""
    membership: Float[Array, "rows scales"]
    """One where a row belongs to a scale."""
    component: Int[Array, "chunks pairs"]
    """The same for a whole chunk if components have covariances of their own."""
    inner: Float[Array, "chunks pairs size"]
    """Deviations from the component's mean."""
    noise: Float[Array, "chunks pairs rows"]
    share: Float[Array, "chunks pairs"]
    """Probability that each pair stands for; they add up to one."""

    @classmethod
    def of(cls, law: GaussianMixture, operators: list[np.ndarray], draws: int, seed: int) -> MixtureChannels:
        """Draw once. `operators` have full row rank, one per scale."""
        pairs, generator = draws // 2, np.random.default_rng(seed)
        counts = _allocation(law.weights, pairs)
        component = generator.permutation(np.repeat(np.arange(law.components), counts))
        share = (law.weights / counts)[component]
        rows = [len(matrix) for matrix in operators]
        roots = law.roots()
        deviation = generator.standard_normal((pairs, law.size))
        inner = (
            np.einsum(
                "nij,nj->ni", np.broadcast_to(roots, (law.components, *roots.shape[1:]))[component], deviation
            )
            if len(roots) > 1
            else deviation @ roots[0]
        )
        noise = generator.standard_normal((pairs, sum(rows)))
        if len(roots) > 1:
            chunk, order = _by_component(
                component, law.components, max(1, 2 * CELLS // (law.components * sum(rows)))
            )
        else:
            chunk = int(np.clip(CELLS // law.components, 1, pairs))
            order = np.concatenate([np.arange(pairs), np.full(-pairs % chunk, -1)])

        def chunked(array: np.ndarray) -> Array:
            return jnp.asarray(array[order].reshape(-1, chunk, *array.shape[1:]))

        share = np.append(share, 0.0)
        return cls(
            weights=jnp.asarray(law.weights),
            means=jnp.asarray(law.means - law.mean),
            roots=jnp.asarray(roots),
            operators=jnp.asarray(np.concatenate(operators)),
            basis=jnp.asarray(_basis(np.concatenate(operators[::-1]))),
            membership=jnp.asarray(np.repeat(np.eye(len(rows)), rows, axis=0)),
            component=chunked(component),
            inner=chunked(inner),
            noise=chunked(noise),
            share=chunked(share),
        )

    def information(self, g: Float[Array, " scales"]) -> Any:
        """Nats, and what each draw adds."""
        base = self._given_component(lambda blocks: blocks.information(g))
        prior = -jnp.sum(self.weights * jnp.log(self.weights))
        entropy = self._draws(self._posterior(g), ("entropy",))["entropy"]
        return base + prior, -entropy

    def mmse(self, g: Float[Array, " scales"]) -> Any:
        """Posterior variance given the component, and what each draw adds."""
        posterior = self._posterior(g)
        return posterior.mmse, self._draws(posterior, ("mmse",))["mmse"]

    def gram(self, g: Float[Array, " scales"]) -> Any:
        """`||Phi_kl||_F^2` given the component, and what each draw adds."""
        posterior = self._posterior(g)
        return posterior.gram, self._draws(posterior, ("gram",))["gram"]

    def surface(self, g: Float[Array, " scales"]) -> dict[str, Any]:
        """Information, mmse and gram in one pass."""
        base = self._given_component(lambda blocks: blocks.information(g))
        prior = -jnp.sum(self.weights * jnp.log(self.weights))
        posterior = self._posterior(g)
        found = self._draws(posterior, ("entropy", "mmse", "gram"))
        return {
            "information": (base + prior, -found["entropy"]),
            "mmse": (posterior.mmse, found["mmse"]),
            "gram": (posterior.gram, found["gram"]),
        }

    def step(self, g: Float[Array, " scales"], dg: Float[Array, " scales"]) -> Any:
        """Bregman divergence in nats of the step from g to g + dg: given the component, and what each draw adds."""
        base = self._given_component(lambda blocks: blocks.step(g, dg))
        nodes, weights = np.polynomial.legendre.leggauss(QUADRATURE)
        reach = jax.lax.stop_gradient(jnp.maximum(jnp.max(jnp.log1p(dg / g)), 1e-3))
        pieces = jnp.clip(jnp.ceil(reach / PIECE), 1, MOST_PIECES)

        def node(total: Any, at: Any) -> tuple[Any, None]:
            t, weight = at
            _, excess = self.gram(g + t * dg)
            return total + weight * 0.5 * jnp.einsum("cnkl,k,l->cn", excess, dg, dg), None

        def piece(total: Any, index: Any) -> tuple[Any, None]:
            grown = jnp.exp((index + 0.5 * (nodes + 1.0)) * reach / pieces)
            progress = (grown - 1.0) / jnp.expm1(reach)
            measure = 0.5 * weights * reach / pieces * grown / jnp.expm1(reach) * (1.0 - progress)
            return jax.lax.cond(
                index < pieces,
                lambda total: jax.lax.scan(node, total, (progress, measure))[0],
                lambda total: total,
                total,
            ), None

        return base, jax.lax.scan(piece, jnp.zeros(self.share.shape), jnp.arange(MOST_PIECES))[0]

    def posterior(
        self, g: Float[Array, " scales"], whitened: Float[Array, "draws rows"]
    ) -> tuple[Array, Array, Array]:
        """Responsibilities, means and covariances of the components given `y = F (x - mean) + e`.

        Returns:
            (draws, components), (draws, components, size) and (shared, size, size).
        """
        front = self._front(g)
        root = self._roots_of(front)
        spread = self.roots @ jnp.swapaxes(root[0], 1, 2)
        residual = whitened[:, None] - self.means @ front.T
        whitener = jnp.broadcast_to(root[1], (len(self.weights), *root[1].shape[1:]))
        white = jnp.einsum("njd,jed->nje", residual, whitener)
        logits = self._log_weights(whitener) - 0.5 * jnp.sum(white**2, axis=-1)
        gain = self.roots @ jnp.swapaxes(front @ self.roots, 1, 2) @ jnp.swapaxes(root[1], 1, 2)
        gain = jnp.broadcast_to(gain, (len(self.weights), *gain.shape[1:]))
        means = self.means + jnp.einsum("nje,jde->njd", white, gain)
        return jax.nn.softmax(logits, axis=-1), means, spread @ jnp.swapaxes(spread, 1, 2)

    def mean(self, per_draw: Float[Array, "chunks pairs ..."]) -> Array:
        """Average over the draws."""
        return jnp.einsum("cn,cn...->...", self.share, per_draw)

    def standard_error(self, per_draw: Float[Array, "chunks pairs ..."]) -> Array:
        """Standard error of the average, as if pairs were independent: stratification makes it smaller."""
        centred = per_draw - self.mean(per_draw)
        return jnp.sqrt(jnp.einsum("cn,cn...->...", self.share**2, centred**2))

    def _given_component(self, quantity: Callable[[DenseBlocks], Array]) -> Array:
        """Average over the components of a closed form for each."""
        scaled = jnp.einsum("rk,rd,jde->jkre", self.membership, self.operators, self.roots)
        grams = jnp.einsum("jkrd,jkre->jkde", scaled, scaled)[:, None]
        count, scales, size = len(grams), grams.shape[2], grams.shape[3]
        blocks = DenseBlocks(
            grams=grams, ranks=jnp.full((count, 1, scales), size), hidden=jnp.zeros((count, scales))
        )
        each = jax.lax.map(quantity, blocks)  # not in a batch: see `lift_theory.channels._one_by_one`
        return each[0] if count == 1 else self.weights @ each

    def _front(self, g: Float[Array, " scales"]) -> Float[Array, "rows size"]:
        return jnp.sqrt(self.membership @ g)[:, None] * self.operators

    def _roots_of(self, front: Float[Array, "rows size"]) -> tuple[Array, Array]:
        """Roots of the posterior covariances of data, and of the inverse covariances of observations."""
        seen = front @ self.roots
        across = jnp.swapaxes(seen, 1, 2)
        told = across @ seen
        # posterior means of components differ by what their rounding, squared and times SNR, would drown
        resolved = jnp.max(jnp.diagonal(told, axis1=1, axis2=2)) < LOST**-2
        return jnp.where(resolved, _inverse_root(told), jnp.nan), _inverse_root(seen @ across)

    def _log_weights(self, whitener: Float[Array, "shared rows rows"]) -> Float[Array, " components"]:
        """Logarithms of weight times normalisation of each component."""
        return jnp.log(self.weights) + jnp.sum(jnp.log(jnp.diagonal(whitener, axis1=1, axis2=2)), axis=1)

    def _posterior(self, g: Float[Array, " scales"]) -> _Shared | _Own:
        if len(self.roots) > 1:
            return self._own_posterior(g)
        front = self._front(g)
        inner, whitener = self._roots_of(front)
        log_weights = self._log_weights(whitener)
        reach = self.operators @ self.roots @ jnp.swapaxes(inner, 1, 2)
        covariance = reach @ jnp.swapaxes(reach, 1, 2)
        means = self.means @ self.operators.T
        back = self.means @ front.T @ front @ self.roots[0] @ inner[0].T @ reach[0].T
        return _Shared(
            membership=self.membership,
            log_weights=log_weights,
            front=front,
            whitener=whitener[0],
            covariance=covariance[0],
            seen=self.means @ front.T @ whitener[0].T,
            means=means - back,
        )

    def _own_posterior(self, g: Float[Array, " scales"]) -> _Own:
        rows = self._front(g) @ self.basis
        project = None
        if rows.shape[0] > rows.shape[1]:
            upper = jnp.linalg.cholesky(rows.T @ rows).T
            project = jax.scipy.linalg.solve_triangular(upper, rows.T, trans=1)
            rows = upper
        front = rows @ self.basis.T
        inner, whitener = self._roots_of(front)
        seen_roots = front @ self.roots
        reach = seen_roots @ jnp.swapaxes(inner, 1, 2)
        covariance = reach @ jnp.swapaxes(reach, 1, 2)
        seen = self.means @ front.T
        i, j = np.triu_indices(len(front))
        scales = _Scales(membership=self.membership, g=g, project=project)
        given = scales.errors(covariance)
        return _Own(
            scales=scales,
            log_weights=self._log_weights(whitener),
            mmse=self.weights @ given["mmse"],
            gram=jnp.einsum("j,jkl->kl", self.weights, given["gram"]),
            front=front,
            seen=seen,
            covariance=jnp.moveaxis(covariance, 0, 2),
            entries=covariance[:, i, j],
            filtered=jnp.einsum("jde,je->dj", covariance, seen),
            whitener=jnp.moveaxis(whitener, (2, 1, 0), (0, 1, 2)),
            white=jnp.einsum("jer,jr->ej", whitener, seen),
            sharp=jnp.max(jnp.sum(seen_roots**2, axis=2)) > SHARP,
        )

    def _draws(self, posterior: _Shared | _Own, wanted: tuple[str, ...]) -> PerDraw:
        """Averages of the two signs for every pair."""

        @jax.checkpoint
        def chunk(of: Any) -> PerDraw:
            component, inner, noise = of
            found = posterior.of(component, inner, noise, wanted)
            half = len(component)
            return {name: 0.5 * (value[:half] + value[half:]) for name, value in found.items()}

        return jax.lax.map(chunk, (self.component, self.inner, self.noise))


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class _Shared:
    """Components that share a covariance: their posterior means differ by constants, and all is a matrix product."""

    membership: Any
    log_weights: Any
    front: Any
    whitener: Any
    covariance: Any
    """Of the coefficients of all scales given component and observation."""
    seen: Any
    """Means of the whitened observations."""
    means: Any
    """Posterior means of the coefficients, up to a vector common to all components."""

    @property
    def mmse(self) -> Array:
        return jnp.diagonal(self.covariance) @ self.membership

    @property
    def gram(self) -> Array:
        return self.membership.T @ self.covariance**2 @ self.membership

    def of(self, component: Array, inner: Array, noise: Array, wanted: tuple[str, ...]) -> PerDraw:
        change = (inner @ self.front.T + noise) @ self.whitener.T
        centre = self.seen[component]
        whitened = jnp.concatenate([centre + change, centre - change])
        logits = self.log_weights - 0.5 * jnp.sum(self.seen**2, axis=1) + whitened @ self.seen.T
        responsibility, entropy = _responsibilities(logits)
        found = {"entropy": entropy} if "entropy" in wanted else {}
        if "gram" not in wanted and "mmse" not in wanted:
            return found
        first = responsibility @ self.means
        if "gram" not in wanted:
            variance = jnp.maximum(responsibility @ self.means**2 - first**2, 0.0)
            return found | {"mmse": variance @ self.membership}
        excess = responsibility @ _products(self.means) - _products(first)
        size = len(self.front)
        if "mmse" in wanted:
            found["mmse"] = jnp.maximum(excess[:, :size], 0.0) @ self.membership
        i, j, count = _pairs(size)
        both = count[:, None, None] * self.membership[i][:, :, None] * self.membership[j][:, None, :]
        sums = 0.5 * (both + jnp.swapaxes(both, 1, 2)).reshape(len(i), -1)
        change = excess * (2.0 * self.covariance[i, j] + excess)
        scales = self.membership.shape[1]
        return found | {"gram": (change @ sums).reshape(-1, scales, scales)}


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class _Scales:
    """What the scales see of coordinates u that they together observe with unit noise."""

    membership: Any
    g: Any
    project: Any
    """From rows to u and, transposed, back: orthonormal, (u, rows); none if rows are the coordinates."""

    def noise(self, rows: Float[Array, "draws rows"]) -> Float[Array, "draws u"]:
        """The noise of u."""
        return rows if self.project is None else rows @ self.project.T

    def errors(self, phi: Float[Array, "draws u u"]) -> PerDraw:
        """The mmse and gram of posterior covariances of u."""
        if self.project is not None:
            phi = jnp.swapaxes(phi @ self.project, 1, 2) @ self.project
        mmse = jnp.diagonal(phi, axis1=1, axis2=2) @ self.membership
        blocks = jnp.swapaxes(phi**2 @ self.membership, 1, 2) @ self.membership
        return {"mmse": mmse / self.g, "gram": blocks / (self.g[:, None] * self.g)}


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class _Own:
    """Components with covariances of their own, in coordinates u that the scales together observe with unit noise.

    Given component j the posterior of u has a covariance G_j, and a mean that for a draw `y = m_i + c` of component i
    is `m_i + G_j c - s_j`, `s_j = (1 - G_j) (m_i - m_j)`. All draws of a chunk come from one component, so that s_j
    belongs to the chunk and only `G_j c` to the draw, with both signs. Responsibilities need but `c^T G_j c`, a matrix
    product for all components; second moments are taken of those that some draw of the chunk could come from. Where
    c is so large that the product would lose digits, residuals are whitened.
    """

    scales: _Scales
    log_weights: Any
    mmse: Any
    """Given the component, on average."""
    gram: Any
    front: Any
    """From data to u, (u, size)."""
    seen: Any
    """Means m_j, (components, u)."""
    covariance: Any
    """G_j, (u, u, components)."""
    entries: Any
    """Those of G_j on the diagonal and above it, (components, entries)."""
    filtered: Any
    """G_j m_j, (u, components)."""
    whitener: Any
    """From y to white noise, (u, u, components)."""
    white: Any
    """Whitened means, (u, components)."""
    sharp: Any
    """Whether c is large."""

    def of(self, component: Array, inner: Array, noise: Array, wanted: tuple[str, ...]) -> PerDraw:
        change = inner @ self.front.T + self.scales.noise(noise)
        size, count = self.filtered.shape
        i, j = np.triu_indices(size)
        mean = self.seen[component[0]]
        apart = mean[:, None] - self.seen.T
        shift = apart - (mean @ self.covariance.reshape(size, -1)).reshape(size, count) + self.filtered

        def by_entries() -> tuple[Array, Array]:
            squares = jnp.where(i == j, 1.0, 2.0) * change[:, i] * change[:, j]
            return jnp.sum(apart * shift, axis=0) - squares @ self.entries.T, 2.0 * change @ shift

        def whitened() -> tuple[Array, Array]:
            rows = jnp.concatenate([mean[None], change])
            white = (rows @ self.whitener.reshape(size, -1)).reshape(-1, size, count)
            centre, around = white[0] - self.white, white[1:]
            even = jnp.sum(centre**2, axis=0) + jnp.sum(around**2, axis=1)
            return even, 2.0 * jnp.sum(centre * around, axis=1)

        even, odd = jax.lax.cond(self.sharp, whitened, by_entries)
        logits = self.log_weights - 0.5 * jnp.concatenate([even + odd, even - odd])
        responsibility, entropy = _responsibilities(logits)
        found = {"entropy": entropy} if "entropy" in wanted else {}
        if "gram" not in wanted and "mmse" not in wanted:
            return found
        likely = jax.lax.stop_gradient(jnp.max(responsibility, axis=0)) > NEGLIGIBLE
        few = [number for number in FEW if number < count]
        own = change @ self.covariance[..., component[0]]

        def moments(chances: Array, shift: Array, covariance: Array, entries: Array) -> Array:
            moved = (change @ covariance.reshape(size, -1)).reshape(len(change), size, -1)
            return _second_moments(chances, shift, moved - own[..., None], entries)

        def among(number: int) -> Array:
            index = jnp.flatnonzero(likely, size=number, fill_value=0)
            chances = responsibility[:, index] * (jnp.arange(number) < jnp.sum(likely))
            return moments(chances, shift[:, index], self.covariance[..., index], self.entries[index])

        def among_all() -> Array:
            return moments(responsibility, shift, self.covariance, self.entries)

        too_few = jnp.sum(jnp.sum(likely) > jnp.asarray(few, dtype=int))
        phi = jax.lax.switch(too_few, [*(partial(among, number) for number in few), among_all])
        errors = self.scales.errors(phi)
        if "mmse" in wanted:
            found["mmse"] = errors["mmse"] - self.mmse
        if "gram" in wanted:
            found["gram"] = errors["gram"] - self.gram
        return found


def _second_moments(
    responsibility: Float[Array, "draws components"],
    shift: Float[Array, "u components"],
    moved: Float[Array, "pairs u components"],
    entries: Float[Array, "components entries"],
) -> Float[Array, "draws u u"]:
    """Posterior covariances: the average of those given the component, and the spread of the means."""
    size = len(shift)
    root = jnp.sqrt(responsibility + TINY)
    means = root[:, None] * jnp.concatenate([moved - shift, -moved - shift])
    first = jnp.einsum("nj,ndj->nd", root, means)
    i, j = np.triu_indices(size)
    place = np.zeros((size, size), dtype=int)
    place[i, j] = place[j, i] = np.arange(len(i))
    within = (responsibility @ entries)[:, place.ravel()].reshape(-1, size, size)
    return within + jnp.einsum("ndj,nej->nde", means, means) - first[:, :, None] * first[:, None]


def _basis(rows: Float[np.ndarray, "rows size"]) -> Float[np.ndarray, "size rank"]:
    """Orthonormal columns that span the rows, beginning with the first of them."""
    basis = np.linalg.qr(rows.T)[0]
    rank = np.linalg.matrix_rank(rows)
    if rank < basis.shape[1]:
        basis = np.linalg.svd(rows)[2][:rank].T
    return basis


def _pairs(size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All pairs of indices, shift by shift, and how many entries of a symmetric matrix each stands for."""
    shifts = np.arange(size // 2 + 1)
    first = np.tile(np.arange(size), len(shifts))
    second = (np.arange(size) + shifts[:, None]).ravel() % size
    count = np.where(shifts == 0, 1.0, np.where(2 * shifts == size, 1.0, 2.0))
    return first, second, np.repeat(count, size)


def _products(rows: Float[Array, "rows size"]) -> Float[Array, "rows pairs"]:
    """Products of all pairs of columns in the order of `_pairs`, by shifts, which are faster than indexing."""
    shifts = range(rows.shape[1] // 2 + 1)
    return jnp.concatenate([rows * jnp.roll(rows, -shift, axis=1) for shift in shifts], axis=1)


def _responsibilities(
    logits: Float[Array, "draws components"],
) -> tuple[Float[Array, "draws components"], Float[Array, " draws"]]:
    """Probabilities of the components and their entropy in nats."""
    shifted = logits - jax.lax.stop_gradient(jnp.max(logits, axis=1, keepdims=True))
    odds = jnp.exp(shifted)
    total = jnp.sum(odds, axis=1)
    entropy = jnp.log(total) - jnp.einsum("nj,nj->n", odds, shifted) / total
    return odds / total[:, None], entropy


def _allocation(weights: Float[np.ndarray, " components"], pairs: int) -> Int[np.ndarray, " components"]:
    """Pairs for each component, in proportion to the weights, at least one each."""
    counts = np.maximum(1, np.floor(weights * pairs).astype(int))
    while counts.sum() != pairs:
        behind = weights * pairs - counts
        if counts.sum() < pairs:
            short = pairs - counts.sum()
            counts[np.argsort(-behind)[:short]] += 1
        else:
            counts[np.where(counts > 1, behind, np.inf).argmin()] -= 1
    return counts


def _by_component(
    component: Int[np.ndarray, " pairs"], components: int, most: int
) -> tuple[int, Int[np.ndarray, " places"]]:
    """The size of chunks that have one component each, and the pairs in their order, with -1 for a place left empty."""
    groups = [np.flatnonzero(component == j) for j in range(components)]
    counts = np.array([len(group) for group in groups])
    sizes = np.arange(1, min(most, counts.max()) + 1)
    work = [np.sum(-(-counts // size)) * (size + CHUNK_WORK) for size in sizes]
    chunk = int(sizes[np.argmin(work)])
    order = [np.append(group, np.full(-len(group) % chunk, -1)) for group in groups]
    return chunk, np.concatenate(order)
