"""The page, in a real browser: what it asks for, what each step shows, its controls, its numbers, its manners."""

from __future__ import annotations

import datetime
import json
import re
import struct
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

import tinygraph as tg
from models.two_layer_net import TwoLayerNet
from tests.conftest import find_browser
from tinygraph.cli import main
from tinygraph.render.html import SCRIPTS, encoded

pytestmark = [pytest.mark.needs_browser, pytest.mark.needs_dot]

ROOT = Path(__file__).parents[1]
NOON = datetime.datetime(2026, 1, 1, 12, tzinfo=datetime.UTC)
# Chromium's own traffic is off, so that what is counted is the page's.
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]
HOSTILE = ["</script><script>window.hacked = 1</script>", "<b onmouseover=alert(1)>bold</b>", "&quot;&lt;", "{{data}}",
           "\u202eright to left\u202c", "שלום", "x" * 10_000, "a\nb", "\u2028", "__proto__"]


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser(), args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def visit(browser, tmp_path):
    """A function that saves a drawing and opens it; at the end of the test nothing may have gone wrong on any page."""
    contexts, problems = [], []

    def listen(page):
        page.on("console", lambda message: problems.append(message.text))
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("dialog", lambda dialog: problems.append(dialog.message))

    def opened(drawing, hash="", clock=False, **options):
        path = tmp_path / f"graph{len(contexts)}.html"
        drawing.save(path)
        context = browser.new_context(**{"viewport": {"width": 1100, "height": 700}, "locale": "en-GB",
                                         "reduced_motion": "reduce", **options})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(20_000)
        if clock:
            page.clock.install(time=NOON)
        page.requests = []
        page.on("request", lambda request: page.requests.append(request.url))
        listen(page)
        page.goto(path.as_uri() + hash)
        page.wait_for_selector("html[data-ready]", state="attached")
        if clock:  # from here on time passes only where the test says so, however busy the machine is
            page.clock.pause_at(NOON + datetime.timedelta(hours=1))
        return page
    opened.listen = listen
    yield opened
    for context in contexts:
        context.close()
    assert problems == []


def small():
    """L = s · s with s = x · w + x: two values that are used twice, and a chain between them."""
    x = tg.tensor(2.0, requires_grad=True, name="x")
    w = tg.tensor(3.0, requires_grad=True, name="w")
    p = x * w
    p.name = "p"
    s = p + x
    s.name = "s"
    loss = s * s
    loss.name = "L"
    loss.backward()
    return loss, x, w


def softmax():
    a = tg.tensor([0.3, 2.9, 4.0], requires_grad=True, name="a")
    e = np.exp(a)
    y = e / e.sum()
    y.name = "y"
    loss = -(np.array([0.0, 1.0, 0.0]) * np.log(y)).sum()
    loss.backward()
    return loss


def layers(count=2):
    x = tg.tensor([[0.1, -0.2]], requires_grad=True, name="x")
    with tg.scope("encoder"):
        for i in range(count):
            with tg.scope("layer"):
                x = np.tanh(x @ tg.tensor(np.full((2, 2), 0.3 + i), requires_grad=True, name=f"w{i}"))
    loss = (x * x).sum()
    loss.backward()
    return loss


def known(page, kind):
    """The ids of the boxes of a kind, or the wires with a line of this way, that are not dimmed."""
    if kind in ("forward", "backward"):
        names = page.eval_on_selector_all(f"g.edge.{kind}:not(.later)", "all => all.map(each => each.classList[2])")
        return sorted(set(names))
    return page.eval_on_selector_all(f"g.node.{kind}:not(.later)", "all => all.map(each => each.id)")


def count(page):
    return page.inner_text("#count")


def numbers(page, selector):
    """The numbers that a part of the page shows, in full precision."""
    return [float(text) for text in page.eval_on_selector_all(
        f"{selector} td[data-value]", "all => all.map(each => each.dataset.value)")]


# --- what it asks for, and what may run in it ------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_page_makes_one_request_and_says_nothing(visit, scheme):
    page = visit(tg.draw(softmax()), color_scheme=scheme)
    for _ in range(20):
        page.keyboard.press("ArrowRight")
    page.click("#save-svg")
    assert page.requests == [page.url.partition("#")[0]]
    paper = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    assert paper == {"light": "rgb(255, 255, 255)", "dark": "rgb(27, 27, 27)"}[scheme]


