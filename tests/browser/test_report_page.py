"""The report in a real browser: from the disk, without a network, on a desk and on a phone."""

from __future__ import annotations

from pathlib import Path

import pytest

PAGE = "report.html"


@pytest.fixture(scope="module")
def page(mock_run) -> Path:
    """The page of a run over the mock sky, as the store keeps it."""
    return mock_run.store.directory(mock_run.manifests["report"].ref) / PAGE


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_opens_from_the_disk_and_asks_for_nothing(tab, page, width, dark) -> None:
    tab.open(page, width=width, dark=dark)
    assert tab.complaints == []
    schemes = [address.partition(":")[0] for address in tab.requests]
    assert schemes.count("file") == 1
    assert set(schemes) <= {"file", "data"}  # data: pictures inside the page itself
    headings = tab.see("[...document.querySelectorAll('h1, h2')].map(h => h.innerText)")
    assert headings[0] == "mock_training_set"
    assert headings[1:] == [
        "Good", "Recipe", "Rows, stage by stage", "Redshifts", "Sky", "Magnitudes and redshifts",
        "Match", "What each survey contributes", "Flags and classes", "Rules that fired",
        "All metrics", "Citations", "Files",
    ]
    # Nothing but what may scroll by itself is wider than the screen.
    assert tab.see("document.documentElement.scrollWidth") <= width


def test_what_the_page_must_not_do_is_refused_and_heard_of(tab, page, tmp_path) -> None:
    """The browser enforces the page's own policy, and these tests would notice."""
    evil = tmp_path / PAGE
    smuggled = '<script>document.title = "mine"</script><img src="http://example.org/x.png">'
    evil.write_text(page.read_text("utf-8").replace("</main>", f"{smuggled}</main>"), "utf-8")
    tab.open(evil)
    assert len(tab.complaints) == 2
    assert all("Content Security Policy" in complaint for complaint in tab.complaints)
    assert tab.see("document.title") != "mine"


def test_every_drawing_is_seen_and_its_pictures_are_sound(tab, page) -> None:
    tab.open(page)
    boxes = tab.see("""[...document.querySelectorAll('figure > svg')].map(svg => {
        const box = svg.getBoundingClientRect(); return [box.width, box.height]; })""")
    assert len(boxes) == 8
    assert all(width > 600 and height > 100 for width, height in boxes)
    broken = tab.see("""(async () => {
        const hrefs = [...document.querySelectorAll('svg image')].map(i => i.href.baseVal);
        const sound = await Promise.all(hrefs.map(href => {
            const image = new Image(); image.src = href;
            return image.decode().then(() => image.naturalWidth > 1, () => false); }));
        return [hrefs.length, sound.filter(ok => !ok).length]; })()""")
    assert broken[0] >= 10
    assert broken[1] == 0


def test_text_can_be_read_in_light_and_in_dark(tab, page) -> None:
    """Contrast of 4.5 and more (WCAG 2.1, 1.4.3), for words of the page and of its drawings."""
    contrast = """(() => {
        const light = c => { const [r, g, b] = c.match(/[\\d.]+/g).slice(0, 3).map(v => {
            v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; });
            return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
        const page = light(getComputedStyle(document.body).backgroundColor);
        const words = [...document.querySelectorAll('p, td, th, h2, a, summary, svg text')];
        const drawn = w => w.closest('svg') !== null;
        const onPlate = w => drawn(w) && getComputedStyle(w).fill === 'rgb(32, 36, 42)';
        return Math.min(...words.filter(w => !onPlate(w)).map(w => {
            const style = getComputedStyle(w), ink = light(drawn(w) ? style.fill : style.color);
            return (Math.max(ink, page) + 0.05) / (Math.min(ink, page) + 0.05); })); })()"""
    for dark in (False, True):
        tab.open(page, dark=dark)
        assert tab.see(contrast) >= 4.5


def test_links_lead_to_places_of_the_page_or_to_files_beside_it(tab, page) -> None:
    tab.open(page)
    links = tab.see("[...document.querySelectorAll('a')].map(a => a.getAttribute('href'))")
    inner = [link for link in links if link.startswith("#")]
    assert len(inner) == 13
    assert tab.see("""[...document.querySelectorAll('a[href^="#"]')]
        .every(a => document.querySelector(a.getAttribute('href')))""")
    beside = {link for link in links if not link.startswith("#")}
    assert beside == {f"./{name}" for name in (
        "CITATIONS.bib", "ACKNOWLEDGEMENTS.md", "manifest.json", "training_set.parquet",
        "training_set_train.hdf5", "training_set_validation.hdf5", "training_set_test.hdf5")}
