"""A finished derivation, and the four ways to print it."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from html import escape
from pathlib import Path
from typing import Any, ClassVar

from tinygraph.analysis import Graph
from tinygraph.ask.derive.lecture import WORDS
from tinygraph.ask.derive.steps import Line, Step, Writer
from tinygraph.ask.derive.tex import escaped, mathml, parse, plain
from tinygraph.ask.report import Report, asked
from tinygraph.core.arguments import Handle
from tinygraph.core.errors import ArgumentError, GradientError
from tinygraph.core.files import write_whole
from tinygraph.core.messages import here

STYLE = ("body{font:1rem/1.6 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;"
         "color-scheme:light dark}math{font-size:1.15em}.shapes,.where{opacity:.7}"
         ".line{margin:.5rem 0 .5rem 1.5rem;display:flex;gap:1.5rem;flex-wrap:wrap;align-items:center;overflow-x:auto}")


@dataclass(frozen=True)
class Derivation(Report):
    """The gradients of one loss, derived. Printing shows it as text, a notebook as HTML.

    Attributes:
        graph: Whose gradients they are.
        result: What is differentiated, in TeX.
        samples: The number of samples N, 0 where there is no batch.
        forward: What each op computes.
        steps: What each node's backward pass does, from the loss to the leaves.
        language: "en" or "ja".
    """

    graph: Graph
    result: str
    samples: int
    forward: tuple[Line, ...]
    steps: tuple[Step, ...]
    language: str

    measure: ClassVar[str] = "node"

    @property
    def by_node(self) -> dict[int, str]:
        """What each node is called in the derivation."""
        return {step.node: step.title for step in self.steps}

    @property
    def notes(self) -> dict[int, str]:
        """The gradients that each node hands on."""
        return {step.node: "; ".join(plain(parse(line.tex)) for line in step.lines) for step in self.steps}

    @property
    def _words(self) -> dict[str, str]:
        return WORDS[self.language]

    @property
    def _start(self) -> Line:
        return Line(rf"\frac{{\partial {self.result}}}{{\partial {self.result}}} = 1")

    @property
    def _title(self) -> str:
        return self._words["title"].format(L=plain(parse(self.result)))

    @property
    def _batch(self) -> str:
        return self._words["batch"].format(n=f"{self.samples:,}") if self.samples else ""

    def __str__(self) -> str:
        lines = [self._title, *([self._batch] if self.samples else []), "", self._words["forward"]]
        lines += [f"  {_text(line)}" for line in self.forward]
        lines += ["", self._words["backward"], f"  {_text(self._start)}    ({self._words['start']})"]
        for number, step in enumerate(self.steps, 1):
            where = f" ({_place(step)})" if step.location else ""
            lines += ["", f"{number}. {step.title}{where}", f"   {step.sentence}"]
            lines += [f"   {plain(parse(tex))}    ({self._words['chain']})" for tex in step.chain]
            lines += [f"   {_text(line)}" for line in step.lines]
        return "\n".join(lines)

    @property
    def latex(self) -> str:
        """Sections and equations for a LaTeX document with amsmath (and CJK fonts for Japanese)."""
        words = self._words
        lines = [r"% a part of a document that has \usepackage{amsmath}",
                 rf"\section*{{{_latex_words(self._title)}}}", _latex_words(self._batch), "",
                 rf"\subsection*{{{words['forward']}}}", *_align(self.forward),
                 rf"\subsection*{{{words['backward']}}}", _latex_words(words["start"]) + ":", *_align((self._start,))]
        for number, step in enumerate(self.steps, 1):
            lines += [rf"\paragraph{{{number}. {_latex_words(step.title)}}} {_latex_words(step.sentence)}",
                      *_align((*(Line(tex) for tex in step.chain), *step.lines))]
        return "\n".join(line for line in lines if line) + "\n"

    @property
    def markdown(self) -> str:
        """Markdown with the formulas between dollars, as GitHub, Jupyter and MyST show them."""
        words = self._words
        lines = [f"# {_markdown_words(self._title)}", self._batch, f"## {words['forward']}",
                 *map(_display, self.forward), f"## {words['backward']}", f"{words['start']}:", _display(self._start)]
        for number, step in enumerate(self.steps, 1):
            where = f" `{_place(step)}`" if step.location else ""
            lines += [f"### {number}. {_markdown_words(step.title)}{where}", _markdown_words(step.sentence)]
            lines += [_display(Line(tex)) for tex in step.chain] + [_display(line) for line in step.lines]
        return "\n\n".join(line for line in lines if line) + "\n"

    @property
    def html(self) -> str:
        """A section of HTML whose formulas are MathML: no script, no network; every word of a user's is escaped."""
        words = self._words
        lines = [f'<section class="derivation" lang="{self.language}">', f"<h1>{escape(self._title)}</h1>",
                 f"<p>{escape(self._batch)}</p>" if self.samples else "", f"<h2>{words['forward']}</h2>",
                 *map(_row, self.forward), f"<h2>{words['backward']}</h2>", f"<p>{words['start']}:</p>",
                 _row(self._start)]
        for number, step in enumerate(self.steps, 1):
            where = f' <small class="where">{escape(_place(step))}</small>' if step.location else ""
            lines += [f"<h3>{number}. {escape(step.title)}{where}</h3>", f"<p>{escape(step.sentence)}</p>"]
            lines += [_row(Line(tex)) for tex in step.chain] + [_row(line) for line in step.lines]
        return "\n".join(line for line in [*lines, "</section>"] if line) + "\n"

    def _repr_html_(self) -> str:
        return self.html

    def as_dict(self) -> dict[str, Any]:
        """Everything as plain data, the formulas in TeX."""
        return {"result": self.result, "samples": self.samples, "language": self.language,
                "forward": [asdict(line) for line in self.forward],
                "steps": [{**asdict(step), "chain": list(step.chain), "lines": [asdict(line) for line in step.lines],
                           "location": _place(step)} for step in self.steps]}

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write it as the ending says: .tex, .md, .html (a page of its own) or .txt; the folder is made.

        Raises ArgumentError for another ending.

        >>> import pathlib, tempfile
        >>> import tinygraph as tg
        >>> x = tg.tensor(3.0, requires_grad=True, name="x")
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = pathlib.Path(folder, "square.md")
        ...     tg.derive(x * x).save(path)
        ...     print(path.read_text(encoding="utf-8").splitlines()[0])
        # The gradients of L
        """
        target = Path(path)
        page = (f'<!DOCTYPE html>\n<html lang="{self.language}"><head><meta charset="utf-8">'
                f'<meta name="viewport" content="width=device-width"><title>{escape(self._title)}</title>'
                f"<style>{STYLE}</style></head><body>\n{self.html}</body></html>\n")
        forms = {".tex": self.latex, ".md": self.markdown, ".html": page, ".txt": f"{self}\n"}
        if target.suffix.lower() not in forms:
            raise ArgumentError(f"derive: {target.name!r} should end in .tex, .md, .html or .txt{here()}")
        write_whole(target, forms[target.suffix.lower()].encode())


def derive(loss: Handle | Graph, numbers: bool = False, language: str = "en") -> Derivation:
    """Derive the gradients of a loss by hand, as the lecture does: node by node from the loss back to the weights.

    Each step has the chain rule, the op's local formula, from its card, and the shapes that must fit.

    Args:
        loss: The loss, a single number; or its graph.
        numbers: Whether to write this run's numbers beside each line.
        language: "en" for English, "ja" for Japanese.

    Raises GradientError where the loss is no single number or nothing requires a gradient; ArgumentError for another
    language.

    >>> import numpy as np, tinygraph as tg
    >>> X = tg.tensor(np.ones((4, 2)), name="X")
    >>> W = tg.tensor(np.ones((2, 3)), requires_grad=True, name="W")
    >>> print(tg.derive((X @ W).sum()))  # doctest: +ELLIPSIS
    The gradients of L
    N = 4 is the number of samples.
    ...
       ∂L/∂W = Xᵀ · ∂L/∂A    : (2, 3) = (2, N) · (N, 3)
    """
    if language not in WORDS:
        raise ArgumentError(f"derive: language={language!r}; it is one of {', '.join(WORDS)}{here()}")
    found = asked("derive", loss)
    if len(found.roots) == 1 and found.roots[0].value.size != 1:
        raise GradientError(f"derive: a tensor of shape {found.roots[0].value.shape} has no single derivative; reduce "
                            f"it to one number (t.sum(), t.mean()){here()}")
    writer = Writer(found, numbers, language)
    return Derivation(found, writer.result, writer.names.n, tuple(writer.forward()), tuple(writer.backward()), language)


def _place(step: Step) -> str:
    return f"{os.path.basename(step.location[0])}:{step.location[1]}" if step.location else ""


def _text(line: Line) -> str:
    parts = [plain(parse(line.tex))]
    parts += [f": {plain(parse(line.shapes))}"] if line.shapes else []
    parts += [f"= {plain(parse(line.amount))}"] if line.amount else []
    return "    ".join(parts)


def _whole(line: Line) -> str:
    return (line.tex + (rf" \quad : {line.shapes}" if line.shapes else "")
            + (rf" \quad = {line.amount}" if line.amount else ""))


def _display(line: Line) -> str:
    return f"$$\n{_whole(line)}\n$$"


def _align(lines: tuple[Line, ...]) -> list[str]:
    rows = [line.tex.replace(" = ", " &= ", 1) + (f" && {line.shapes}" if line.shapes or line.amount else "")
            + (f" && = {line.amount}" if line.amount else "") for line in lines]
    return [r"\begin{align*}", " \\\\\n".join(rows), r"\end{align*}"] if rows else []


def _row(line: Line) -> str:
    cells = [f'<math display="block">{mathml(parse(line.tex))}</math>']
    if line.shapes:
        cells.append(f'<math class="shapes">{mathml(parse(line.shapes))}</math>')
    if line.amount:
        cells.append(f'<math class="amount">{mathml(parse("= " + line.amount))}</math>')
    return f'<div class="line">{"".join(cells)}</div>'


def _latex_words(text: str) -> str:
    """Words in LaTeX's text, its own characters escaped."""
    return escaped(text).replace("\\ ", " ")


def _markdown_words(text: str) -> str:
    return "".join(f"\\{c}" if c in "\\`*_{}[]<>#$|" else c for c in text)
