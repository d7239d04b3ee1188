"""Trajectories of a sampler with a wrong denoiser, by dense covariances and by densities on a grid."""

import functools
from itertools import pairwise

import numpy as np
import pytest
import tolerances
from independent import agree

from lift_theory.theorems._theorem import Statement
from lift_theory.theorems.model_error_split import theorem

COVARIANCE = np.array([[1.0, 0.4], [0.4, 0.6]])
OPERATORS = np.array([[1.0, 0.0], [0.3, 0.8]])  # two scales of one coefficient each
FIRST, LAST = np.array([0.2, 0.5]), np.array([6.0, 3.0])
WRONG, BIAS = np.array([[0.85, 0.1], [-0.05, 0.9]]), np.array([0.05, -0.1])


def curve(steps: int) -> np.ndarray:
    """Points of a bent monotone curve between the two ends."""
    u = np.linspace(0, 1, steps + 1)[:, None]
    return FIRST + (LAST - FIRST) * np.concatenate([u, u**2], axis=1)


def clean() -> np.ndarray:
    return OPERATORS @ COVARIANCE @ OPERATORS.T


def posterior_gain(snr: np.ndarray) -> np.ndarray:
    return clean() @ np.linalg.inv(clean() + np.diag(1 / snr))


def denoiser(snr: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A linear denoiser that errs in slope and mean, differently at every noise level."""
    return WRONG @ posterior_gain(snr), BIAS / (1 + snr)


def squared_error(gain: np.ndarray, bias: np.ndarray, snr: np.ndarray) -> np.ndarray:
    rest = np.eye(2) - gain
    return np.diag(rest @ clean() @ rest.T + gain @ np.diag(1 / snr) @ gain.T) + bias**2


def normal_kl(mean: np.ndarray, true: np.ndarray, wrong: np.ndarray) -> float:
    """Divergence of N(0, true) from N(mean, wrong)."""
    inverse = np.linalg.inv(wrong)
    logs = np.linalg.slogdet(wrong)[1] - np.linalg.slogdet(true)[1]
    return float(0.5 * (np.trace(inverse @ true) - len(true) + logs + mean @ inverse @ mean))


@functools.cache
def trajectory(steps: int, far: bool = False) -> dict:
    """Divergence of paths and of outputs, from the joint covariance of all states; and what the losses are."""
    points = curve(steps)
    if far:
        points = np.array([[1e-9, 1e-9], [1.5, 0.7]])
    size = len(points)
    # two states share the noise of the cleaner one
    noise = [[np.diag(1 / points[max(i, j)]) for j in range(size)] for i in range(size)]
    true = np.block([[clean() + noise[i][j] for j in range(size)] for i in range(size)])
    start = np.zeros(2), clean() + np.diag(1 / points[0])
    if not far:
        start = np.array([0.2, 0.1]), 1.1 * np.diag(1 / points[0]) + 0.9 * clean()
    mean, joint = start
    losses, least = [], []
    for now, after in pairwise(points):
        keep = np.diag(now / after)
        gain, bias = denoiser(now)
        move = keep + (np.eye(2) - keep) @ gain
        tail = np.concatenate([np.zeros((2, len(mean) - 2)), move], axis=1)
        spread = np.diag((1 - now / after) / after)
        joint = np.block([[joint, joint @ tail.T], [tail @ joint, tail @ joint @ tail.T + spread]])
        mean = np.concatenate([mean, tail @ mean + (np.eye(2) - keep) @ bias])
        losses.append(squared_error(gain, bias, now))
        least.append(squared_error(posterior_gain(now), np.zeros(2), now))
    information = [np.linalg.slogdet(np.eye(2) + clean() @ np.diag(g))[1] / 2 for g in points]
    return {
        "paths": normal_kl(mean, true, joint),
        "output": normal_kl(mean[-2:], true[-2:, -2:], joint[-2:, -2:]),
        "start": normal_kl(start[0], true[:2, :2], start[1]) if not far else 0.0,
        "increment": np.diff(points, axis=0).ravel(),
        "loss": np.array(losses).ravel(),
        "least": np.array(least).ravel(),
        "gain": information[-1] - information[0],
    }


@functools.cache
def exact_paths(steps: int) -> float:
    """Divergence of paths with the exact denoiser and the exact start, transition by transition."""
    total, points = 0.0, curve(steps)
    for now, after in pairwise(points):
        start, end = clean() + np.diag(1 / now), clean() + np.diag(1 / after)
        regression = end @ np.linalg.inv(start)
        spread = end - regression @ end
        keep = np.diag(now / after)
        miss = keep + (np.eye(2) - keep) @ posterior_gain(now) - regression
        sampled = np.diag((1 - now / after) / after)
        total += normal_kl(np.zeros(2), spread, sampled)
        total += 0.5 * np.trace(np.linalg.inv(sampled) @ miss @ start @ miss.T)
    return total


@functools.cache
def integrals() -> tuple[float, float]:
    """Losses and excess losses along the curve."""
    points = curve(4000)
    gains = [denoiser(g) for g in points]
    losses = np.array([squared_error(*d, g) for d, g in zip(gains, points, strict=True)])
    least = np.array([squared_error(posterior_gain(g), np.zeros(2), g) for g in points])

    def along(values: np.ndarray) -> float:
        return float(((values[1:] + values[:-1]) / 2 * np.diff(points, axis=0)).sum())

    return along(losses), along(losses - least)


@functools.cache
def endless() -> float:
    """The limit of many steps, by Richardson's rule from three step counts."""
    totals = [trajectory(n)["paths"] for n in (20, 40, 80)]
    once = [2 * fine - coarse for coarse, fine in pairwise(totals)]
    return (4 * once[1] - once[0]) / 3


POINTS, CHANCES = np.array([1.0, -0.4, 0.3]), np.array([0.5, 0.3, 0.2])
LEVELS = np.array([0.5, 1.2, 2.5])


def guess(level: int, z: np.ndarray) -> np.ndarray:
    return 0.6 * np.tanh((1 + level) * z) + 0.1


@functools.cache
def three_points() -> dict:
    """A law on three points, a denoiser that is no posterior mean, and all integrals as sums over a grid."""
    grids = [np.linspace(-w, w, 161) for w in (10.0, 7.5, 5.5)]
    cell = np.prod([g[1] - g[0] for g in grids])

    def bell(x: np.ndarray, mean: np.ndarray, variance: float) -> np.ndarray:
        return np.exp(-((x - mean) ** 2) / (2 * variance)) / np.sqrt(2 * np.pi * variance)

    first, second, third = (
        g.reshape(shape) for g, shape in zip(grids, ((-1, 1, 1), (-1, 1), (-1,)), strict=True)
    )
    noise = 1 / LEVELS
    noising = bell(first, second, noise[0] - noise[1]) * bell(second, third, noise[1] - noise[2])
    true = noising * sum(p * bell(third, x, noise[2]) for p, x in zip(CHANCES, POINTS, strict=True))
    sampled = sum(p * bell(first, x, noise[0]) for p, x in zip(CHANCES, POINTS, strict=True))
    for i, (now, after) in enumerate(((first, second), (second, third))):
        keep = noise[i + 1] / noise[i]
        mean = keep * now + (1 - keep) * guess(i, now)
        sampled = sampled * bell(after, mean, noise[i + 1] * (1 - keep))
    loss, least, away, information = [], [], [], []
    for i, z in enumerate(grids):
        parts = np.array([p * bell(z, x, noise[i]) for p, x in zip(CHANCES, POINTS, strict=True)])
        density, width = parts.sum(0), z[1] - z[0]
        posterior = parts / density
        mean = POINTS @ posterior
        loss.append((parts * (guess(i, z) - POINTS[:, None]) ** 2).sum() * width)
        least.append((parts * (mean - POINTS[:, None]) ** 2).sum() * width)
        away.append((density * (guess(i, z) - mean) ** 2).sum() * width)
        information.append((parts * np.log(posterior / CHANCES[:, None])).sum() * width)
    return {
        "paths": float((true * np.log(true / sampled)).sum() * cell),
        "loss": np.array(loss),
        "least": np.array(least),
        "away": np.array(away),
        "gain": information[-1] - information[0],
    }


def check(statement: Statement) -> None:
    """Compare with joint laws of all states: Gaussian ones by determinants, one on three points on a grid."""
    law = three_points()
    for least, away, loss in zip(law["least"], law["away"], law["loss"], strict=True):
        agree(statement.value("projection", least=least, away=away), loss, tolerances.QUADRATURE)
    moves = {"increment": np.diff(LEVELS), "loss": law["loss"][:-1]}
    value = statement.value("path", **moves, gain=law["gain"], start=0.0)
    agree(value, law["paths"], tolerances.QUADRATURE)
    for steps in (1, 3):
        seen = trajectory(steps)
        moves = {"increment": seen["increment"], "loss": seen["loss"]}
        ends = {"gain": seen["gain"], "start": seen["start"]}
        agree(statement.value("path", **moves, **ends), seen["paths"], tolerances.CANCELLATION)
        split = statement.value(
            "split",
            increment=seen["increment"],
            distance=seen["loss"] - seen["least"],
            exact=exact_paths(steps),
            start=seen["start"],
        )
        agree(split, seen["paths"], tolerances.CANCELLATION)
        swept, excess = integrals()
        measurable = statement.value("measurable", **moves, start=seen["start"], swept=swept, excess=excess)
        agree(measurable, seen["paths"], tolerances.SECOND_DIFFERENCE)  # the trapezoid rule in the integrals
        assert seen["output"] <= statement.value("samples", **moves, **ends)
    remainder = statement.value("remainder", start=trajectory(1)["start"], excess=integrals()[1])
    agree(remainder, endless(), tolerances.LIMIT)
    noise = trajectory(1, far=True)
    bound = statement.value(
        "samples", increment=noise["increment"], loss=noise["loss"], gain=noise["gain"], start=0.3
    )
    agree(bound, noise["output"] + 0.3, tolerances.CONDITIONED)


def test_measured_losses_rank_paths_between_the_same_ends() -> None:
    straight = FIRST + (LAST - FIRST) * np.linspace(0, 1, 4)[:, None]
    bent = curve(3)

    def weighted(points: np.ndarray) -> float:
        losses = [squared_error(*denoiser(g), g) for g in points[:-1]]
        return float((np.diff(points, axis=0) * losses).sum() / 2)

    seen = trajectory(3)
    value = theorem.statement.value(
        "path", increment=seen["increment"], loss=seen["loss"], gain=seen["gain"], start=seen["start"]
    )
    assert value - weighted(bent) == pytest.approx(seen["start"] - seen["gain"], abs=1e-12)
    assert weighted(straight) != pytest.approx(weighted(bent), rel=1e-2)


def test_more_steps_do_not_remove_the_excess() -> None:
    floor = theorem.statement.value("remainder", start=trajectory(1)["start"], excess=integrals()[1])
    totals = [trajectory(n)["paths"] for n in (1, 10, 80)]
    assert totals[0] > totals[1] > totals[2] > floor > 0
