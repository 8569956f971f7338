"""JUnit XML, Markdown and annotations: every case is there, and no text of a user breaks them."""

import re
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from xml.etree import ElementTree

import pytest
from markdown_it import MarkdownIt

from ckptcheck import Case, Report
from ckptcheck.comparison.comparison import Comparison
from ckptcheck.diagnosis.cause import Diagnosis
from ckptcheck.report.outputs import github_annotations as annotations
from ckptcheck.report.outputs import junit, markdown
from ckptcheck.report.sentences import story
from tests import builder
from tests.builder import changed
from tests.rows import evaluation, step, tensor

LOST = Diagnosis(
    "state-lost",
    "omitted at save",
    "1 of 2 tensors is zero.",
    "Save every variable.",
    ("weights",),
    detail="What reads it is wrong.",
    severity="changes the trajectory",
)
HOSTILE = "a|b`c</details><b>&*_x_*\\|[d](e)\r\n\n| f\x1b[31m\x00\ud800 100%,:: $g$"


def comparison(equal: bool, poisoned: bool = True) -> Comparison:
    tensors = (
        tensor("weights", equal=equal, identical=equal, poisoned=poisoned, asked=poisoned),
        tensor("step"),
    )
    steps = tuple(step(equal=equal, identical=equal) for _ in range(3))
    return Comparison(tensors, steps, (evaluation(0.25, 0.25 if equal else 2.5),), (3, 3), 3, ())


RECOVERED = Case("bn", "saver", "recovered", "recovered", comparison=comparison(True))
REFUSED = Case(
    "bn",
    "ema",
    "refused",
    "refused",
    (Diagnosis("restore-raised", None, "It raised.", "Fix it."),),
)
DIVERGED = Case(
    "bn",
    "trainable",
    "recovered",
    "diverged",
    (LOST,),
    comparison=comparison(False),
    acceptance=("state-lost",),
)
UNEXPECTED = Case("bn", "none", "refused", "recovered", comparison=comparison(True))
INCONCLUSIVE = Case(
    "train.py:Own", "all", "recovered", "inconclusive", reason="The control did not finish: killed."
)
WARNING = Case("bn", "part", "recovered", "recovered", comparison=comparison(True, poisoned=False))
ALL = Report(
    (RECOVERED, REFUSED, DIVERGED, UNEXPECTED, INCONCLUSIVE, WARNING),
    {"python": "3.11.7", "tensorflow": "2.21.0"},
)
WARNED = (
    "bn × part: 1 of 2 tensors has its initial value at the boundary, so the run cannot show "
    "whether it is restored: weights. Choose a different --boundary."
)
HOSTILE_REPORT = Report(
    (
        Case(
            HOSTILE,
            HOSTILE,
            "recovered",
            "diverged",
            (Diagnosis(HOSTILE, HOSTILE, HOSTILE, HOSTILE, (HOSTILE,)),),
        ),
        Case(HOSTILE, "all", "recovered", "inconclusive", reason=HOSTILE),
    ),
    {"XLA_FLAGS": HOSTILE},
)
NOTHING = "No case was verified, so nothing is known to recover."


def many(count: int, outcome: str = "diverged") -> Report:
    return Report(
        tuple(Case(f"job{index}", "all", "recovered", outcome, (LOST,)) for index in range(count)),
        {},
    )


def timed(case: Case, control: float, resumed: float) -> Case:
    """Return a case whose runs took so many seconds."""
    return replace(
        case,
        control=changed(builder.control(), seconds=control),
        resumed=changed(builder.resumed(builder.control()), seconds=resumed),
    )


