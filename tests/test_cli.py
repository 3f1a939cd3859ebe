"""The command-line program as a user meets it: what it prints, writes and answers, on the data that come along."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

import tinygraph as tg
from tinygraph.cli import look, main
from tinygraph.data.mnist import FILES
from tinygraph.render import overlay, scene

ROOT = Path(__file__).parents[1]
MODEL = str(ROOT / "models" / "two_layer_net.py")
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}

EPOCH_LINE = re.compile(r"^epoch +(\d+)  step +(\d+)  train (\d\.\d{4})  test (\d\.\d{4})$", re.M)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run in an empty folder, and show no traceback because of the environment."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TINYGRAPH_TRACEBACK", raising=False)


def train(*arguments: str) -> int:
    return main(["train", MODEL, "--data", "digits", *arguments])


# --- train ------------------------------------------------------------------------------------------------------------


def test_train_prints_the_lectures_lines_and_writes_its_files(capsys):
    assert train("--iters", "60", "--lr", "0.5") == 0
    printed = capsys.readouterr()
    lines = EPOCH_LINE.findall(printed.out)
    places = [(int(epoch), int(step)) for epoch, step, *_ in lines]
    assert places == [(0, 0), (1, 14), (2, 28), (3, 42), (4, 56), (4, 60)]
    last = float(lines[-1][3])
    assert f"60 steps: test accuracy {last:.4f}" in printed.out
    files = ["checkpoint.safetensors", "curve.csv", "curve.png"]
    assert sorted(os.listdir("out")) == files
    assert printed.out.splitlines()[-3:] == [str(Path("out") / name) for name in files]
    assert re.findall(r"^step ([\d,]+) of 60: loss \d", printed.err, re.M) == [str(n) for n in range(6, 61, 6)]


def test_train_takes_its_options():
    options = "--iters 3 --batch 20 --lr 0.25 --seed 7 --dtype float32 --out a/b"
    assert train(*options.split()) == 0
    state = tg.load_state("a/b/checkpoint.safetensors")
    assert state["weights"]["W1"].dtype == np.float32
    assert state["settings"] == {
        "script": "two_layer_net.py", "data": "digits", "dtype": "float32", "batch_size": 20, "seed": 7,
        "replace": False, "optimizer": "sgd", "lr": 0.25, "momentum": 0.0, "dampening": 0.0, "nesterov": False,
        "weight_decay": 0.0}
    assert state["iters"] == 3


def test_train_compiled_says_so_and_goes_on_compiled(capsys):
    options = ["--optimizer", "adam", "--dtype", "float32", "--compile"]
    assert train(*options, "--iters", "40", "--out", "whole") == 0
    assert "lr 0.001, seed 0, float32, compiled" in capsys.readouterr().out
    assert train(*options, "--iters", "17", "--out", "part") == 0
    assert main(["train", MODEL, "--resume", "part/checkpoint.safetensors", "--iters", "40"]) == 0
    assert Path("whole/checkpoint.safetensors").read_bytes() == Path("part/checkpoint.safetensors").read_bytes()


def test_train_says_in_one_line_that_a_step_cannot_be_compiled(capsys):
    text = Path(MODEL).read_text().replace("return tg.softmax_with_loss(self.predict(x), t)",
                                           "return tg.softmax_with_loss(self.predict(x) * (1 if x.any() else 2), t)")
    Path("branch.py").write_text(text)
    assert main(["train", "branch.py", "--data", "digits", "--iters", "3", "--compile"]) == 0
    said = [line for line in capsys.readouterr().err.splitlines() if "compiled" in line]
    assert len(said) == 1
    assert said[0].startswith("tinygraph: _step runs without being compiled: the step reads a value")
    assert "(branch.py:" in said[0]


def test_many_short_epochs_are_thinned_out_on_the_screen_and_not_in_the_table(capsys):
    assert main(["train", MODEL, "--data", "spiral", "--iters", "600"]) == 0
    printed = capsys.readouterr().out
    assert "200 epochs of 3 steps, every 4th shown" in printed
    assert len(EPOCH_LINE.findall(printed)) == 51
    measured = [line for line in Path("out/curve.csv").read_text().splitlines() if not line.endswith(",,")]
    assert len(measured) == 1 + 201


def test_resume_takes_what_is_not_given_from_the_checkpoint_and_ends_the_same():
    options = ["--batch", "50", "--lr", "0.3", "--seed", "2", "--dtype", "float32"]
    assert train(*options, "--iters", "40", "--out", "whole") == 0
    assert train(*options, "--iters", "17", "--out", "part") == 0
    assert main(["train", MODEL, "--resume", "part/checkpoint.safetensors", "--iters", "40"]) == 0
    for name in ("checkpoint.safetensors", "curve.csv"):
        assert Path("whole", name).read_bytes() == Path("part", name).read_bytes()


@pytest.mark.parametrize(("options", "words"), [
    (["--data", "spiral"], "data='spiral'"), (["--batch", "10"], "batch_size=10"), (["--lr", "0.2"], "lr=0.2"),
    (["--seed", "1"], "seed=1"), (["--dtype", "float32"], "dtype='float32'"), (["--iters", "1"], "step 2 already"),
])
def test_resume_says_what_does_not_agree(options, words, capsys):
    assert train("--iters", "2") == 0
    capsys.readouterr()
    assert main(["train", MODEL, "--resume", "out/checkpoint.safetensors", *options]) == 1
    said = capsys.readouterr().err
    assert words in said
    assert said.startswith("tinygraph: ")
    assert said.count("\n") == 1


@pytest.mark.skipif(os.name != "posix", reason="sends SIGINT to another process")
def test_ctrl_c_saves_and_resume_ends_in_the_same_bits():
    command = [sys.executable, "-m", "tinygraph", "train", MODEL, "--data", "digits"]
    process = subprocess.Popen([*command, "--iters", "5000", "--out", "stopped"], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True, env=ENVIRONMENT)
    assert process.stdout is not None
    while not EPOCH_LINE.match(process.stdout.readline()):
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    said = process.communicate()[1]
    assert process.returncode == 130, said
    step = int(re.search(r"stopped at step ([\d,]+) of 5,000", said)[1].replace(",", ""))
    assert 0 <= step < 5000
    assert "--resume stopped/checkpoint.safetensors" in said
    assert "Traceback" not in said
    assert tg.load_state("stopped/checkpoint.safetensors")["batches"]["step"] == step

    end = str(step + 100)
    subprocess.run([*command, "--resume", "stopped/checkpoint.safetensors", "--iters", end], check=True,
                   env=ENVIRONMENT, capture_output=True)
    assert train("--iters", end, "--out", "straight") == 0
    for name in ("checkpoint.safetensors", "curve.csv"):
        assert Path("straight", name).read_bytes() == Path("stopped", name).read_bytes(), name


@pytest.mark.skipif(os.name != "posix", reason="needs a pseudo-terminal")
def test_on_a_terminal_there_is_a_bar_with_loss_and_accuracy():
    import fcntl
    import pty
    import struct
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 120, 0, 0))
    process = subprocess.Popen([sys.executable, "-m", "tinygraph", "train", MODEL, "--data", "digits", "--iters", "30"],
                               stdout=subprocess.PIPE, stderr=theirs, text=True, env=ENVIRONMENT)
    os.close(theirs)
    drawn = b""
    with suppress(OSError):  # which is how the terminal of a process that is gone reads on Linux
        while piece := os.read(ours, 65536):
            drawn += piece
    os.close(ours)
    printed = process.communicate()[0]
    assert process.returncode == 0
    assert len(EPOCH_LINE.findall(printed)) == 4
    assert "%|" not in printed
    assert re.search(rb"/30 \[.* steps/s, loss \d\.\d{4}, test accuracy \d\.\d{4}\]", drawn)


def test_a_loss_that_is_not_finite_is_told_in_one_line(capsys):
    assert train("--lr", "1e200", "--iters", "50") == 1
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("tinygraph:")]
    assert len(said) == 1
    assert "try a smaller --lr than 1e+200" in said[0]
    assert Path("out/diverged.safetensors").exists()
    assert not Path("out/checkpoint.safetensors").exists()


def test_a_script_trains_itself_with_the_arguments_that_follow():
    done = subprocess.run([sys.executable, MODEL, "--data", "digits", "--iters", "3", "--out", "mine"], check=True,
                          capture_output=True, text=True, env=ENVIRONMENT)
    assert "3 steps: test accuracy" in done.stdout
    assert Path("mine/checkpoint.safetensors").exists()
    failed = subprocess.run([sys.executable, MODEL, "--data", "digits", "--batch", "9999"], capture_output=True,
                            text=True, env=ENVIRONMENT)
    assert failed.returncode == 1


def test_without_mnist_a_line_says_so_and_the_digits_are_used(capsys, monkeypatch):
    monkeypatch.setattr("tinygraph.data.mnist._obtain", lambda *args, **kwargs: None)
    assert main(["train", MODEL, "--iters", "2"]) == 0
    printed = capsys.readouterr()
    assert len([line for line in printed.err.splitlines() if "MNIST cannot be had" in line]) == 1
    assert "on digits" in printed.out


def test_damaged_files_of_mnist_are_no_lack_of_it(capsys, monkeypatch, tmp_path):
    for name in FILES:
        (tmp_path / name).write_bytes(b"no IDX")
    monkeypatch.setenv("TINYGRAPH_DATA", str(tmp_path))
    assert main(["train", MODEL, "--iters", "2"]) == 1
    assert "an IDX file begins with the bytes 00 00" in capsys.readouterr().err


def test_where_mnist_can_be_had_it_is_used(capsys, monkeypatch):
    loaded = []
    digits = tg.data.load("digits", dtype=np.float64)
    monkeypatch.setattr("tinygraph.data.load", lambda name, dtype: loaded.append(name) or digits)
    assert main(["train", MODEL, "--iters", "2"]) == 0
    assert loaded == ["mnist"]
    assert "MNIST" not in capsys.readouterr().err


# --- check ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("data", ["digits", "spiral"])
def test_check_passes_the_lectures_net(data, capsys):
    assert main(["check", MODEL, "--data", data]) == 0
    printed = capsys.readouterr().out
    rows = {line.split()[0]: line for line in printed.splitlines() if re.match(r"[Wb][12] ", line)}
    assert list(rows) == ["W1", "b1", "W2", "b2"]
    assert printed.splitlines()[-1] == "passed: every mean absolute difference is below 1e-09"


WRONG = """
import tinygraph as tg

