"""Error surfaces as interactive pictures: one file, offline, usable by pointer, touch and keyboard.

A reader chooses a representation and a quantity, reads values off, switches paths on and off, and steps along a path
with its noise levels and images beside the surface.
"""

from experiments.explorer.markup import explorer
from experiments.explorer.views import Quantity, Route, Strip, View

__all__ = ["Quantity", "Route", "Strip", "View", "explorer"]
