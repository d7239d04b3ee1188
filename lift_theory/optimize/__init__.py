"""Best paths through the noise levels of several scales, and proofs of how good they are."""

from lift_theory.optimize.certificates import Certificate, cell_certificate
from lift_theory.optimize.compute import ComputePath, break_even_price, compute_aware_path
from lift_theory.optimize.flow import FlowSolution, flow_program
from lift_theory.optimize.geodesics import GeodesicCurve, gaussian_curvature, geodesic_curve
from lift_theory.optimize.lattice import LatticeSolution, lattice_program, table_program
from lift_theory.optimize.objectives import Objective, PathKL
from lift_theory.optimize.published import PublishedCost, published_axes
from lift_theory.optimize.refine import Refinement, refine
from lift_theory.optimize.search import Attempt, OptimizedPath, optimal_path
from lift_theory.optimize.tubes import tube_certificate

__all__ = [
    "Attempt",
    "Certificate",
    "ComputePath",
    "FlowSolution",
    "GeodesicCurve",
    "LatticeSolution",
    "Objective",
    "OptimizedPath",
    "PathKL",
    "PublishedCost",
    "Refinement",
    "break_even_price",
    "cell_certificate",
    "compute_aware_path",
    "flow_program",
    "gaussian_curvature",
    "geodesic_curve",
    "lattice_program",
    "optimal_path",
    "published_axes",
    "refine",
    "table_program",
    "tube_certificate",
]