def test_junit_has_a_test_for_each_case() -> None:
    cases = (timed(RECOVERED, 2.0, 1.0), timed(REFUSED, 2.0, 2.75), *ALL.cases[2:])
    document = junit.of_report(Report(cases, ALL.environment), "ckptcheck verify bn")
    root = ElementTree.fromstring(document)
    suite = root[0]
    counts = {
        "name": "ckptcheck",
        "tests": "6",
        "failures": "2",
        "errors": "1",
        "skipped": "0",
        "time": "7.75",
    }
    assert (root.tag, len(root), suite.tag, suite.attrib) == ("testsuites", 1, "testsuite", counts)
    assert root.attrib["tests"] == "6"
    assert [tuple(each.attrib.values()) for each in suite.iter("property")] == [
        ("command", "ckptcheck verify bn"),
        ("ckptcheck", version("ckptcheck")),
        ("python", "3.11.7"),
        ("tensorflow", "2.21.0"),
    ]
    tests = suite.findall("testcase")
    assert [(each.get("classname"), each.get("name")) for each in tests] == [
        (case.job, case.restore) for case in ALL.cases
    ]
    assert [each.get("time") for each in tests] == ["3.0", "4.75", *["0.0"] * 4]
    assert [[child.tag for child in each] for each in tests] == [
        ["system-out"],
        ["system-out"],
        ["failure"],
        ["failure"],
        ["error"],
        ["system-out", "system-err"],
    ]
    assert [each[0].text for each in tests] == [story(case) for case in ALL.cases]
    assert [each[0].attrib for each in tests[2:5]] == [
        {"message": "bn × trainable: diverged, expected recovered", "type": "diverged"},
        {"message": "bn × none: recovered, expected refused", "type": "recovered"},
        {"message": "train.py:Own × all: inconclusive, expected recovered", "type": "inconclusive"},
    ]
    assert tests[5][1].text == WARNED


def test_junit_of_no_case_and_of_an_error_is_an_error() -> None:
    for document, sentence, kind in (
        (junit.of_report(Report((), {})), NOTHING, "inconclusive"),
        (
            junit.of_error("The disk is full:\n<none> left.", "not verified"),
            "The disk is full:\n<none> left.",
            "not verified",
        ),
    ):
        suite = ElementTree.fromstring(document)[0]
        assert (suite.get("tests"), suite.get("errors"), suite.get("failures")) == ("1", "1", "0")
        (error,) = suite.iter("error")
        assert (error.text, error.attrib) == (
            sentence,
            {"message": " ".join(sentence.split()), "type": kind},
        )


def test_junit_holds_whatever_a_user_writes() -> None:
    root = ElementTree.fromstring(junit.of_report(HOSTILE_REPORT).encode())
    first = root[0].findall("testcase")[0]
    assert first.get("name") == "a|b`c</details><b>&*_x_*\\|[d](e) | f�[31m�� 100%,:: $g$"
    assert "\n" not in first[0].attrib["message"]
    every = "".join(
        map(chr, [*range(0x20), 0x7F, 0x85, 0x2028, 0xD800, 0xDFFF, 0xFFFE, 0xFFFF, 0x1F600])
    )
    (error,) = ElementTree.fromstring(junit.of_error(every, every).encode()).iter("error")
    assert error.text is not None
    assert (
        error.text
        == "�" * 9 + "\t\n" + "�" * 2 + "\n" + "�" * 20 + "\u2028" + "�" * 4 + "\U0001f600"
    )