def test_it_works_in_a_sandbox(browser, visit, tmp_path):
    tg.draw(layers(), depth=1).save(tmp_path / "graph.html")
    outer = tmp_path / "outer.html"
    outer.write_text('<!doctype html><link rel="icon" href="data:,">'
                     '<iframe sandbox="allow-scripts" src="graph.html#step=2" width=900 height=600></iframe>')
    page = browser.new_page()
    visit.listen(page)
    asked = []
    page.on("request", lambda request: asked.append(request.url.rpartition("/")[2]))
    page.goto(outer.as_uri())
    frame = page.frame_locator("iframe")
    frame.locator("#next").click()
    assert frame.locator("#count").inner_text() == "3 / 8"
    frame.locator("#language").click()
    frame.locator("#theme").click()
    frame.locator("g.node.group").last.click()
    assert frame.locator("#count").inner_text() == "5 / 13"
    assert frame.locator("html").get_attribute("lang") == "ja"
    frame.locator("g.frame[aria-expanded=true]").last.press("Enter")
    assert frame.locator("#count").inner_text() == "3 / 8"
    assert asked == ["outer.html", "graph.html#step=2"] or asked == ["outer.html", "graph.html"]
    page.close()


def test_the_policy_lets_nothing_else_run_or_load(browser, tmp_path):
    tg.draw(softmax()).save(tmp_path / "graph.html")
    page = browser.new_page()
    page.goto((tmp_path / "graph.html").as_uri())
    tried = page.evaluate("""async () => {
      const refused = [];
      document.addEventListener("securitypolicyviolation", (event) => refused.push(event.effectiveDirective));
      const style = document.createElement("style");
      style.textContent = "body { color: red }";
      document.head.append(style);
      const image = new Image();
      image.src = "https://example.org/a.png";
      await fetch("https://example.org/").catch(() => 0);
      try { document.body.innerHTML += "<i>"; } catch { refused.push("trusted types"); }
      await new Promise((done) => setTimeout(done, 50));
      return refused;
    }""")
    assert {"style-src-elem", "img-src", "connect-src", "trusted types"} <= set(tried)
    page.close()


def test_hostile_names_stay_text(visit):
    total = tg.tensor(0.0)
    with tg.scope("</script><b>scope</b>"):
        for name in HOSTILE:
            value = tg.tensor(1.0, requires_grad=True, name=name)
            total = total + value * value
    total.name = HOSTILE[0]
    total.backward()
    page = visit(tg.draw(total), "#step=4")
    for _ in range(30):
        page.keyboard.press("ArrowRight")
    assert page.evaluate("window.hacked") is None
    assert page.locator("script").count() == 2
    assert page.eval_on_selector_all("b", "all => all.every(each => each.closest('.maths'))")
    assert page.inner_text("h1").startswith("</script><script>window")
    page.fill("#search", "<b onmouse")
    assert page.inner_text("#found") == "1"
    page.keyboard.press("Enter")
    assert "<b onmouseover" in page.inner_text("#chosen h2")


def test_data_cannot_close_its_element():
    text = encoded({"a": "</script><!--", "b": "\u2028"})
    assert "<" not in text
    assert json.loads(text) == {"a": "</script><!--", "b": "\u2028"}


def test_the_same_graph_gives_the_same_page():
    drawing = tg.draw(small()[0])
    assert drawing.render("html") == drawing.render("html")


# --- what a step shows -----------------------------------------------------------------------------------------------


def test_each_step_shows_what_is_computed_and_no_more(visit):
    page = visit(tg.draw(small()[0]))
    ops = {0: [], 1: ["n2"], 2: ["n2", "n3"], 3: ["n2", "n3", "n4"]}
    # n2 = x·w, n3 = p + x, n4 = s·s; the wires b0 and b1 lead from where x (node 0) and s (node 3) branch.
    backward = {4: ["w4"], 5: ["w3", "w3b0", "w3b1", "w4"], 6: ["w0b1", "w2", "w3", "w3b0", "w3b1", "w4"],
                7: ["w0", "w0b0", "w0b1", "w1", "w2", "w3", "w3b0", "w3b1", "w4"]}
    ring = "document.querySelector('.ring').style.display !== 'none'"
    for way in (range(8), reversed(range(8))):
        for step in way:
            page.fill("#slider", str(step))
            assert known(page, "op") == ops.get(step, ops[3])
            assert known(page, "backward") == backward.get(step, [])
            assert known(page, "leaf") == ["n0", "n1"]
            assert page.evaluate(ring) == (step > 0)


def test_the_panel_explains_a_step_forward(visit):
    page = visit(tg.draw(small()[0]), "#step=2")
    panel = page.inner_text("#step")
    assert "Forward, op 2 of 3" in panel
    assert page.inner_text("#step .equation >> nth=0") == "s = p + x"
    assert page.inner_text("#step .equation.numbers") == "6 + 2 = 8"
    assert "test_page.py:" in panel
    assert "s = p + x" in page.inner_text("#step code")


