"""The findings ledger: what LIFT and SLOT published, each with the small experiment that rules on it."""

from __future__ import annotations

from experiments.overcomplete_vs_orthogonal.ledger import (
    baseline,
    gamma,
    guidance,
    lead_scan,
    spacing,
    stability,
)
from experiments.overcomplete_vs_orthogonal.ledger.finding import Finding

FINDINGS: tuple[Finding, ...] = (spacing, baseline, guidance, stability, lead_scan, gamma)
"""In the order of the ledger."""
