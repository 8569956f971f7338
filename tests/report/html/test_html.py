"""The HTML report in headless Chromium: it zooms and sorts without an error on the console."""

import os
import re
import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from ckptcheck import NotVerifiedError, Report, Study, verify
from ckptcheck.diagnosis.cause import Diagnosis
from ckptcheck.report.answer import answer
from ckptcheck.report.evidence import Pair
from ckptcheck.report.html import report_page, require
from ckptcheck.report.judge import Question, judge_pair
from ckptcheck.report.sentences import heading
from ckptcheck.studies.catalogue import definition
from ckptcheck.studies.html import study_page
from tests.builder import changed
from tests.command_line import TOY_RUN, call, run
from tests.planted_jobs import SHORT, toy
from tests.report.outputs.cases import CONTROL, RESUMED
from tests.report.outputs.cases import case as judged
from tests.studies.examples import CALM, FAST, made, trained

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
EVALUATION = "evaluation loss\nresumed, control"
# Each of these features would need a connection, or rights that a test lacks.
SWITCHES = (
    "--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run "
    "--disable-background-networking --disable-component-update --disable-sync "
    "--window-size=1200,1000"
)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    if not (CHROMIUM and DRIVER):
        if os.environ.get("CI"):
            pytest.fail(
                "Chromium and ChromeDriver are not installed, so the HTML report is untested."
            )
        pytest.skip(
            "needs Chromium and ChromeDriver (on Debian: apt-get install chromium chromium-driver)"
        )
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for switch in [*SWITCHES.split(), f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"]:
        options.add_argument(switch)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    with webdriver.Chrome(options=options, service=Service(DRIVER)) as driver:
        yield driver


def shown(browser: Any, page: str, folder: Path) -> Any:
    path = folder / "page.html"
    path.write_text(page, encoding="utf-8")
    browser.get(path.as_uri())
    browser.execute_async_script(
        "const done = arguments[0]; const idle = () => window.Bokeh && Bokeh.documents.length && "
        "Bokeh.documents.every(each => each.is_idle) ? done() : setTimeout(idle, 20); idle()"
    )
    return browser


def complaints(browser: Any) -> list[str]:
    return [
        entry["message"]
        for entry in browser.get_log("browser")
        if entry["level"] in ("WARNING", "SEVERE")
    ]


def ranges(browser: Any, name: str) -> Any:
    """Return what the charts with this x range show: x, and y of the first chart."""
    return browser.execute_script(
        "const x = Bokeh.documents.map(each => each.get_model_by_name(arguments[0])).find(each "
        "=> each);const chart = Bokeh.documents.flatMap(each => each.roots()).find(each => "
        "each.x_range === x);return [x.start, x.end, chart.y_range.start, chart.y_range.end]",
        name,
    )


def click(browser: Any, text: str, within: str = "body") -> None:
    script = "[...document.querySelectorAll(arguments[1] + ' button')].find(each => each.textContent === arguments[0]).click()"
    browser.execute_script(script, text, within)


def column(browser: Any, index: int, table: str = "table") -> list[str]:
    script = "return [...document.querySelector(arguments[1]).tBodies[0].rows].map(row => row.cells[arguments[0]].textContent)"
    found: list[str] = browser.execute_script(script, index, table)
    return found


def test_backticks_are_code_in_html() -> None:
    text = "Write `x < 3`. One ` stays."
    said = "Write <code>x &lt; 3</code>. One ` stays."
    found = Diagnosis("slots-lost", None, text, text)
    failed = replace(judged(), outcome="diverged", diagnoses=(found,), reason=text)
    page = report_page(Report((failed,), {}))
    assert page.count(f"<p>{said}</p>") == 2
    assert f"<p><strong>What to do:</strong> {said}</p>" in page


def test_losses_without_a_logarithm_are_drawn_on_a_linear_axis() -> None:
    below = changed(RESUMED, losses={6: -1.0}, evaluations={6: -1.0})
    pages = [report_page(Report((judged(run),), {}), "ckptcheck") for run in (RESUMED, below)]
    positive, negative = (page.count("LogScale") for page in pages)
    assert positive - negative == 2  # of the training losses, and of the validation losses


@pytest.fixture(scope="module")
def default_page(default_report: Report) -> str:
    return report_page(default_report)


def test_verification_in_a_browser(
    browser: Any, default_report: Report, default_page: str, tmp_path: Path
) -> None:
    shown(browser, default_page, tmp_path)
    verdict = "As expected: 3 recovered, 3 failed as they should."
    assert browser.find_element("id", "verdict").text == verdict
    assert browser.title == f"ckptcheck: recovery of training jobs: {verdict}"
    said = browser.find_element("id", "answer")
    assert said.text == answer(default_report.cases).replace("`", "")
    assert [each.text for each in said.find_elements("tag name", "code")] == [
        "ema.variables_to_restore()",
        "Saver(tf.trainable_variables())",
    ]
    # The zoom to the boundary shows the steps around it in full height.
    assert len(browser.find_elements("css selector", "div[data-root-id]")) == 9
    start, end, low, high = ranges(browser, "bn-nn")
    assert (start, end) == (0, 155)
    click(browser, "Zoom to the boundary")
    assert ranges(browser, "bn-nn")[:2] == [104, 116]
    assert low < ranges(browser, "bn-nn")[2] < ranges(browser, "bn-nn")[3] < high
    click(browser, "Whole run")
    assert ranges(browser, "bn-nn")[:2] == [0, 155]
    # Tables sort numbers by value and texts last; a second click reverses them.
    click(browser, EVALUATION)
    losses = [float(text.split()[0]) for text in column(browser, 4)[:-1]]
    assert losses == sorted(losses)
    assert column(browser, 4)[-1] == "–"
    click(browser, EVALUATION)
    assert [text.split()[0] for text in column(browser, 4)] == [*map(str, losses[::-1]), "–"]
    click(browser, "restore")
    assert column(browser, 1) == ["ema", "ema", "saver", "saver", "saver", "trainable"]
    text = browser.find_element("tag name", "body").get_attribute("textContent")
    for case in default_report.cases:
        for diagnosis in case.diagnoses:
            for part in (
                heading(diagnosis),
                diagnosis.sentence,
                diagnosis.detail,
                diagnosis.remedy,
            ):
                assert part in text
            for part in diagnosis.tensors:
                assert part in text
    assert complaints(browser) == []


def test_the_first_screen(browser: Any, default_report: Report, tmp_path: Path) -> None:
    command = "ckptcheck verify --html 'my page.html'"
    shown(browser, report_page(default_report, command), tmp_path)
    facts = browser.find_element("id", "facts").text
    assert facts.endswith(f"\n{command}")
    started = default_report.cases[0].control.facts.started  # type: ignore[union-attr]
    for part in (
        f"{datetime.fromtimestamp(started, timezone.utc):%Y-%m-%d %H:%M} UTC · ",
        f" · tensorflow {default_report.environment['tensorflow']} · ",
        f" · {default_report.environment['cores']} core",
    ):
        assert part in facts
    heads = [each.text for each in browser.find_elements("tag name", "h2")]
    assert heads[:3] == ["Cases", "Moving means and variances", "Warnings"]
    assert browser.find_element("tag name", "html").get_attribute("lang") == "en"


def test_an_expected_failure_is_neither_good_nor_bad(
    browser: Any, default_report: Report, tmp_path: Path
) -> None:
    wrong = replace(default_report.cases[5], expected="recovered")
    unknown = replace(default_report.cases[0], outcome="inconclusive", reason="It was killed.")
    report = Report((*default_report.cases[:4], unknown, wrong), default_report.environment)
    shown(browser, report_page(report), tmp_path)
    cells = browser.find_elements("css selector", ".overview td:nth-child(3)")
    assert [(each.text, each.get_attribute("class")) for each in cells] == [
        ("recovered", "good"),
        ("refused, as expected", ""),
        ("recovered", "good"),
        ("diverged, as expected", ""),
        ("✗ inconclusive, expected recovered", "unknown"),
        ("✗ diverged, expected recovered", "bad"),
    ]


def test_links_between_the_table_and_the_cases(
    browser: Any, default_report: Report, default_page: str, tmp_path: Path
) -> None:
    shown(browser, default_page, tmp_path)
    links = browser.find_elements("css selector", ".overview a")
    heads = [
        browser.find_element("css selector", f"{link.get_attribute('hash')} h3").text
        for link in links
    ]
    assert [head.partition(":")[0] for head in heads] == [
        case.name for case in default_report.cases
    ]
    backs = browser.find_elements("css selector", "h3 a")
    assert len(backs) == len(links)
    assert {each.get_attribute("hash") for each in backs} == {"#cases"}
    assert browser.find_element("id", "cases").find_elements("css selector", "table.overview")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [500, 1400])