def test_the_panel_explains_a_step_backward_and_the_sum_where_a_value_branches(visit):
    page = visit(tg.draw(small()[0]), "#step=6")
    panel = " ".join(page.inner_text("#step").split())
    assert "Backward, op 2 of 3" in panel
    assert "It was used 2 times, so 2 contributions add up" in panel
    assert numbers(page, "#step .sum") == [8.0, 8.0, 16.0]
    assert "1 of 2 contributions have arrived" in panel
    page.keyboard.press("ArrowRight")
    assert numbers(page, "#step .sum") == [48.0, 16.0, 64.0]
    # ∂L/∂w = x · ∂L/∂p, with its numbers.
    assert "16 · 2" in " ".join(page.inner_text("#step").split())


def test_the_panel_puts_numbers_into_the_formulas_of_means_and_of_one_of_several_outputs(visit):
    x = tg.tensor([3.0, 1.0], requires_grad=True, name="x")
    loss = np.sort(x).mean()
    loss.backward()
    told = [" ".join(visit(tg.draw(loss), f"#step={step}").inner_text("#step").split()) for step in (4, 5)]
    assert "1 2 1" in told[0]  # a half of 1
    assert "unsort((0.5, 0.5))" in told[1]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_numbers_on_the_page_are_the_gradients_to_the_last_bit(visit, rng, dtype):
    net = TwoLayerNet(3, 4, 2, weight_init_std=0.7, seed=1, dtype=dtype)
    loss = net.loss(rng.standard_normal((5, 3)).astype(dtype), np.array([0, 1, 1, 0, 1]))
    loss.backward()
    page = visit(tg.draw(loss))
    for name, weight in net.params.items():
        page.fill("#search", name)
        page.press("#search", "Enter")
        assert page.inner_text("#chosen h2").startswith(name[0])
        value, gradient = weight.data.ravel().tolist(), weight.grad.ravel().tolist()
        assert numbers(page, "#chosen section:has(h3:text-is('Value'))") == value
        assert numbers(page, "#chosen section:has(h3:text-is('Gradient'))") == gradient
    page.press("#search", "Escape")
    page.keyboard.press("Escape")
    assert page.is_hidden("#chosen")


def test_a_long_array_is_summed_up(visit):
    x = tg.tensor(np.arange(100.0), requires_grad=True, name="x")
    loss = (x * x).sum()
    loss.backward()
    page = visit(tg.draw(loss))
    assert "100 elements · least 0 · greatest 99 · mean 49.5 · 1 zeros" in page.inner_text("#step")
    assert len(re.findall(r"\b\d+\.0\b", page.inner_html("#data"))) < 40


def test_a_row_of_many_equal_numbers_is_one_line(visit):
    loss = (tg.tensor(np.zeros(50), requires_grad=True, name="b") * np.arange(50.0)).sum()
    loss.backward()
    assert "50 elements · all 0" in visit(tg.draw(loss)).inner_text("#step")


def test_a_row_of_many_numbers_is_broken_into_lines(visit, rng):
    x = tg.tensor(rng.standard_normal(50) * 1e-3, requires_grad=True, name="x")
    loss = (x * np.sin(x)).sum()
    loss.backward()
    page = visit(tg.draw(loss), "#step=7&value=0")
    assert numbers(page, "#chosen section:has(h3:text-is('Value'))") == x.data.tolist()
    beyond = page.eval_on_selector_all("aside td[data-value]", """all => all.filter((cell) =>
      cell.getBoundingClientRect().right > innerWidth || cell.scrollWidth > cell.clientWidth + 1).length""")
    assert beyond == 0


def test_a_chosen_value_shows_the_chain_of_derivatives_to_it(visit):
    page = visit(tg.draw(small()[0]), "#step=7")
    page.click("#n1")
    chain = " ".join(page.inner_text("#chosen section:has(h3:text-is('The chain of derivatives'))").split())
    assert "2 paths lead to the result" in chain
    assert "∂L ∂w = ∂L ∂s · ∂s ∂p · ∂p ∂w" in chain
    assert page.locator("g.edge.chain").count() >= 3
    page.click("#n4")
    assert "Chosen value" in page.inner_text("#chosen")
    page.click("#close")
    assert page.locator("g.edge.chain").count() == 0


def test_a_derivative_that_goes_by_another_name_is_told_by_both(visit):
    x, w, b = (tg.tensor(value, requires_grad=True, name=name) for name, value in (("x", 2.0), ("w", 3.0), ("b", 1.0)))
    y = np.exp(x * w) + b
    y.name = "y"
    y.backward()
    page = visit(tg.draw(y), "#step=6")
    panel = " ".join(page.inner_text("#step").split())
    assert "∂y ∂exp(x × w) = ∂y ∂y" in panel
    page.keyboard.press("Escape")


