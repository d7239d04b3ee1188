"""The directive `claim`: a theorem quoted in the narrative, typeset from its own file.

    ```{claim} i_mmse_gradient
    ```

shows the first sentence of the theorem, its formulas and a link to its page. `:only: name, name` chooses
among the claims of its statement. Formulas are never typed into the chapters, so they cannot drift from what
is checked.
"""

from importlib import import_module
from typing import ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective


class Claim(SphinxDirective):
    """Quote a theorem."""

    required_arguments = 1
    option_spec: ClassVar = {"only": directives.unchanged}

    def run(self) -> list[nodes.Node]:
        """Write the quotation as MyST and parse it where it stands."""
        name = self.arguments[0]
        try:
            module = import_module(f"lift_theory.theorems.{name}")
        except ModuleNotFoundError as error:
            raise self.error(f"no theorem is called {name!r}") from error
        self.env.note_dependency(module.__file__)
        statement = module.theorem.statement
        wanted = [word.strip() for word in self.options.get("only", "").split(",") if word.strip()]
        unknown = set(wanted) - {claim.name for claim in statement.claims}
        if unknown:
            raise self.error(f"{name!r} makes no claim called {', '.join(sorted(unknown))}")
        lines = [f":::{{admonition}} {module.theorem.words.splitlines()[0]}", ":class: claim", ""]
        for claim in statement.claims:
            if not wanted or claim.name in wanted:
                lines += ["$$", statement.latex(claim.name), "$$", ""]
        lines += [f"{{doc}}`Statement and checked proof </theorems/generated/{name}>`"]
        lines += [":::"]
        self.content = StringList(lines, source=module.__file__)
        return self.parse_content_to_nodes()


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive."""
    app.add_directive("claim", Claim)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