def test_it_fits_and_follows_the_theme(
    width: int, theme: str, browser: Any, default_page: str, tmp_path: Path
) -> None:
    feature = {"name": "prefers-color-scheme", "value": theme}
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        shown(browser, default_page, tmp_path)
        wide = "return [innerWidth, document.documentElement.scrollWidth <= innerWidth]"
        assert browser.execute_script(wide) == [width, True]
        style = "return getComputedStyle(document.querySelector(arguments[0]))[arguments[1]]"
        page = browser.execute_script(style, "body", "backgroundColor")
        assert page == {"light": "rgb(255, 255, 255)", "dark": "rgb(22, 24, 27)"}[theme]
        inverted = browser.execute_script(style, ".chart", "filter") != "none"
        assert inverted is (theme == "dark")
        # The table of cases needs no scrolling either.
        table = "const each = document.getElementById('cases'); return each.scrollWidth <= each.clientWidth"
        assert browser.execute_script(table)
    finally:
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_a_drag_zooms(browser: Any, default_page: str, tmp_path: Path) -> None:
    from selenium.webdriver.common.actions.action_builder import ActionBuilder

    shown(browser, default_page, tmp_path)
    left, top, width, height = browser.execute_script(
        "const chart = document.querySelector('div[data-root-id]').firstElementChild; "
        "chart.scrollIntoView();const box = chart.getBoundingClientRect(); return [box.left, "
        "box.top, box.width, box.height]"
    )
    actions = ActionBuilder(browser)
    pointer, across = actions.pointer_action, int(top + height / 3)
    pointer.move_to_location(int(left + width / 2), across).pointer_down()  # type: ignore[no-untyped-call]
    pointer.move_to_location(int(left + 0.65 * width), across).pointer_up()  # type: ignore[no-untyped-call]
    actions.perform()
    # A busy browser zooms a little later.
    until = time.monotonic() + 10
    while ranges(browser, "bn-nn")[0] == 0 and time.monotonic() < until:
        time.sleep(0.02)
    start, end, *_ = ranges(browser, "bn-nn")
    assert 60 < start < end < 120
    assert complaints(browser) == []