def test_what_the_caller_notes_stands_in_the_panel(visit):
    loss = small()[0]
    page = visit(tg.draw(loss, notes={2: "look <here>"}, color_by="flops"), "#step=1")
    assert "look <here>" in page.inner_text("#step .facts")
    assert "FLOPs: 1" in page.inner_text("#step .facts")


def test_without_backward_the_formulas_stand_and_the_numbers_wait(visit):
    x = tg.tensor(2.0, requires_grad=True, name="x")
    page = visit(tg.draw(np.exp(x)), "#step=3")
    assert "The numbers appear once backward has run." in page.inner_text("#step")
    assert numbers(page, "#step") == []
    page = visit(tg.draw(np.exp(x), backward=True), "#step=3")
    assert numbers(page, "#step")[-1] == np.exp(2.0)


def test_the_numbers_are_there_where_the_picture_has_only_shapes(visit):
    loss, x, _ = small()
    page = visit(tg.draw(loss, show="shapes"), "#step=7&value=0")
    assert numbers(page, "#chosen .sum")[-1] == float(x.grad)


def test_a_shape_error_is_a_page_too(visit):
    x = tg.tensor(np.ones((2, 3)), requires_grad=True, name="x")
    with pytest.raises(tg.ShapeError) as caught:
        x @ np.ones((2, 3))
    page = visit(tg.draw(caught.value.graph), "#step=1")
    assert page.inner_text("#step h2") == "matmul"
    assert "(2, 3)" in page.inner_text("#step")


def test_a_graph_without_gradients_goes_forward_alone(visit):
    page = visit(tg.draw(tg.tensor([1.0, 2.0], name="x")))
    assert count(page) == "0 / 0"
    assert page.is_disabled("#next")
    assert page.is_hidden(".passes .back")


# --- the controls ----------------------------------------------------------------------------------------------------


def state(page):
    ring = page.evaluate("""() => {
      const ring = document.querySelector(".ring");
      return ring.style.display === "none" ? "" : ["x", "y", "width"].map((name) => ring.getAttribute(name));
    }""")
    return (count(page), page.input_value("#slider"), page.evaluate("location.hash"), page.inner_text("#step"),
            known(page, "op"), known(page, "backward"), ring)


def test_buttons_keys_slider_and_address_agree(visit):
    page = visit(tg.draw(small()[0]))
    by_button, by_key, by_slider, by_address = [], [], [], []
    for step in range(8):
        by_button.append(state(page))
        page.click("#next") if step < 7 else None
    page.focus("#stage")
    page.keyboard.press("Home")
    for _ in range(8):
        by_key.append(state(page))
        page.keyboard.press("ArrowRight")
    for step in range(8):
        page.fill("#slider", str(step))
        by_slider.append(state(page))
    for step in range(8):
        page.goto(page.url.partition("#")[0] + f"#step={step}")
        by_address.append(state(page))
    assert by_button == by_key == by_slider == by_address
    page.keyboard.press("End")
    assert state(page) == by_button[7]
    page.keyboard.press("ArrowLeft")
    assert state(page) == by_button[6]
    page.click("#previous")
    assert state(page) == by_button[5]
    page.click("#first")
    assert count(page) == "0 / 7"
    page.click("#last")
    assert page.is_disabled("#next")


@pytest.mark.parametrize(("hash", "shown"), [("#step=5", "5 / 7"), ("#step=999", "7 / 7"), ("#step=-3", "0 / 7"),
                                             ("#step=x&value=y&lang=q&theme=z", "0 / 7"), ("#%", "0 / 7")])
def test_an_address_links_to_a_step(visit, hash, shown):
    assert count(visit(tg.draw(small()[0]), hash)) == shown


def test_playing_goes_to_the_end_at_the_chosen_speed(visit):
    page = visit(tg.draw(small()[0]), clock=True)
    page.click("#play")
    page.clock.run_for(1600)
    assert count(page) == "1 / 7"
    page.keyboard.press("Escape")
    page.clock.run_for(5000)
    assert count(page) == "1 / 7"
    page.select_option("#speed", "4×")
    page.focus("#stage")
    page.keyboard.press(" ")
    page.clock.run_for(1600)
    assert count(page) == "5 / 7"
    assert page.get_attribute("#play", "aria-label") == "Pause"
    page.clock.run_for(2000)
    assert count(page) == "7 / 7"
    assert page.get_attribute("#play", "aria-label") == "Play"


