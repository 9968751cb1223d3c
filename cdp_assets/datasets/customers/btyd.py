"""Who is still a customer, how often they will buy and for how much: BG/NBD and Gamma-Gamma by maximum likelihood.

Belongs here: the models as functions of numpy arrays. Sources: Fader, Hardie and Lee, "Counting your customers the easy
way" (2005); Batislam, Denizel and Filiztekin, "Empirical validation and comparison of models for customer base
analysis" (2007); Fader and Hardie, "The Gamma-Gamma model of monetary value" (2013). Does not belong here: which
purchases count (`clv`).

As in the papers: x repeat purchases, t_x days from the first to the last one, t (their T) days from the first to today.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit, gammaln, hyp2f1, psi
from threadpoolctl import threadpool_limits

Vector = NDArray[np.float64]
Cost = Callable[[Vector], tuple[float, Vector]]

LOG_BOUNDS = (-7.0, 9.0)
"""Of the logarithm of a parameter, 0.001 to 8,000: where nobody leaves, likelihood rises without end."""

EDGE = 0.01
"""Of the logarithm: a parameter so near to a bound was not found, but stopped there."""

STARTS = ((1.0, 1.0, 1.0, 2.0), (0.5, 0.5, 0.5, 0.5), (2.0, 0.25, 0.2, 0.8), (0.3, 0.1, 2.0, 8.0))
"""r, alpha as a share of the mean t, a, b from which the search begins. From one alone it may end on a ridge, where a
and b grow together and everybody is as alive as everybody else; chances to leave that differ have both below 1."""

MAX_SEARCHED = 5_000
"""Histories that are searched from every start: 0.3 s, where 150,000 take 5 s."""

SINGULAR = 1e-6
"""Distance kept from a = 1, where the expectation is 0 / 0; at this distance it is off by 2e-5 of its value at most."""

SMALLEST = 1e-12
"""In place of b - 1 + chances <= 0, which only customers without a chance to leave have: theirs is not looked at."""


class NotFitted(Exception):
    """The purchases do not tell the parameters."""


@dataclass(frozen=True, slots=True)
class BgNbd:
    """Rates of purchase are Gamma(r, alpha) among customers, per day; chances to leave after a purchase Beta(a, b).

    Attributes:
        after_first: customers may leave right after their first purchase, too (MBG/NBD). Plain BG/NBD lets them leave
            after repeat purchases only, and so takes whoever bought once for alive for ever.
    """

    r: float
    alpha: float
    a: float
    b: float
    after_first: bool = False

    @property
    def on_bounds(self) -> dict[str, float]:
        """Parameters that the search did not find but left at a bound: the purchases do not tell them."""
        low, high = LOG_BOUNDS
        told = {"r": self.r, "alpha": self.alpha, "a": self.a, "b": self.b}
        return {name: value for name, value in told.items() if not low + EDGE < np.log(value) < high - EDGE}

    @property
    def name(self) -> str:
        """Of the model."""
        return "mbg-nbd" if self.after_first else "bg-nbd"

    def p_alive(self, x: Vector, t_x: Vector, t: Vector) -> Vector:
        """Probability that the customer has not left for good."""
        chances = x + self.after_first
        left = np.log(self.a / np.maximum(self.b + chances - 1, SMALLEST))
        left += (self.r + x) * np.log((self.alpha + t) / (self.alpha + t_x))
        found: Vector = expit(-np.where(chances > 0, left, -np.inf))
        return found

    def expected(self, days: float, x: Vector, t_x: Vector, t: Vector) -> Vector:
        """Purchases to come within so many days, given the history: equation 10 of Fader, Hardie and Lee.

        Not a number where r + x is so large (some 1,000 a day) that the hypergeometric function is no double.
        """
        a = self.a
        if abs(a - 1) < SINGULAR:
            a = 1 + (SINGULAR if a >= 1 else -SINGULAR)
        b = self.b + x + self.after_first
        later = self.alpha + t + days
        none = np.exp((self.r + x) * np.log((self.alpha + t) / later))
        with np.errstate(invalid="ignore"):
            none *= hyp2f1(self.r + x, b, a + b - 1, days / later)
        found = (a + b - 1) / (a - 1) * (1 - none) * self.p_alive(x, t_x, t)
        # the difference of two close numbers may come out a hair below zero
        expected: Vector = np.maximum(found, 0.0)
        return expected


@dataclass(frozen=True, slots=True)
class GammaGamma:
    """Values of a customer's purchases are Gamma(p, nu), and nu is Gamma(q, gamma) among customers."""

    p: float
    q: float
    gamma: float

    def expected(self, purchases: Vector, mean: Vector) -> Vector:
        """Value of a purchase to come, given how many were seen and their mean; without any, that of all customers."""
        found: Vector = self.p * (self.gamma + purchases * mean) / (self.p * purchases + self.q - 1)
        return found


