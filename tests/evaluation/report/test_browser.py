"""What a browser makes of the pages; skipped, visibly, where there is none."""

import html
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from seqpipe.evaluation.report.compare_page import write_comparison
from seqpipe.evaluation.scores.compare import compare

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PROBE = """
<script>
addEventListener("load", async () => {
  const once = audio => audio.readyState > 0 || audio.error ? 0 : new Promise(done => {
    audio.onloadedmetadata = audio.onerror = done;
  });
  await Promise.all([...document.querySelectorAll("audio")].map(once));
  const found = {
    pictures: [...document.images].map(image => image.naturalWidth),
    seconds: [...document.querySelectorAll("audio")].map(audio => audio.duration),
    charts: [...document.querySelectorAll("svg.chart")].map(chart => chart.getBoundingClientRect().height),
    page: document.documentElement.scrollWidth, window: innerWidth, title: document.title,
  };
  document.documentElement.setAttribute("data-found", JSON.stringify(found));
});
</script>
"""


@pytest.fixture(scope="module")
def browser() -> str:
    for name in BROWSERS:
        if path := shutil.which(name):
            return path
    pytest.skip(f"there is no browser here ({', '.join(BROWSERS)})")


def render(browser: str, page: Path, profile: Path, width: int) -> tuple[str, list[str]]:
    """The page's elements after it was rendered, and what it wrote to the console."""
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", f"--user-data-dir={profile}"]
    options += [f"--window-size={width},900", "--virtual-time-budget=10000", "--dump-dom"]
    done = subprocess.run([browser, *options, page.as_uri()], capture_output=True, text=True, check=True, timeout=120)
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


def probe(browser: str, page: Path, folder: Path, width: int) -> dict[str, Any]:
    """What the browser has loaded; a copy of the page is let run one script, which looks."""
    content = page.read_text(encoding="utf-8")
    assert "default-src 'none';" in content
    content = content.replace("default-src 'none';", "default-src 'none'; script-src 'unsafe-inline';")
    (folder / "probed.html").write_text(content.replace("</body>", f"{PROBE}</body>"), encoding="utf-8")
    elements, console = render(browser, folder / "probed.html", folder / "profile", width)
    assert not [line for line in console if "Content Security Policy" not in line]
    found = re.search(r'data-found="([^"]*)"', elements)
    assert found, elements[-2000:]
    record: dict[str, Any] = json.loads(html.unescape(found[1]))
    return record


def test_a_report_renders_without_complaint(browser: str, report: Path, tmp_path: Path) -> None:
    elements, console = render(browser, report, tmp_path / "profile", 1200)
    assert console == []
    assert "Where it errs" in elements
    assert "<title>tones – report</title>" in elements


@pytest.mark.parametrize("width", [1200, 500])
def test_pictures_sound_and_curves_of_a_report_are_there(
    browser: str, report: Path, tmp_path: Path, width: int
) -> None:
    found = probe(browser, report, tmp_path, width)
    assert len(found["pictures"]) > len(found["seconds"]) >= 4
    assert min(found["pictures"]) > 5
    assert all(0.1 < seconds < 10 for seconds in found["seconds"])
    assert len(found["charts"]) >= 4
    assert all(80 < height < 1000 for height in found["charts"])
    assert found["page"] <= found["window"]  # what is wide scrolls in a box of its own
    assert found["title"] == "tones – report"  # and not what the rows' names would make it


def test_a_comparison_renders_without_complaint(browser: str, trained_run: Path, report: Path, tmp_path: Path) -> None:
    shutil.copytree(trained_run, tmp_path / "again")
    found = compare([trained_run, tmp_path / "again"], str(report.with_name("dev.tsv")), device="cpu")
    page = write_comparison(found, tmp_path / "page.html")
    elements, console = render(browser, page, tmp_path / "profile", 500)
    assert console == []
    assert "Differences from tones" in elements
    assert probe(browser, page, tmp_path, 500)["page"] <= 500