def test_zoom_and_pan(visit):
    page = visit(tg.draw(small()[0]))

    def box():
        return [float(part) for part in page.get_attribute("#stage > svg", "viewBox").split()]
    whole = box()
    page.hover("#stage")
    page.mouse.wheel(0, -400)
    page.wait_for_function("width => document.querySelector('#stage > svg').viewBox.baseVal.width < width / 1.5",
                           arg=whole[2])
    before = box()
    page.mouse.down()
    page.mouse.move(300, 300)
    page.mouse.move(250, 280)
    page.mouse.up()
    assert box()[0] != before[0]
    assert page.is_hidden("#chosen")  # a drag chooses nothing
    page.click("#whole")
    assert box() == pytest.approx(whole)
    page.keyboard.press("+")
    assert box()[2] == pytest.approx(whole[2] / 1.25)
    page.keyboard.press("Shift+ArrowRight")
    assert box()[0] > whole[0]
    page.keyboard.press("0")
    assert box() == pytest.approx(whole)


def test_a_large_figure_starts_where_the_first_op_is(visit):
    x = tg.tensor([0.5], requires_grad=True, name="x")
    ways = []
    for _ in range(12):
        y = np.sin(x)
        for _ in range(12):
            y = np.tanh(y)
        ways.append(y)
    page = visit(tg.draw(np.concatenate(ways).sum()))
    stage, first = page.locator("#stage").bounding_box(), page.locator("#stage .op").first.bounding_box()
    for at, length in (("x", "width"), ("y", "height")):
        assert stage[at] <= first[at] <= first[at] + first[length] <= stage[at] + stage[length]


def test_the_ring_stays_in_sight(visit):
    page = visit(tg.draw(softmax()), viewport={"width": 400, "height": 700})
    for step in range(1, 16):
        page.fill("#slider", str(step))
        inside = page.evaluate("""() => {
          const [a, b] = [".ring", "#stage"].map((name) => document.querySelector(name).getBoundingClientRect());
          return a.left >= b.left && a.right <= b.right && a.top >= b.top && a.bottom <= b.bottom;
        }""")
        assert inside, step


def test_search_finds_ops_names_and_files(visit):
    page = visit(tg.draw(softmax()))
    for words, hits in (("log", 1), ("divide", 1), ("sum", 2), ("test_page.py", 7), ("SUM test_page", 2),
                        ("nothing", "none"), ("", "")):
        page.fill("#search", words)
        assert page.inner_text("#found") == str(hits)
    page.fill("#search", "sum")
    assert page.locator("g.node.found").count() == 2
    page.press("#search", "Enter")
    page.press("#search", "Enter")
    assert page.inner_text("#found") == "2 of 2"
    page.press("#search", "Enter")
    assert page.inner_text("#found") == "1 of 2"
    assert "value=" in page.url


def test_heat_colours_by_the_chosen_number(visit):
    page = visit(tg.draw(tg.graph(layers())))
    assert page.locator("g.hot").count() == 0
    for key in ("flops", "bytes", "gradient"):
        page.select_option("#heat", key)
        heats = page.eval_on_selector_all(
            "g.hot", "all => all.map(each => parseFloat(each.style.getPropertyValue('--heat')))")
        assert max(heats) == 100
        assert min(heats) == 0
        assert page.is_visible("#legend")
    colours = page.eval_on_selector_all("g.hot ellipse", "all => all.map(each => getComputedStyle(each).fill)")
    assert len(set(colours)) > 1
    page.select_option("#heat", "")
    assert page.locator("g.hot").count() == 0
    assert page.is_hidden("#legend")


def test_groups_fold_and_unfold(visit):
    page = visit(tg.draw(layers()), "#step=2")
    frames = page.locator("g.frame:not(.away)")
    assert frames.count() == 3
    assert page.locator("g.frame[aria-expanded=true]").count() == 3
    page.locator("g.frame").last.press("Enter")
    assert page.locator("g.frame.folded").count() == 1
    assert "layer · 2 ops" in page.text_content("g.frame.folded")
    page.click("#groups")
    assert frames.count() == 1  # the outer one covers those within
    assert "encoder · 4 ops" in page.text_content("g.frame.folded:not(.away)")
    # The ring goes round the frame while what it would go round is covered, and of the steps there the last is told.
    wide = page.evaluate("Number(document.querySelector('.ring').getAttribute('width'))")
    page.keyboard.press("ArrowRight")
    assert count(page) == "4 / 13"
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowLeft")
    assert count(page) == "4 / 13"
    page.keyboard.press("ArrowLeft")
    assert count(page) == "0 / 13"
    page.fill("#slider", "3")
    assert page.evaluate("Number(document.querySelector('.ring').getAttribute('width'))") == wide > 200
    page.click("#groups")
    assert frames.count() == 3
    assert page.locator("g.node.away").count() == 0
    assert page.evaluate("Number(document.querySelector('.ring').getAttribute('width'))") < 100


