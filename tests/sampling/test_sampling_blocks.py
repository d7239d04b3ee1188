"""What a block knows of itself, and the slopes of that, against dense matrices of the whole block."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tolerances import DENSE

import lift_theory as lt
from lift_theory.sampling.state import state_of

REPRESENTATIONS = {
    "pyramid": lt.AveragePyramid(),  # written out, with known zeros
    "Haar bands": lt.HaarBands(),  # written out, full
    "three scales": lt.AveragePyramid(3),  # by LAPACK
}


def dense_mean(factors, precision, z):
    gram = jnp.einsum("rib,r,rjb->bij", factors, precision, factors) + jnp.eye(factors.shape[1])
    told = jnp.einsum("rib,r,rqb->biq", factors, precision, z)
    return jnp.moveaxis(jnp.linalg.inv(gram) @ told, 0, -1)


def dense_score(factors, precision, z):
    covariance = jnp.einsum("rib,sib->brs", factors, factors) + jnp.diag(1.0 / precision)
    return -jnp.moveaxis(jnp.linalg.inv(covariance) @ jnp.moveaxis(z, -1, 0), 0, -1)


@pytest.mark.parametrize("asked", ["estimate", "score"])
@pytest.mark.parametrize("name", REPRESENTATIONS)
def test_slopes_of_what_a_block_knows_are_those_of_dense_matrices(name, asked):
    """In the factors, in every log-SNR and in the noisy rows: automatic differentiation of a matrix inverse."""
    model = lt.GaussianModel(lt.Spectrum.power_law((8, 8)), REPRESENTATIONS[name])
    blocks = max(state_of(model).groups, key=lambda group: len(group.factors))
    random = np.random.default_rng(3)
    z = jnp.asarray(random.standard_normal((len(blocks.scales), 2, blocks.factors.shape[2])))
    weights = jnp.asarray(
        random.standard_normal((blocks.factors.shape[1] if asked == "estimate" else len(z), *z.shape[1:]))
    )
    logsnr = jnp.asarray(random.uniform(-2.0, 2.0, len(model.scales)))

    def of_package(blocks, logsnr, z):
        return jnp.sum(weights * getattr(blocks, asked)(z, logsnr))

    def dense(factors, logsnr, z):
        known = {"estimate": dense_mean, "score": dense_score}[asked]
        return jnp.sum(weights * known(factors, jnp.exp(logsnr)[jnp.array(blocks.scales)], z))

    value, (of_blocks, *slopes) = jax.jit(jax.value_and_grad(of_package, argnums=(0, 1, 2)))(
        blocks, logsnr, z
    )
    slope = jax.jit(jax.value_and_grad(dense, argnums=(0, 1, 2)))
    expected, (of_factors, *others) = slope(blocks.factors, logsnr, z)
    assert np.isclose(value, expected, rtol=DENSE)
    for ours, theirs in zip([of_blocks.factors, *slopes], [of_factors, *others], strict=True):
        assert np.allclose(ours, theirs, rtol=DENSE, atol=DENSE * float(jnp.abs(theirs).max()))
