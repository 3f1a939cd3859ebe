"""The habits of the house: where versions and dependencies stand, what no file may name, that the docs' code runs."""

from __future__ import annotations

import ast
import configparser
import doctest
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
EXAMPLES = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE | doctest.REPORT_NDIFF

TARGETS = {"help", "demo", "test", "test-long", "lint", "docs", "bench", "clean"}


def _files() -> list[Path]:
    """What is in the repository or about to be: tracked, or untracked and not ignored."""
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listed = subprocess.run(
        [git, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, check=True, text=True,
    ).stdout.split("\0")
    return [ROOT / name for name in listed if name and (ROOT / name).is_file()]


def _texts() -> list[tuple[Path, str]]:
    texts = []
    for path in _files():
        content = path.read_bytes()
        if b"\0" not in content:
            texts.append((path.relative_to(ROOT), content.decode()))
    return texts


def _settings() -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(ROOT / "setup.cfg", encoding="utf-8")
    return parser


def _requirements() -> set[str]:
    """The distributions that setup.cfg asks for, in the core and in every extra."""
    lists = [_settings()["options"]["install_requires"], *_settings()["options.extras_require"].values()]
    return {re.split(r"[\s\[<>=!~;]", line, maxsplit=1)[0] for lines in lists for line in lines.split("\n") if line}


def _places(pattern: str, texts: list[tuple[Path, str]]) -> list[str]:
    return [
        f"{path}:{text.count(chr(10), 0, match.start()) + 1}: {match.group()}"
        for path, text in texts
        for match in re.finditer(pattern, text)
    ]


def test_no_file_names_a_place_on_one_machine():
    # The patterns are written so that they do not find themselves.
    assert _places(r"(?<![\w.~-])/(work|root|home|Users)\b", _texts()) == []
    outside = [(path, text) for path, text in _texts() if path != Path(".ci/run")]
    assert _places(r"\.\./shared", outside) == []


def test_the_version_stands_in_setup_cfg_alone():
    version = _settings()["metadata"]["version"]
    measured = Path("benchmarks/results")  # of what: that stays as it was
    elsewhere = [(path, text) for path, text in _texts()
                 if path.name not in {"setup.cfg", "CHANGELOG.md"} and measured not in path.parents]
    assert _places(rf"(?<![\w.=]){re.escape(version)}(?![\w.])", elsewhere) == []
    assert importlib.metadata.version("tinygraph") == version


def test_the_changelog_knows_the_version():
    version = _settings()["metadata"]["version"]
    headings = re.findall(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.M)
    assert headings[0] == "Unreleased"
    assert version in headings


def test_dependencies_stand_in_setup_cfg_alone():
    assert "[project]" not in (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert [path for path in _files() if re.fullmatch(r"(requirements.*\.txt|setup\.py|Pipfile)", path.name)] == []


def test_every_import_is_asked_for_in_setup_cfg():
    known = _requirements() | set(sys.stdlib_module_names) | {"tinygraph"}
    strays = []
    for path in sorted((ROOT / "tinygraph").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                names = [node.module]
            else:
                continue
            tops = {name.split(".")[0] for name in names}
            strays += [f"{path.relative_to(ROOT)}:{node.lineno}: {top}" for top in tops - known]
    assert strays == []


def test_the_everyday_extra_holds_every_other_but_the_peers():
    extras = _settings()["options.extras_require"]
    (held,) = re.findall(r"^tinygraph\[(.+)\]$", extras["dev"].strip())
    assert set(held.split(",")) == set(extras) - {"dev", "peers"}


def test_the_package_says_that_it_is_typed():
    assert (ROOT / "tinygraph" / "py.typed").is_file()
    assert "py.typed" in _settings()["options.package_data"]["tinygraph"]


def test_nothing_large_and_no_mnist_in_the_repository():
    files = _files()
    assert [str(path) for path in files if path.stat().st_size > 600_000] == []
    assert [str(path) for path in files if "ubyte" in path.name] == []


def test_make_offers_its_targets():
    make = shutil.which("make")
    if make is None:
        pytest.skip("needs make")
    printed = subprocess.run([make, "-s", "help"], cwd=ROOT, capture_output=True, check=True, text=True).stdout
    assert {line.split()[1] for line in printed.splitlines()} >= TARGETS


@pytest.mark.parametrize("script", [".ci/run", "scripts/bootstrap.sh"])
def test_scripts_parse_and_may_be_run(script):
    path = ROOT / script
    shell = path.read_text(encoding="utf-8").splitlines()[0].split("/")[-1].split()[-1]
    subprocess.run([shell, "-n", str(path)], check=True)
    assert os.access(path, os.X_OK)


PAGES = sorted(ROOT.glob("*.md")) + sorted(path for path in (ROOT / "docs").rglob("*.md") if "_build" not in path.parts)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_examples_of_a_page_run(page, tmp_path, monkeypatch):
    """Run a page's ``>>>`` examples from top to bottom in one namespace, in an empty folder that may be written to."""
    monkeypatch.chdir(tmp_path)
    # The fence that closes a block would count as its last output. It becomes an empty line, so that lines keep their
    # numbers.
    text = re.sub(r"^[ >]*(```|~~~|:::).*$", "", page.read_text(encoding="utf-8"), flags=re.M)
    examples = doctest.DocTestParser().get_doctest(text, {"__name__": "__main__"}, page.name, str(page), 0)
    runner = doctest.DocTestRunner(optionflags=EXAMPLES, verbose=False)
    report: list[str] = []
    runner.run(examples, out=report.append)
    assert not runner.summarize(verbose=False).failed, "".join(report)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_python_of_a_page_parses(page):
    """A block of Python without prompts, such as a model script, is not run here, but must be Python."""
    text = page.read_text(encoding="utf-8")
    for block in re.finditer(r"^```(?:python|py)\n(.*?)^```", text, flags=re.M | re.S):
        if ">>>" not in block[1]:
            ast.parse("\n" * text.count("\n", 0, block.start(1)) + block[1], filename=str(page))