@tg.op(vjp=(lambda g, y, x: g * 2.001 * x,))
def almost_square(x):
    return x ** 2

class Model:
    def __init__(self, n):
        import numpy as np
        self.params = {"right": tg.tensor(np.ones(n), True), "wrong": tg.tensor(np.ones(n), True)}

    def predict(self, x):
        return x

    def loss(self, x, t):
        return (x * (self.params["right"] ** 2 + almost_square(self.params["wrong"]))).sum()

def build(input_size, output_size, *, seed=None, dtype=float):
    return Model(input_size)
"""


def test_check_fails_a_wrong_rule_and_names_the_weight(capsys):
    Path("wrong.py").write_text(WRONG)
    try:
        assert main(["check", "wrong.py", "--data", "spiral"]) == 1
    finally:
        del tg.OPS["almost_square"]
    assert "FAILED: the mean absolute difference of wrong is not below" in capsys.readouterr().out


@pytest.mark.needs_mnist
def test_check_on_mnist_is_as_exact_as_the_lectures(mnist_folder, capsys):
    assert main(["check", MODEL, "--data", "mnist"]) == 0
    rows = re.findall(r"^([Wb]\d) +[\dx ]+? +(\d\.\d\de[-+]\d+) ", capsys.readouterr().out, re.M)
    assert [name for name, _ in rows] == ["W1", "b1", "W2", "b2"]
    assert all(float(mean) < 1e-9 for _, mean in rows)


# --- draw and bench ---------------------------------------------------------------------------------------------------


def test_draw_writes_the_graph_of_a_step(capsys):
    assert main(["draw", MODEL, "--data", "digits", "-o", "graph.dot"]) == 0
    assert capsys.readouterr().out == "graph.dot\n"
    source = Path("graph.dot").read_text(encoding="utf-8")
    for part in ("digraph", "Affine", "ReLU", "softmax", "(3, 64)", "(50, 10)"):
        assert part in source


SCOPED = """
import numpy as np
import tinygraph as tg