def test_markdown_of_every_kind_of_case() -> None:
    assert markdown.of_report(ALL) == (
        "## ckptcheck: fail\n\n"
        "<p>bn recovers with <code>saver</code>, <code>none</code> and <code>part</code>: it "
        "continues bit for bit as if never interrupted. <code>ema</code> raises an exception. "
        "<code>trainable</code> loses state tensors. Whether Own recovers with "
        "<code>all</code> is unknown. The control did not finish: killed.</p>\n\n"
        "<p><b>FAIL: 2 of 6 cases did not do what was expected: bn × trainable diverged, bn × none "
        "recovered. 1 could not be judged.</b></p>\n\n"
        "| job | restore | outcome | tensors equal | evaluation loss: resumed, control | "
        "training losses equal |\n"
        "|---|---|---|--:|--:|--:|\n"
        "| bn | saver | recovered | 2/2 | 0.25 = 0.25 | 3/3 |\n"
        "| bn | ema | refused | – | – | – |\n"
        "| bn | trainable | **diverged**, expected recovered | 1/2 | 2.5 ≠ 0.25 | 0/3 |\n"
        "| bn | none | **recovered**, expected refused | 2/2 | 0.25 = 0.25 | 3/3 |\n"
        "| train.py:Own | all | **inconclusive**, expected recovered | – | – | – |\n"
        "| bn | part | recovered | 2/2 | 0.25 = 0.25 | 3/3 |\n\n"
        "<details><summary>bn × ema: refused</summary>\n"
        "<p><b>restore-raised</b><br>It raised.</p>\n"
        "<p><b>Remedy:</b> Fix it.</p>\n"
        "</details>\n\n"
        "<details open><summary>bn × trainable: diverged, expected recovered</summary>\n"
        "<p>At the boundary, 1 of 2 tensors are bit-equal and the evaluation loss is 2.5 "
        "(control 0.25). After it, 0 of 3 training losses are "
        "bit-equal.</p>\n"
        "<p><b>state-lost (changes the trajectory; omitted at save)</b><br>1 of 2 tensors is zero. "
        "What reads it is wrong.<br><b>Tensors:</b> <code>weights</code></p>\n"
        "<p><b>Remedy:</b> Save every variable.</p>\n"
        "<p><b>To accept:</b> <code>--allow state-lost</code></p>\n"
        "</details>\n\n"
        "<details open><summary>bn × none: recovered, expected refused</summary>\n"
        "<p>At the boundary, 2 of 2 tensors are bit-equal and the evaluation loss is 0.25 "
        "(control 0.25). After it, 3 of 3 training losses are "
        "bit-equal.</p>\n"
        "</details>\n\n"
        "<details open><summary>train.py:Own × all: inconclusive, expected "
        "recovered</summary>\n"
        "<p>The control did not finish: "
        "killed.</p>\n"
        "</details>\n\n"
        "<p><b>Warnings</b></p>\n"
        "<ul>\n"
        f"<li>{WARNED}</li>\n"
        "</ul>\n\n"
        "<details><summary>Environment</summary>python: 3.11.7; tensorflow: 2.21.0</details>\n"
    )


def test_markdown_of_no_case_and_of_an_error() -> None:
    assert markdown.of_report(Report((), {})) == (
        f"## ckptcheck: inconclusive\n\n<p><b>INCONCLUSIVE: {NOTHING}</b></p>\n"
    )
    assert markdown.of_error("The disk is full:\n\n<none> left.") == (
        "## ckptcheck: not verified\n\n<p>The disk is full:<br>&lt;none&gt; left.</p>\n"
    )
    passed = Report((RECOVERED, REFUSED), {})
    assert markdown.of_report(passed).startswith(
        "## ckptcheck: as expected\n\n<p>bn recovers with <code>saver</code>: it continues bit for "
        "bit as if never interrupted. <code>ema</code> raises an exception.</p>\n\n"
        "<p><b>As expected: 1 recovered, 1 failed as it should.</b></p>\n\n"
    )


def test_a_job_that_failed_before_it_named_its_restores() -> None:
    nameless = Case("train.py:Own", "", "recovered", "inconclusive", reason="No data.")
    report = Report((nameless,), {})
    root = ElementTree.fromstring(junit.of_report(report).encode())
    (test,) = root.iter("testcase")
    assert (test.get("classname"), test.get("name")) == ("train.py:Own", "train.py:Own")
    text = markdown.of_report(report)
    assert "| train.py:Own | – | **inconclusive**, expected recovered | – | – | – |" in text
    assert "<summary>train.py:Own: inconclusive, expected recovered</summary>" in text


def test_a_warning_of_a_job_is_said_once_for_its_cases() -> None:
    written = replace(RECOVERED, job="train.py:Own", wrote={"mine.csv": "new"})
    report = Report((written, replace(written, restore="other")), {})
    (text,) = report.warnings()
    said = annotations.of_report(report)
    assert len(said) == 1
    assert "mine.csv (new)" in said[0]
    assert markdown.of_report(report).count("mine.csv") == 1
    assert text.startswith(
        "train.py:Own: the job also writes outside its checkpoint folder: mine.csv (new). "
    )