@pytest.mark.parametrize("way", ["click", "keyboard"])
def test_a_collapsed_box_opens_and_closes_at_the_same_moment(visit, way):
    page = visit(tg.draw(layers(), depth=1))

    def press(element):
        element.locator("text").first.click() if way == "click" else element.press("Enter")
    # The steps go through all ops where a box is open; what was computed in the box is computed in the frame.
    for step, inside in {0: 0, 1: 2, 3: 5, 4: 6, 6: 8, 8: 11}.items():
        page.fill("#slider", str(step))
        first = state(page)
        assert count(page) == f"{step} / 8"
        assert page.locator("g.node.group[aria-expanded=false]").count() == 2
        press(page.locator("g.node.group").last)
        assert page.locator("g.node.group").count() == 0
        assert page.locator("g.frame.folded").count() == 1
        assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "Collapse layer"
        assert count(page) == f"{inside} / 13"
        assert page.locator("g.node.op:not(.away)").count() == 4
        press(page.locator("g.frame[aria-expanded=true]").last)
        assert state(page) == first
        assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "Expand layer"


def test_an_address_links_to_a_step_with_a_box_open(visit):
    drawing = tg.draw(layers(3), depth=1)
    page = visit(drawing, "#lang=ja&theme=dark")
    page.select_option("#heat", "flops")
    page.locator("g.node.group").nth(1).click()
    assert page.locator("g.hot").count() > 3
    page.keyboard.press("End")
    page.keyboard.press("ArrowLeft")
    assert page.get_attribute("html", "lang") == "ja"
    copy = visit(drawing, "#" + page.url.partition("#")[2])
    assert state(copy) == state(page)
    assert copy.locator("g.frame.folded").count() == 2
    assert copy.get_attribute("html", "data-theme") == "dark"
    # A link to the other picture turns to it, and the keys step once, not twice.
    copy.goto(copy.url.partition("#")[0] + "#step=1")
    assert copy.locator("g.node.group").count() == 3
    copy.keyboard.press("ArrowRight")
    assert count(copy).startswith("2 /")
    assert copy.requests == [copy.requests[0]]


def test_all_that_was_collapsed_opens_at_once(visit):
    x = tg.tensor([0.5], requires_grad=True, name="x")
    chain = x
    for _ in range(550):
        chain = np.sin(np.exp(chain))
    for drawing, ops in ((tg.draw(layers(4), depth=0), 10), (tg.draw(layers(4), fold_repeats=True), 10),
                         (tg.draw(chain, backward=False), 1100)):
        page = visit(drawing)
        before = state(page)
        page.click("#groups")
        assert page.locator("g.node.op:not(.away)").count() == ops
        page.click("#groups")
        assert state(page) == before


def test_a_box_of_a_very_large_graph_stays_closed_and_says_so(visit):
    with tg.scope("deep"):
        x = tg.tensor([0.5], requires_grad=True, name="x")
        for _ in range(2000):
            x = np.sin(x)
    page = visit(tg.draw(x), "#step=1")
    assert "The graph has 2,001 nodes; above 2,000 boxes a page shows" in page.inner_text("#step")
    page.locator("g.node.group").last.click()
    assert page.is_visible("#chosen")


# --- language, colours, motion, keyboard -----------------------------------------------------------------------------


def test_the_language_switch_changes_every_sentence(visit):
    page = visit(tg.draw(small()[0]), "#step=6")
    english = page.inner_text("body").split()
    page.click("#language")
    assert page.get_attribute("html", "lang") == "ja"
    assert "逆伝播" in page.inner_text("#step")
    assert page.get_attribute("#next", "aria-label") == "次へ"
    assert "lang=ja" in page.url
    left = set(re.findall(r"[A-Za-z]{3,}", page.inner_text("body")))
    # What is left are names of keys and formats, and the program's own: ops, types, files, code.
    assert left <= {"SVG", "PNG", "English", "FLOPs", "Home", "End", "Esc", "Shift", "add", "test", "page", "small",
                    "float"}
    page.click("#language")
    assert page.inner_text("body").split() == english


def test_a_japanese_reader_is_met_in_japanese(visit):
    assert visit(tg.draw(small()[0]), locale="ja-JP").get_attribute("html", "lang") == "ja"


def test_both_languages_say_the_same_things():
    text = (ROOT / "tinygraph/render/page/strings.js").read_text("utf-8")
    tables = []
    for language in ("en", "ja"):
        block = re.search(rf"^  {language}: \{{\n(.*?)^  \}},", text, re.S | re.M)[1]
        block = re.sub(r'"\s*\+ "', "", block)
        said = dict(re.findall(r'(\w+): "((?:[^"\\]|\\.)*)"', block))
        tables.append({key: sorted(re.findall(r"\{(\w+)\}", sentence)) for key, sentence in said.items()})
    assert tables[0] == tables[1]
    script = "".join((ROOT / f"tinygraph/render/page/{name}.js").read_text("utf-8") for name in SCRIPTS)
    markup = (ROOT / "tinygraph/render/page/page.html").read_text("utf-8")
    used = set(re.findall(r'data-(?:text|label|hint)="(\w+)"', markup))
    assert used <= set(tables[0])
    assert {key for key in tables[0] if key not in used and f'"{key}"' not in script} == set()