class Model:
    def __init__(self, input_size, dtype):
        self.params = {f"w{i}": tg.tensor(np.eye(input_size, dtype=dtype), requires_grad=True, name=f"w{i}")
                       for i in range(3)}

    def loss(self, x, t):
        with tg.scope("encoder"):
            for w in self.params.values():
                with tg.scope("layer"):
                    x = np.tanh(x @ w)
        return (x * x).sum()

    def predict(self, x):
        return x

def build(input_size, output_size, *, seed=None, dtype=np.float64):
    return Model(input_size, dtype)
"""


@pytest.mark.parametrize(("options", "shown", "missing"), [
    ([], ["tanh", ">encoder<", ">layer<"], []),
    (["--depth", "1"], [">layer<", "2 ops"], ["tanh"]),
    (["--collapse", "*/layer"], [">layer<", "2 ops"], ["tanh"]),
    (["--collapse", "decoder", "--collapse", "enc*"], [">encoder<", "6 ops"], ["tanh", ">layer<"]),
    (["--fold-repeats"], ["layer ×3"], []),
    (["--color-by", "bytes"], [">bytes<", "#DC7A2E"], []),
    (["--show", "shapes"], ["(2, 2)"], ["min "]),
    (["--show", "symbols", "--forward-only"], ["tanh"], ["#0072B2", "(2, 2)"]),
    (["--theme", "dark", "-o", "graph.svg"], ["#1B1B1B"], ["prefers-color-scheme"])])
def test_draw_has_an_option_for_what_is_shown_and_folded(options, shown, missing, monkeypatch):
    Path("scoped.py").write_text(SCOPED, encoding="utf-8")
    if "graph.svg" in options:
        monkeypatch.setenv("PATH", "")
    assert main(["draw", "scoped.py", "--data", "spiral", "-o", "graph.dot", *options]) == 0
    source = Path(next(name for name in ("graph.svg", "graph.dot") if Path(name).exists())).read_text(encoding="utf-8")
    assert [part for part in shown if part not in source] == []
    assert [part for part in missing if part in source] == []


def test_draw_says_which_pattern_fits_no_scope(capsys):
    Path("scoped.py").write_text(SCOPED, encoding="utf-8")
    assert main(["draw", "scoped.py", "--data", "spiral", "-o", "a.dot", "--collapse", "enc*", "--collapse", "x"]) == 0
    assert capsys.readouterr().err == "tinygraph: no scope's path matches --collapse x\n"


def test_draw_offers_what_pictures_can_show():
    assert look.SHOW == scene.SHOW
    assert look.MEASURES == overlay.MEASURES


@pytest.mark.needs_dot
@pytest.mark.parametrize(("ending", "start"), [("svg", b"<?xml"), ("png", b"\x89PNG"), ("pdf", b"%PDF")])
def test_draw_takes_the_format_from_the_ending(ending, start):
    assert main(["draw", MODEL, "--data", "spiral", "--batch", "2", "-o", f"graph.{ending}"]) == 0
    assert Path(f"graph.{ending}").read_bytes().startswith(start)


def test_draw_refuses_an_ending_it_does_not_know(capsys):
    assert main(["draw", MODEL, "--data", "spiral", "-o", "graph.docx"]) == 1
    assert capsys.readouterr().err.startswith("tinygraph: ")


def test_bench_tells_each_op_and_the_share_of_products(capsys):
    assert main(["bench", MODEL, "--data", "digits", "--batch", "10", "--repeats", "5"]) == 0
    printed = capsys.readouterr().out
    row = r"^(\w+) +(\d+) +[\d.]+ +[\d.]+ +[\d.]+% +([\d.]+(?: k)?) +[\d.]+ +\d+% +([\d.]+ k) +[\d.]+ "
    costs = re.findall(row, printed, re.M)
    assert {op: (calls, flops, moved) for op, calls, flops, moved in costs} == {
        "affine": ("2", "74.6 k", "44 k"), "relu": ("1", "500", "8 k"), "softmax_with_loss": ("1", "800", "1.69 k")}
    assert re.search(r"^FLOPs and bytes are of the forwards. This machine's peak: [\d.,]+ GFLOP/s", printed, re.M)
    for part in ("forward", "backward", "update", "step", "matrix multiplication"):
        (median,) = re.findall(rf"^{part} +([\d.]+) +\d+% +[\d.]+%", printed, re.M)
        assert float(median) > 0


def test_bench_of_a_model_without_a_product(capsys):
    Path("no_product.py").write_text(WRONG.replace("almost_square(", "tg.square(").replace("@tg.op", "# @tg.op")
                                     .replace("def tg.square(", "def square("))
    assert main(["bench", "no_product.py", "--data", "spiral", "--repeats", "3"]) == 0
    assert re.search(r"^matrix multiplication +0\.0 +0% +0\.0%$", capsys.readouterr().out, re.M)


def test_bench_times_the_compiled_step_and_lists_its_lines(capsys):
    assert main(["bench", MODEL, "--data", "digits", "--repeats", "5", "--compile"]) == 0
    printed = capsys.readouterr().out
    assert re.search(r"^the step, compiled +[\d.]+ +\d+% +[\d.]+%", printed, re.M)
    line = r"^ +[\d.]+ +[\d.]+% +640,000 +[\d.]+ +[\d,]+ +[\d.]+  \w+ = np\.(dot|matmul)\(x, W1"
    assert re.search(line, printed, re.M)


def test_bench_gives_its_numbers_as_data(capsys):
    assert main(["bench", MODEL, "--data", "digits", "--repeats", "3", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["seconds"]["compiled"] is None
    assert data["seconds"]["step"] > 0
    assert data["peak_flops_per_second"] > 1e6
    assert {op["op"]: op["flops"] for op in data["ops"]}["relu"] == 5_000


def test_bench_wants_a_script_or_the_peers(capsys, monkeypatch):
    import tinygraph
    assert main(["bench"]) == 1
    assert capsys.readouterr().err == "tinygraph: bench needs a SCRIPT whose step it should time, or --peers\n"
    monkeypatch.setattr(tinygraph, "__file__", str(Path("nowhere/tinygraph/__init__.py").absolute()))
    assert main(["bench", "--peers"]) == 1
    assert capsys.readouterr().err.startswith("tinygraph: bench --peers runs the folder benchmarks of a checkout")


def test_bench_of_the_peers_runs_the_benchmarks_of_the_checkout(capfd):
    assert main(["bench", "--peers", "nonsense"]) == 1
    assert capfd.readouterr().err.startswith("there is no workload 'nonsense'; there are attention, ")


def test_bench_leaves_the_weights_as_they_were():
    from tinygraph.optim import SGD
    from tinygraph.training import load_script
    from tinygraph.training.timing import time_step

    model = load_script(MODEL).model(4, 3, seed=0)
    before = {name: (weight.data, weight.data.copy()) for name, weight in model.params.items()}
    cost = time_step(model, np.ones((5, 4)), np.zeros(5, int), SGD(model.params, 0.0), rounds=3)
    for name, weight in model.params.items():
        array, value = before[name]
        assert weight.data is array
        assert type(weight.data) is np.ndarray
        np.testing.assert_array_equal(weight.data, value)
        assert weight.grad is None
    assert len(cost.products.rounds) == 3
    assert min(cost.products.rounds) > 0


# --- questions to the graph -------------------------------------------------------------------------------------------


def asked(capsys, *arguments, code=0):
    assert main([*arguments, "--data", "digits"]) == code
    return capsys.readouterr()


def test_check_gives_its_table_as_data_too(capsys):
    printed = asked(capsys, "check", MODEL, "--json")
    data = json.loads(printed.out)
    assert data["passed"] is True
    assert [row["name"] for row in data["weights"]] == ["W1", "b1", "W2", "b2"]
    assert data["weights"][0]["shape"] == [64, 50]
    assert all(row["mean"] < data["tolerance"] for row in data["weights"])
    assert "gradient check of" in printed.err


def test_check_walks_the_graph_and_names_the_wrong_rule(capsys):
    assert asked(capsys, "check", MODEL, "--graph").out.startswith("7 gradients checked: 7 right")
    Path("wrong.py").write_text(WRONG)
    printed = []
    for form in ([], ["--json"]):
        try:
            printed.append(asked(capsys, "check", "wrong.py", "--graph", *form, code=1).out)
        finally:
            del tg.OPS["almost_square"]
    assert re.search(r"^wrong: almost_square \(wrong\.py:\d+.*the rule gives", printed[0], re.M)
    assert json.loads(printed[1])["ok"] is False


def test_lint_finds_nothing_in_the_lectures_net(capsys):
    assert asked(capsys, "lint", MODEL).out.startswith("nothing found by ")


def test_lint_tells_what_it_finds_by_its_exit_code(capsys):
    source = Path(MODEL).read_text().replace("tg.softmax_with_loss(self.predict(x), t)",
                                             "tg.softmax_with_loss(tg.sigmoid(self.predict(x)), t)")
    source = source.replace("= self.params.values()", "= self.params.values(); b2 = b2.data")
    Path("odd.py").write_text(source)
    printed = asked(capsys, "lint", "odd.py", code=1).out
    assert re.search(r"^odd\.py:\d+: TG301 sigmoid before cross entropy: ", printed, re.M)
    assert "the weight b2 (10,) is no part of the loss's graph" in printed
    data = json.loads(asked(capsys, "lint", "odd.py", "--json", code=1).out)
    assert [finding["rule"] for finding in data["findings"]] == ["TG301", "TG202"]
    assert asked(capsys, "lint", "odd.py", "--select", "TG1").out.startswith("nothing found by 5 rules")
    assert asked(capsys, "lint", "odd.py", "--ignore", "TG3", "--ignore", "TG202").out.startswith("nothing found by 8")
    said = asked(capsys, "lint", "odd.py", "--select", "TG9", code=1).err
    assert said.startswith("tinygraph: lint: no rule begins with 'TG9'; there are TG101")


def test_explain_tells_of_each_weight_and_by_its_exit_code(capsys):
    printed = asked(capsys, "explain", MODEL).out
    assert re.findall(r"^the gradient of '(\w+)' from", printed, re.M) == ["W1", "b1", "W2", "b2"]
    assert "'W1' → affine (two_layer_net.py:" in printed
    printed = asked(capsys, "explain", MODEL, "--of", "x", "--of", "b2", "--json", code=1).out
    data = json.loads(printed)
    assert list(data) == ["x", "b2"]
    assert "does not require a gradient" in data["x"]["absent"]
    assert data["b2"]["shares"][0]["part"] == pytest.approx(1)
    asked(capsys, "explain", MODEL, "--of", "b2", "--draw", "b2.dot")
    assert "100.0% through argument 2" in Path("b2.dot").read_text(encoding="utf-8")
    assert asked(capsys, "explain", MODEL, "--of", "b3", code=1).err == (
        "tinygraph: explain: nothing in the graph is called 'b3'; there are W1, b1, W2, b2, x, t\n")
    assert "choose it with --of" in asked(capsys, "explain", MODEL, "--draw", "all.svg", code=1).err
    Path("dead.py").write_text(Path(MODEL).read_text().replace("tg.relu(", "tg.relu(-99 + "))
    assert "a dead ReLU" in asked(capsys, "explain", "dead.py", "--of", "W1", code=1).out


def test_explain_calls_the_weights_of_layers_by_their_paths(capsys):
    Path("net.py").write_text("""