def test_study_in_a_browser(browser: Any, tmp_path: Path) -> None:
    found = made(7)
    shown(browser, study_page(found), tmp_path)
    assert browser.find_element("id", "verdict").text == found.definition.question
    text = browser.find_element("tag name", "body").text
    for finding in found.findings():
        assert finding in text
    name = "curves of Curves"
    assert ranges(browser, name)[:2] == [1, 20]
    click(browser, "epochs to 98 %")
    assert column(browser, 2) == ["3", "3", "11"]
    click(browser, "epochs to 98 %")
    assert column(browser, 2) == ["11", "3", "3"]
    assert complaints(browser) == []


def test_many_variants_have_a_chart_each(browser: Any, tmp_path: Path) -> None:
    names = ["bn-nn", "epsilon", "no-warm-up", "fused"]
    runs = tuple(trained(name, 0, CALM, FAST, CALM) for name in names)
    shown(browser, study_page(Study(definition("bn-ablation"), (0.95,), runs)), tmp_path)
    heads = [each.text for each in browser.find_elements("tag name", "h2")]
    assert [head.partition(":")[0] for head in heads if ":" in head] == names
    assert complaints(browser) == []


KINDS = ("ControlRaises", "TurnsNaN", "Missing", "RaisesInTrain", "OtherDtype", "StepLost")


