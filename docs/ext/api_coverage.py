"""Fail the build when a public name is missing from the API pages or has no docstring."""

import inspect
from importlib import import_module
from types import ModuleType

from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.errors import ExtensionError

MODULES = (
    "lift_theory",
    "lift_train",
    "lift_train.adapters",
    "lift_train.data",
    "lift_train.features",
    "lift_train.measure",
    "lift_train.metrics",
    "lift_train.networks",
)


def public_names(module: ModuleType) -> list[str]:
    """What a module offers: `__all__`, or the functions and classes it defines where it has none."""
    if hasattr(module, "__all__"):
        return [name for name in module.__all__ if not name.startswith("_")]
    own = (
        name for name, value in vars(module).items() if getattr(value, "__module__", "") == module.__name__
    )
    return [name for name in own if not name.startswith("_")]


def undocumented(module: str, documented: set[str]) -> list[str]:
    """Complaints about the public names of a module, given the names that have an entry on some page."""
    complaints = []
    for name in public_names(import_module(module)):
        value = getattr(import_module(module), name)
        if inspect.ismodule(value):
            continue
        if f"{module}.{name}" not in documented:
            complaints.append(f"{module}.{name} is public but on no API page")
        if callable(value) and not (value.__doc__ or "").strip():
            complaints.append(f"{module}.{name} has no docstring")
        if not inspect.isclass(value):
            continue
        for member, function in vars(value).items():
            public = not member.startswith("_") and (callable(function) or isinstance(function, property))
            if public and not (inspect.getdoc(getattr(value, member)) or "").strip():
                complaints.append(f"{module}.{name}.{member} has no docstring")
    return complaints


def check(app: Sphinx, env: BuildEnvironment) -> None:
    """Raise with all complaints at once."""
    documented = set(env.domains["py"].data["objects"])
    complaints = [line for module in MODULES for line in undocumented(module, documented)]
    if complaints:
        raise ExtensionError("the API reference is incomplete:\n  " + "\n  ".join(complaints))


def setup(app: Sphinx) -> dict[str, bool]:
    """Run the check once all pages have been read."""
    app.connect("env-check-consistency", check)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