import tinygraph as tg

class Net(tg.nn.Module):
    def __init__(self, n, m):
        self.first, self.second = tg.nn.Affine(n, 5), tg.nn.Affine(5, m)

    def predict(self, x):
        return self.second(tg.tanh(self.first(x)))

    def loss(self, x, t):
        return tg.softmax_with_loss(self.predict(x), t)

def build(input_size, output_size, *, seed=None, dtype=float):
    tg.random.seed(seed)
    return Net(input_size, output_size)
""")
    assert main(["explain", "net.py", "--data", "spiral"]) == 0
    told = capsys.readouterr().out
    for path in ("first.W", "first.b", "second.W", "second.b"):
        assert f"the gradient of '{path}' from" in told
    assert main(["explain", "net.py", "--data", "spiral", "--of", "W"]) == 1
    assert "nothing in the graph is called 'W'; there are first.W, first.b," in capsys.readouterr().err


def test_shadow_tells_of_digits_and_by_its_exit_code_of_an_overflow(capsys):
    printed = asked(capsys, "shadow", MODEL, "--dtype", "float32").out
    assert printed.startswith("beside a shadow in float64, ")
    Path("large.py").write_text(Path(MODEL).read_text().replace("tg.relu(", "np.exp(200 + "))
    with np.errstate(over="ignore", invalid="ignore"):
        data = json.loads(asked(capsys, "shadow", "large.py", "--dtype", "float32", "--draw", "shadow.dot", "--json",
                                code=1).out)
    assert next(node for node in data["nodes"] if node["id"] == data["overflow"])["op"] == "exp"
    assert "the first to overflow" in Path("shadow.dot").read_text(encoding="utf-8")


@pytest.mark.parametrize("verb", ["check", "lint", "shadow", "profile --rounds 1", "derive", "diff"])
def test_every_question_draws_its_answer(verb, capsys):
    name, *options = verb.split()
    asked(capsys, name, MODEL, *options, "--draw", "answer.dot")
    assert Path("answer.dot").read_text(encoding="utf-8").startswith("digraph")


def test_profile_prints_tables_and_writes_a_trace(capsys):
    printed = asked(capsys, "profile", MODEL, "--rounds", "2", "--batch", "10", "-o", "out/step.json")
    rows = re.findall(r"^ +\d+  (\w+) +\(.*two_layer_net\.py:\d+$", printed.out, re.M)
    assert rows == ["affine", "relu", "affine", "softmax_with_loss"]
    assert printed.err == "tinygraph: wrote out/step.json\n"
    assert {event["ph"] for event in json.loads(Path("out/step.json").read_text())["traceEvents"]} == {"M", "X", "C"}
    data = json.loads(asked(capsys, "profile", MODEL, "--rounds", "1", "--json").out)
    assert [node["op"] for node in data["nodes"]] == rows


def test_derive_prints_or_writes(capsys):
    assert "∂L/∂W₁ = Xᵀ · ∂L/∂A₁    : (64, 50) = (64, N) · (N, 50)" in asked(capsys, "derive", MODEL).out
    printed = asked(capsys, "derive", MODEL, "--language", "ja", "--numbers", "-o", "derivation.md")
    assert printed.out == ""
    assert printed.err == "tinygraph: wrote derivation.md\n"
    assert Path("derivation.md").read_text(encoding="utf-8").startswith("# L の勾配の導出\n")
    data = json.loads(asked(capsys, "derive", MODEL, "--json").out)
    assert data["samples"] == 100


def test_diff_is_silent_on_the_same_and_tells_by_its_exit_code(capsys):
    assert asked(capsys, "diff", MODEL).out == "the same: 10 nodes in both\n"
    printed = asked(capsys, "diff", MODEL, "--other-seed", "1", code=1).out
    assert printed.startswith("0 removed, 0 added, 2 changed, 4 that follow from them; ")
    Path("other.py").write_text(Path(MODEL).read_text().replace("tg.relu(", "np.tanh("))
    data = json.loads(asked(capsys, "diff", MODEL, "other.py", "--json", "-o", "diff.dot", code=1).out)
    assert [change["facts"] for change in data["changed"] if change["origin"]] == [[["op", "relu", "tanh"]]]
    assert "digraph" in Path("diff.dot").read_text(encoding="utf-8")
    printed = asked(capsys, "diff", MODEL, "other.py", "--atol", "10", code=1).out
    assert printed.startswith("0 removed, 0 added, 1 changed, 0 that follow")


def test_json_has_words_for_what_it_lacks(capsys):
    from tinygraph.cli.common import answer

    class Report:
        def as_dict(self):
            return {"worst": float("nan"), "all": [1.0, float("inf")], 3: (True, None)}

    answer(Report(), True)
    assert json.loads(capsys.readouterr().out) == {"worst": "nan", "all": [1.0, "inf"], "3": [True, None]}


# --- the program ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("arguments", "words"), [
    (["train", "nowhere.py"], "there is no model script nowhere.py"),
    (["train", MODEL, "--data", "digits", "--batch", "5000"], "batch_size should be 1..1437"),
    (["train", MODEL, "--data", "digits", "--lr", "-1"], "lr should be a finite number"),
    (["train", MODEL, "--data", "digits", "--optimizer", "none"], "no optimizer 'none': choose one of adagrad, adam,"),
    (["train", MODEL, "--resume", "nowhere"], "nowhere cannot be read: No such file"),
    (["check", "empty.py", "--data", "spiral"], "empty.py has no function build"),
    (["draw", MODEL, "--data", "spiral", "-o", "empty.py/graph.dot"], "empty.py"),
    (["bench", "broken.py", "--data", "spiral"], "broken.py:1: ZeroDivisionError: division by zero"),
    (["draw", MODEL, "--data", "spiral", "-o", "empty.py/graph.html"], "empty.py/graph.html: "),
    (["derive", MODEL, "--data", "spiral", "-o", "empty.py/a.tex"], "empty.py/a.tex: "),
    (["compile", MODEL, "--data", "spiral", "-o", "empty.py/step.py"], "empty.py/step.py: "),
    (["train", MODEL, "--data", "spiral", "--out", "empty.py"], "the folder empty.py cannot be made: File exists"),
])
def test_an_error_is_one_line_and_exit_code_1(arguments, words, capsys):
    Path("empty.py").touch()
    Path("broken.py").write_text("1 / 0\n")
    assert main(arguments) == 1
    said = capsys.readouterr().err
    assert said.startswith("tinygraph: ")
    assert words in said
    assert said.count("\n") == 1
    assert "Errno" not in said


@pytest.mark.parametrize(("scores", "words"), [("np.zeros((3, 4))", "gives (3, 4)"), ("1", "gives int")])
def test_scores_that_are_not_one_row_a_sample_are_named(scores, words, capsys):
    Path("scores.py").write_text(SCOPED.replace("    def predict(self, x):\n", "    def predict(self, x):\n"
                                                f"        return {scores}\n"), encoding="utf-8")
    assert main(["train", "scores.py", "--data", "spiral", "--iters", "2"]) == 1
    assert words in capsys.readouterr().err


def test_a_reader_that_has_enough_ends_it_without_a_word():
    program = [sys.executable, "-m", "tinygraph", "check", MODEL, "--data", "spiral"]
    with subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENVIRONMENT) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141


def test_a_warning_of_numpys_is_one_line_without_a_place_in_this_package(capsys):
    Path("zero.py").write_text(SCOPED.replace("(x * x).sum()", "(x * x).sum() - np.log(x * 0).sum()"), encoding="utf-8")
    assert main(["lint", "zero.py", "--data", "spiral"]) in (0, 1)
    assert capsys.readouterr().err == "tinygraph: divide by zero encountered in log\n"


def test_the_traceback_is_shown_where_it_is_asked_for(capsys, monkeypatch):
    Path("broken.py").write_text("1 / 0\n")
    assert main(["check", "broken.py", "--data", "spiral", "--traceback"]) == 1
    assert "ZeroDivisionError" in (said := capsys.readouterr().err)
    assert "Traceback" in said
    monkeypatch.setenv("TINYGRAPH_TRACEBACK", "1")
    assert main(["train", "nowhere.py"]) == 1
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [
    [], ["fly"], ["train"], ["train", MODEL, "--iters", "0"], ["train", MODEL, "--iters", "many"],
    ["train", MODEL, "--data", "cats"], ["train", MODEL, "--dtype", "int64"], ["bench", MODEL, "--seed", "-1"],
], ids=" ".join)
def test_a_mistake_in_the_arguments_is_exit_code_2(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage: tinygraph" in capsys.readouterr().err


@pytest.mark.parametrize("verb", ["train", "check", "draw", "bench", "lint", "explain", "shadow", "profile",
                                  "derive", "diff"])
def test_help_shows_examples_that_parse(verb, capsys):
    from tinygraph.cli import _parser

    with pytest.raises(SystemExit) as caught:
        main([verb, "--help"])
    assert caught.value.code == 0
    examples = re.findall(rf"^  tinygraph ({verb} .*)$", capsys.readouterr().out, re.M)
    assert len(examples) >= 2
    for example in examples:
        parsed = _parser().parse_args(example.split())
        assert parsed.script == "models/two_layer_net.py" or parsed.peers


def test_the_module_is_the_program_and_starts_without_what_it_does_not_need():
    program = "import sys; from tinygraph.cli import main\ntry: main(['--version'])\n" \
              "finally: print(*[m for m in sys.modules if m in ('matplotlib', 'networkx', 'tqdm', 'safetensors')])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=ENVIRONMENT)
    assert done.stdout == f"tinygraph {tg.__version__}\n\n"
    done = subprocess.run([sys.executable, "-m", "tinygraph", "train", "nowhere.py"], capture_output=True, text=True,
                          env=ENVIRONMENT)
    assert (done.returncode, done.stderr) == (1, "tinygraph: there is no model script nowhere.py\n")


def test_the_script_of_the_docs_keeps_the_contract(capsys):
    page = (ROOT / "docs" / "model-scripts.md").read_text(encoding="utf-8")
    (script,) = re.findall(r"^```python\n(.*?)^```", page, flags=re.M | re.S)
    Path("model.py").write_text(script)
    assert main(["check", "model.py", "--data", "digits"]) == 0
    assert main(["train", "model.py", "--data", "digits", "--iters", "200", "--lr", "0.5"]) == 0
    accuracy = float(re.findall(r"test accuracy (\d\.\d+)", capsys.readouterr().out)[-1])
    assert accuracy > 0.8


# --- compile ----------------------------------------------------------------------------------------------------------


def test_compile_writes_a_program_that_needs_numpy_alone(capsys):
    assert main(["compile", MODEL, "--data", "digits", "--batch", "20", "--optimizer", "adam", "-o", "out.py"]) == 0
    assert capsys.readouterr().out == "out.py\n"
    # -I: no tinygraph on the path but what is installed, which the finder then refuses.
    block = ("import sys, runpy; sys.modules['tinygraph'] = None\n"
             "runpy.run_path('out.py', run_name='__main__')\nassert 'scipy' not in sys.modules")
    done = subprocess.run([sys.executable, "-I", "-c", block], capture_output=True, text=True, check=True)
    assert float(done.stdout) == pytest.approx(np.log(10))
    text = Path("out.py").read_text()
    for row in ("    x              float64 (20, 64)  an argument",
        "    lr             float64 ()        a tensor's array",
                "    exp_avg_W1     float64 (64, 50)  written in place", "# affine, two_layer_net.py:",
                "# step of Adam"):
        assert row in text
    started = [sys.executable, "-m", "tinygraph", "compile", MODEL, "--data", "spiral"]
    subprocess.run(started, check=True, env=ENVIRONMENT)
    assert "  # step of SGD\n" in Path("step.py").read_text()  # and no line of what started the program


def test_compile_prints_and_reports(capsys):
    assert main(["compile", MODEL, "--data", "digits", "-o", "-", "--report"]) == 0
    printed = capsys.readouterr().out
    assert "def step(x, t, W1, b1, W2, b2, steps, lr):" in printed
    assert "µs  share" in printed
    assert re.search(r"100\.0%.*in all; [\d,]+ bytes of buffers", printed)


def test_compile_tells_why_it_cannot(capsys):
    Path("branch.py").write_text(Path(MODEL).read_text().replace(
        "return tg.affine(tg.relu(", "assert x.sum() > 0\n        return tg.affine(tg.relu("))
    assert main(["compile", "branch.py", "--data", "digits"]) == 1
    assert "the step reads a value that is computed anew at each call: `if` asks" in capsys.readouterr().err