def test_the_dark_switch_beats_the_readers_preference(visit):
    page = visit(tg.draw(small()[0]), color_scheme="dark")

    def colours():
        return page.evaluate("""["html", "#stage svg g.node.op text"].map((each) => {
          const style = getComputedStyle(document.querySelector(each));
          return each === "html" ? style.backgroundColor : style.fill;
        })""")
    dark = colours()
    page.click("#theme")
    light = colours()
    page.click("#theme")
    assert light == ["rgb(255, 255, 255)", "rgb(26, 26, 26)"]
    assert dark == colours() == ["rgb(27, 27, 27)", "rgb(232, 232, 232)"]


def test_a_drawing_for_one_theme_is_a_page_in_it(visit):
    page = visit(tg.draw(small()[0], theme="dark"), color_scheme="light")
    paper = "getComputedStyle(document.documentElement).backgroundColor"
    ink = "getComputedStyle(document.querySelector('#stage svg g.node.op text')).fill"
    assert (page.evaluate(paper), page.evaluate(ink)) == ("rgb(27, 27, 27)", "rgb(232, 232, 232)")
    page.click("#theme")
    assert (page.evaluate(paper), page.evaluate(ink)) == ("rgb(255, 255, 255)", "rgb(26, 26, 26)")


@pytest.mark.parametrize(("wish", "seconds"), [("reduce", "0s"), ("no-preference", "0.25s")])
def test_nothing_moves_where_the_reader_asks_for_calm(visit, wish, seconds):
    page = visit(tg.draw(small()[0]), reduced_motion=wish)
    assert page.evaluate("getComputedStyle(document.querySelector('#n2')).transitionDuration.split(', ')[0]") == seconds


def test_a_screen_reader_hears_each_step(visit):
    page = visit(tg.draw(small()[0]))
    assert page.get_attribute("#spoken", "aria-live") == "polite"
    page.keyboard.press("ArrowRight")
    assert page.inner_text("#spoken") == "Step 2 of 8, forward, multiply. p = 6."
    page.keyboard.press("End")
    assert page.inner_text("#spoken") == "Step 8 of 8, backward, multiply. to x: 48; to w: 32."
    nameless = page.eval_on_selector_all(
        "button, select, input, [role=button], [tabindex]", "all => all.filter(each => each.offsetParent !== null "
        "&& !each.getAttribute('aria-label') && !each.labels?.length && !each.textContent.trim()).map(each => each.id)")
    assert nameless == []
    assert page.get_attribute("#slider", "aria-valuetext") == "Backward, op 3 of 3"


def test_everything_can_be_reached_and_chosen_by_keyboard(visit):
    page = visit(tg.draw(small()[0]))
    reached = []
    for _ in range(30):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id"))
    assert reached.index("search") < reached.index("stage") < reached.index("n0") < reached.index("slider")
    assert {"n0", "n1", "n2", "n3", "n4", "play", "next", "speed", "heat", "theme"} <= set(reached)
    page.focus("#n3")
    page.keyboard.press("Enter")
    assert page.inner_text("#chosen h2") == "s"
    assert page.inner_text("#spoken") == "Chosen value: s = 8"
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "search"


def test_it_fits_a_phone(visit):
    page = visit(tg.draw(softmax()), "#step=9", viewport={"width": 400, "height": 750})
    assert page.evaluate("document.documentElement.scrollWidth") == 400
    for name in ("#play", "#slider", "#count", "#speed", "#stage", "#step h2", "#theme"):
        box = page.locator(name).bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 400
        assert box["y"] + box["height"] <= 750


# --- files -----------------------------------------------------------------------------------------------------------


def test_downloads_are_the_whole_picture(visit, browser, tmp_path):
    page = visit(tg.draw(softmax()), "#step=15")
    page.keyboard.press("+")  # a picture that is zoomed is saved whole
    with page.expect_download() as caught:
        page.click("#save-svg")
    assert caught.value.suggested_filename == "graph.svg"
    svg = Path(caught.value.path()).read_text("utf-8")
    tree = ElementTree.fromstring(svg)
    assert tree.tag == "{http://www.w3.org/2000/svg}svg"
    assert "exp" in "".join(tree.itertext())
    assert not re.search(r"<script|href=\"http|on\w+=", svg)
    with page.expect_download() as caught:
        page.click("#save-png")
    png = Path(caught.value.path()).read_bytes()
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", png[16:24])
    assert width / height == pytest.approx(float(tree.get("width")) / float(tree.get("height")), rel=0.02)
    assert width > 2000
    # Seen again on its own, the picture has ink and blue in it.
    other = browser.new_page()
    (tmp_path / "graph.svg").write_text(svg, "utf-8")
    other.goto((tmp_path / "graph.svg").as_uri())
    fills = other.eval_on_selector_all("text", "all => all.map(each => getComputedStyle(each).fill)")
    assert {"rgb(26, 26, 26)", "rgb(0, 114, 178)"} <= set(fills)
    other.close()