@pytest.fixture(scope="module")
def reports() -> dict[str, Report]:
    """The report of each planted job, from one verification."""
    whole = verify([toy(name) for name in (*KINDS, "Clean")], **SHORT)
    return {case.job.rpartition(":")[2]: Report((case,), whole.environment) for case in whole.cases}


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_of_outcome(
    name: str, browser: Any, reports: dict[str, Report], tmp_path: Path
) -> None:
    report = reports[name]
    path = tmp_path / "page.html"
    path.write_text(report_page(report), encoding="utf-8")
    browser.get(path.as_uri())
    assert browser.find_element("id", "verdict").text.partition(":")[0] == report.verdict.upper()
    assert complaints(browser) == []


def test_a_long_run_shows_its_first_rows() -> None:
    page = report_page(verify(toy("Clean"), steps=700, boundary=9))
    assert "The first 500 of 691 rows; losses.csv has all of them." in page
    assert page.count("<tr>") < 530


def test_nothing_is_fetched(default_page: str) -> None:
    """No script, style, picture or font comes from elsewhere; the inline scripts are Bokeh's."""
    page = re.sub(r"(<script[^>]*>).*?</script>", r"\1", default_page, flags=re.DOTALL)
    assert not re.search(r"<(?:script|img|iframe|link)[^>]*(?:src|href)=[\"'](?!data:)", page)
    assert "@import" not in page
    assert "url(" not in page


def test_texts_of_a_job_are_escaped(reports: dict[str, Report]) -> None:
    assert "<h2>" in report_page(reports["Clean"])
    (case,) = reports["ControlRaises"].cases
    hostile = Report((replace(case, reason="<script>alert(1)</script>"),), {})
    assert "<script>alert" not in report_page(hostile)


def test_control_characters_of_a_job_are_replaced() -> None:
    named = judged(job="od\udcff/jobs.py:Größe", restore="\x1b[31m")
    page = report_page(Report((named,), {"\x1b": "\x1b"}))
    assert ("Größe" in page, "\x1b" in page, "\udcff" in page) == (True, False, False)


def of_command(**facts: Any) -> str:
    """Return the page of a command, of which some facts are not seen."""
    runs = [
        changed(each, evaluations=dict.fromkeys(range(9)), **facts) for each in (CONTROL, RESUMED)
    ]
    question = Question("train.py", "restart", "recovered")
    return report_page(Report((judge_pair(question, Pair(runs[0], runs[1])),), {}))


def test_losses_that_were_not_seen_are_not_shown() -> None:
    page = of_command(unseen=["losses"])
    assert "No loss was seen, so there are no curves." in page
    assert "Steps after the boundary" in page
    assert "Training losses after the boundary" not in page


def test_a_command_that_was_judged_by_its_files() -> None:
    page = of_command(left="the values in the output by step", unseen=["batches", "live state"])
    assert "Saved before step 5 of the metric, at the vertical line" in page
    assert "Tensors in the final checkpoint" in page
    assert "before any update" not in page
    assert "batch equal" not in page


def test_the_command_writes_it(tmp_path: Path) -> None:
    done = run("verify", toy("Clean"), *TOY_RUN, "--html", "report.html", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "PASS: 1 of 1 case recovered." in (tmp_path / "report.html").read_text()
    assert {path.name for path in tmp_path.iterdir()} == {"report.html", "ckptcheck-out"}


def test_a_failed_start_keeps_an_earlier_page(tmp_path: Path) -> None:
    (tmp_path / "report.html").write_text("earlier")
    done = call("verify", toy("NoSuchJob"), "--html", "report.html", cwd=tmp_path)
    assert done.returncode == 2
    assert (tmp_path / "report.html").read_text() == "earlier"
    assert {path.name for path in tmp_path.iterdir()} == {"report.html"}


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "bokeh", None)
    with pytest.raises(NotVerifiedError) as raised:
        require()
    assert str(raised.value) == (
        "--html needs the package bokeh, which is not installed. Install it: pip install 'ckptcheck[html]'"
    )