def fit_bg_nbd(x: Vector, t_x: Vector, t: Vector, weights: Vector) -> BgNbd:
    """The likelier of BG/NBD and MBG/NBD, which have as many parameters; `weights` customers have each history.

    Many histories are searched from all of `STARTS` in a sample (every n-th as they come), and all of them from what is
    found there and from the first.

    Raises:
        NotFitted: nobody has bought twice, or the search does not end.
    """
    if not weights @ x:
        raise NotFitted("nobody has bought on a second day")
    days = max(float(weights @ t) / weights.sum(), 1.0)
    starts = [np.log([r, share * days, a, b]) for r, share, a, b in STARTS]
    step = -(-len(x) // MAX_SEARCHED)
    found = {}
    for after_first in (False, True):
        best = _least(_cost_of(x[::step], t_x[::step], t[::step], weights[::step], after_first), starts)
        if step > 1:
            best = _least(_cost_of(x, t_x, t, weights, after_first), [best[0], starts[0]])
        found[after_first] = best
    likelier = min(found, key=lambda after_first: found[after_first][1])
    r, alpha, a, b = np.exp(found[likelier][0]).tolist()
    return BgNbd(r, alpha, a, b, likelier)


def _cost_of(x: Vector, t_x: Vector, t: Vector, weights: Vector, after_first: bool) -> Cost:
    """Logarithms of r, alpha, a, b -> negative log-likelihood per customer, and its slopes."""
    total = weights.sum()
    # the costly functions are of x alone, of which there are dozens of values among any number of customers
    counts, place = np.unique(x, return_inverse=True)
    chances, c = x + after_first, counts + after_first
    can_leave = chances > 0

    def cost(logs: Vector) -> tuple[float, Vector]:
        r, alpha, a, b = np.exp(logs)
        log_all, log_bought = np.log(alpha + t), np.log(alpha + t_x)
        before = np.maximum(b + chances - 1, SMALLEST)
        alive = -(r + x) * log_all
        left = np.where(can_leave, np.log(a / before) - (r + x) * log_bought, -np.inf)
        both = np.logaddexp(alive, left)
        share = np.exp(left - both)
        of_x = gammaln(r + counts) - gammaln(r) + r * np.log(alpha)
        of_x += gammaln(a + b) + gammaln(b + c) - gammaln(b) - gammaln(a + b + c)
        of_r = psi(r + counts) - psi(r) + np.log(alpha)
        of_both = psi(a + b) - psi(a + b + c)
        of_b = of_both + psi(b + c) - psi(b)
        slopes = np.stack(
            [
                of_r[place] - (1 - share) * log_all - share * log_bought,
                r / alpha - (r + x) * ((1 - share) / (alpha + t) + share / (alpha + t_x)),
                of_both[place] + share / a,
                of_b[place] - np.where(can_leave, share / before, 0.0),
            ]
        )
        likelihood = of_x[place] + both
        return -float(weights @ likelihood) / total, -(slopes @ weights) * np.exp(logs) / total

    return cost


def fit_gamma_gamma(purchases: Vector, mean: Vector) -> GammaGamma:
    """Parameters under which the mean values are most likely; of customers with at least one purchase, each above 0.

    q stays above 1, where the mean of all customers is finite. Values are divided by their mean meanwhile: a scale of
    millions (VND) would leave gamma outside its bounds.

    Raises:
        NotFitted: the search does not end.
    """
    scale = float(mean.mean())
    value = mean / scale
    lifted = np.array([0.0, 1.0, 0.0])
    counts, place = np.unique(purchases, return_inverse=True)
    paid = np.log(value * purchases)

    def cost(logs: Vector) -> tuple[float, Vector]:
        p, q, gamma = np.exp(logs) + lifted
        n, of_n = p * purchases, p * counts
        seen = np.log(gamma + value * purchases)
        of_counts = gammaln(of_n + q) - gammaln(of_n) - gammaln(q) + q * np.log(gamma)
        likelihood = of_counts[place] + n * paid - (n + q) * seen
        of_p, of_q = psi(of_n + q) - psi(of_n), psi(of_n + q) - psi(q) + np.log(gamma)
        slopes = np.stack(
            [
                (of_p[place] + paid - seen) * n,
                (of_q[place] - seen) * (q - 1),
                q - (n + q) * gamma / np.exp(seen),
            ]
        )
        # less log(value), which no parameter moves
        return -float(likelihood.mean()), -slopes.mean(axis=1)

    p, q, gamma = (np.exp(_least(cost, [np.zeros(3)])[0]) + lifted).tolist()
    return GammaGamma(p, q, gamma * scale)


def _least(cost: Cost, starts: Sequence[Vector]) -> tuple[Vector, float]:
    """Logarithms of the parameters of the least cost that is reached from any of the starts, and that cost.

    Raises:
        NotFitted: no search ends.
    """
    # BLAS on one thread: matrices of four parameters gain nothing, waiting threads cost 20 times the search on a busy
    # machine, and sums that depend on the number of cores would give other bytes
    with threadpool_limits(1):
        found = [
            minimize(
                cost,
                start,
                jac=True,
                method="L-BFGS-B",
                bounds=[LOG_BOUNDS] * len(start),
                options={"maxiter": 500},
            )
            for start in starts
        ]
    ended = [each for each in found if np.isfinite(each.fun) and np.isfinite(each.x).all()]
    if not ended:
        raise NotFitted(f"the search for the parameters does not end: {found[0].message}")
    best = min(ended, key=lambda each: float(each.fun))
    return best.x, float(best.fun)