def test_backticks_are_code_in_markdown() -> None:
    text = "Write `x < 3`. `ckptcheck explain slots-lost` prints a fix; one ` stays."
    said = (
        "Write <code>x &lt; 3</code>. <code>ckptcheck explain slots-lost</code> prints a fix; "
        "one ` stays."
    )
    found = Diagnosis("slots-lost", "omitted at save", "Set `y`.", text, ("`w`",), "`a`")
    shown = markdown.of_report(Report((replace(REFUSED, diagnoses=(found,), reason=text),), {}))
    assert "<br>Set <code>y</code>. <code>a</code><br><b>Tensors:</b> <code>`w`</code></p>" in shown
    assert f"<p><b>Remedy:</b> {said}</p>" in shown
    assert f"<p>{said}</p>" in shown
    assert markdown.of_error(text) == f"## ckptcheck: not verified\n\n<p>{said}</p>\n"


def test_markdown_keeps_its_shape_whatever_a_user_writes() -> None:
    tokens = (
        MarkdownIt("commonmark", {"html": True})
        .enable("table")
        .parse(markdown.of_report(HOSTILE_REPORT))
    )
    assert [each.type for each in tokens if each.level == 0 and each.nesting >= 0] == [
        *("heading_open", "html_block", "html_block", "table_open"),
        *("html_block", "html_block", "html_block"),
    ]
    cells = [each for each in tokens if each.type == "inline" and each.level == 4]
    assert len(cells) == 3 * 6
    assert {each.type for each in cells[6].children or []} <= {"text", "text_special"}
    shown = "".join(each.content for each in cells[6].children or [])
    assert shown == "a|b`c</details><b>&*_x_*\\|[d](e) | f�[31m�� 100%,:: $g$"
    blocks = [each.content for each in tokens if each.type == "html_block"]
    for block in blocks[2:]:
        assert re.findall("</?details", block) == ["<details", "</details"]
        assert block.count("<b>") == block.count("</b>")
    assert (
        "<p><b>a|b`c&lt;/details&gt;&lt;b&gt;&amp;*_x_*\\|[d](e)<br>| f�[31m�� 100%,:: $g$ (a|b"
        in blocks[2]
    )


def test_markdown_is_cut_where_github_would_not_show_it() -> None:
    count = 12_000
    cases = (*many(count, "recovered").cases, DIVERGED)
    text = markdown.of_report(Report(cases, {"XLA_FLAGS": "<" * 3_000_000}))
    assert 700_000 < len(text.encode()) < 1_000_000
    rows, details = text.count("\n| job") - 1, text.count("<details><summary>job")
    assert (
        f"GitHub shows no summary above 1 MiB, so {count - rows} of {count + 1} cases are "
        "left out.\n"
    ) in text
    assert f"so {count - details} of {count + 1} cases with details are left out.\n" in text
    # A wrong case stays, even as the last one.
    assert "| bn | trainable | **diverged**" in text
    assert "<details open><summary>bn × trainable" in text
    assert len(markdown.of_error("&" * 3_000_000).encode()) < 100_000
    assert "left out" not in markdown.of_report(many(300))


def test_annotations_of_wrong_cases() -> None:
    assert annotations.of_report(ALL) == [
        "::error title=bn × trainable%3A diverged%2C expected recovered::bn × trainable: "
        "diverged, expected recovered%0A  At the boundary, 1 of 2 tensors are bit-equal and the "
        "evaluation loss is 2.5 (control 0.25). After it, 0 of 3 training losses are "
        "bit-equal.%0A  state-lost (changes the trajectory; omitted at save): 1 of 2 tensors is "
        "zero. What reads it is wrong.%0A    Tensors: weights%0A  Remedy: Save every "
        "variable.%0A  To accept: --allow state-lost",
        "::error title=bn × none%3A recovered%2C expected refused::bn × none: recovered, "
        "expected refused%0A  At the boundary, 2 of 2 tensors are bit-equal and the evaluation "
        "loss is 0.25 (control 0.25). After it, 3 of 3 training losses are bit-equal.",
        "::error title=train.py%3AOwn × all%3A inconclusive%2C expected recovered::train.py:Own "
        "× all: inconclusive, expected recovered%0A  The control did not finish: killed.",
        f"::warning title=bn × part::{WARNED}",
    ]
    assert annotations.of_report(Report((RECOVERED, REFUSED), {})) == []