def test_the_command_line_draws_a_page(tmp_path, capsys):
    assert main(["draw", str(ROOT / "models/two_layer_net.py"), "--data", "digits", "-o",
                 str(tmp_path / "out" / "graph.html")]) == 0
    text = (tmp_path / "out" / "graph.html").read_text("utf-8")
    assert text.startswith("<!DOCTYPE html>")
    assert "two_layer_net.py" in text
    assert str(tmp_path) not in text
    assert str(ROOT) not in text


def test_a_page_needs_no_graphviz(visit, monkeypatch):
    monkeypatch.setenv("PATH", "")
    drawing = tg.draw(layers())
    svg = drawing.render("svg").decode()
    assert "Generated by graphviz" not in svg
    page = visit(drawing, "#step=2")
    assert len(known(page, "op")) == 2
    page.keyboard.press("End")
    assert len(known(page, "backward")) == len(set(known(page, "backward"))) > 5
    page.click("#groups")
    assert page.locator("g.frame.folded").count() == 3
    inside = page.evaluate("""() => {
      const [a, b] = [".ring", "g.frame.folded:not(.away)"].map((name) => document.querySelector(name))
        .map((each) => each.getBoundingClientRect());
      return Math.abs(a.left + a.right - b.left - b.right) < 4;
    }""")
    assert inside


def test_a_large_graph_stays_usable(visit):
    x = tg.tensor(0.5, requires_grad=True, name="x")
    y = x
    for i in range(600):
        y = y + y if i % 60 == 59 else np.tanh(y)
    y.backward()
    page = visit(tg.draw(y, show="symbols"), "#step=600")
    assert len(known(page, "op")) == 600
    page.keyboard.press("End")
    assert count(page) == "1201 / 1201"
    page.click("#whole")
    page.evaluate("location.hash = '#step=3&value=0'")
    page.wait_for_selector("#chosen:not([hidden])")
    assert count(page) == "3 / 1201"
    chain = page.inner_text("#chosen")
    assert "1,024 paths lead to the result" in chain
    assert "… and 1,020 more" in chain
    assert numbers(page, "#chosen section:has(h3:text-is('Gradient'))") == [float(x.grad)]


def test_a_collapsed_graph_steps_by_what_its_picture_shows(visit):
    page = visit(tg.draw(layers(3), collapse=True), "#step=1")
    assert page.inner_text("#step h2") == "encoder"
    assert "A group of 6 ops" in page.inner_text("#step")
    page.keyboard.press("End")
    gradient = numbers(page, "#step")
    assert len(gradient) > 0
    assert "Backward" in page.inner_text("#step")


# --- the figures of the docs -----------------------------------------------------------------------------------------

OVERLAPS = """() => {
  const ink = (text) => {
    const { left, right, top, bottom } = text.getBoundingClientRect(), height = bottom - top;
    return { left: left + 1, right: right - 1, top: top + 0.25 * height, bottom: bottom - 0.25 * height, text };
  };
  const texts = [...document.querySelectorAll("text")].filter((each) => each.textContent.trim()).map(ink);
  const found = [];
  texts.forEach((a, i) => texts.slice(0, i).forEach((b) => {
    if (a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom) {
      found.push(`${a.text.textContent} | ${b.text.textContent}`);
    }
  }));
  return [texts.length, found];
}"""


@pytest.mark.parametrize("figure", sorted((ROOT / "docs/figures").glob("*.svg")), ids=lambda path: path.stem)
def test_no_two_texts_overlap_in_a_figure(browser, figure):
    page = browser.new_page()
    page.goto(figure.as_uri())
    texts, found = page.evaluate(OVERLAPS)
    page.close()
    assert texts > 10
    assert found == []


def test_overlapping_texts_are_seen(browser, tmp_path):
    """If the measure above broke, it would pass on anything."""
    (tmp_path / "bad.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg" width="200" height="100">'
                                      '<text x="10" y="50">one</text><text x="20" y="54">two</text></svg>')
    page = browser.new_page()
    page.goto((tmp_path / "bad.svg").as_uri())
    assert page.evaluate(OVERLAPS) == [2, ["two | one"]]
    page.close()