JOBS = """import base

class Train(base.FitJob):
    pass

def made():
    return Train()

other = Train
"""


@pytest.mark.parametrize(
    ("job", "place"),
    [
        ("jobs/train.py:Train", "file=jobs/train.py,line=3,"),
        ("jobs/train.py:made", "file=jobs/train.py,line=6,"),
        ("jobs.train:other", "file=jobs/train.py,line=9,"),
        ("jobs/train.py:Inherited", "file=jobs/train.py,"),
        ("jobs/broken.py:Train", "file=jobs/broken.py,"),
        ("jobs/none.py:Train", ""),
        ("../elsewhere.py:Train", ""),
        ("bn-nn", ""),
    ],
)
def test_annotations_stand_at_the_class_of_the_job(
    job: str, place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "checkout"
    (folder / "jobs").mkdir(parents=True)
    (folder / "jobs/train.py").write_text(JOBS)
    (folder / "jobs/broken.py").write_text("class Train(:")
    (tmp_path / "elsewhere.py").write_text(JOBS)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("GITHUB_WORKSPACE", str(folder))
    failed, warned = replace(DIVERGED, job=job), replace(WARNING, job=job)
    error, warning = annotations.of_report(Report((failed, warned), {}))
    assert error.startswith(f"::error {place}title=")
    assert warning.startswith(f"::warning {place}title=")


def test_annotations_name_files_from_the_top_of_the_checkout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs/train.py").write_text(JOBS)
    monkeypatch.chdir(tmp_path / "jobs")
    monkeypatch.setenv("GITHUB_WORKSPACE", str(tmp_path))
    (line,) = annotations.of_report(Report((replace(DIVERGED, job="train.py:Train"),), {}))
    assert line.startswith("::error file=jobs/train.py,line=3,title=")


def test_annotation_of_no_case_and_of_an_error() -> None:
    assert annotations.of_report(Report((), {})) == [
        f"::error title=ckptcheck%3A inconclusive::{NOTHING}"
    ]
    assert annotations.of_error("100% full:\r\nnothing, at all.") == [
        "::error title=ckptcheck%3A not verified::100%25 full:%0D%0Anothing, at all."
    ]


def test_annotations_are_lines_whatever_a_user_writes() -> None:
    first, second = annotations.of_report(HOSTILE_REPORT)
    for line in (first, second):
        assert re.fullmatch(
            r"::error title=([^:,%\r\n]|%25|%3A|%2C)+::([^%\r\n]|%25|%0A|%0D)+", line
        )
        line.encode()
    assert first.startswith(
        "::error title=a|b`c</details><b>&*_x_*\\|[d](e) | f�[31m�� 100%25%2C%3A%3A $g$ × a|b"
    )


@pytest.mark.parametrize(("count", "unnamed"), [(10, 0), (11, 0), (500, 398)])
def test_the_tenth_annotation_names_those_that_github_does_not_show(
    count: int, unnamed: int
) -> None:
    lines = annotations.of_report(many(count))
    told = [line for line in lines if "title=job" in line]
    assert [line.partition("%3A")[0] for line in told] == [
        f"::error title=job{index} × all" for index in range(count)
    ]
    if count == 10:
        assert len(lines) == 10
        return
    head, *names = lines[9].split("%0A")
    assert head == (
        f"::error title=ckptcheck%3A {count - 9} more errors::GitHub shows 10 annotations of a "
        "kind; the log has the texts of these:"
    )
    ending = names.pop() if unnamed else None
    assert ending == (f"and {unnamed} more." if unnamed else None)
    assert names == [
        f"job{index} × all: diverged, expected recovered" for index in range(9, count - unnamed)
    ]
    assert len("\n".join([head.partition("::GitHub")[2], *names])) < 4096


def test_long_texts_are_cut_as_github_would() -> None:
    (line,) = annotations.of_report(
        Report((Case("j" * 300, "all", "recovered", "inconclusive", reason="x" * 9000),), {})
    )
    title, _, message = line.removeprefix("::error title=").partition("::")
    assert (len(title), len(message.replace("%0A", "\n"))) == (255, 4000)
    assert title.endswith("j…")
    assert message.endswith("x…")
