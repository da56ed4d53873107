"""The certificate of a pass, or the statement of a result: one page of PDF, A4 across."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from exam_cli.reports.facts import FULL_SCORE, Facts, SectionFacts
from exam_cli.reports.fonts import Fonts

if TYPE_CHECKING:
    from fpdf import FPDF

_INK = (23, 34, 45)
_SOFT = (94, 106, 117)
_ACCENT = (31, 78, 140)
_MARK = (176, 141, 72)
_LINE = (214, 208, 194)
_PAPER = (253, 252, 248)
_WIDTH, _HEIGHT = 297.0, 210.0  # mm
_LONGEST_NAME = 250.0  # mm
_UNNAMED = "the candidate of session {session}"


def certificate(facts: Facts, fonts: Fonts, receipt: str | None) -> tuple[bytes, list[str]]:
    """Return the page, and sentences about what could not be written on it.

    Args:
        facts: of a submission.
        fonts: to write with; where they lack a letter of a name, its place is named instead.
        receipt: the SHA-256 of the submission's receipt, if there is one.

    The same facts, fonts and receipt give the same bytes.
    """
    from fpdf import FPDF

    assert facts.submitted is not None and facts.fingerprint is not None, "it has ended"
    pdf = FPDF(orientation="landscape", unit="mm", format="A4")
    pdf.set_auto_page_break(False)
    pdf.set_margins(0, 0, 0)
    pdf.set_creation_date(facts.submitted)
    pdf.set_lang("en")
    page = _Page(pdf, fonts)
    kind = "Certificate" if facts.passed else "Statement of result"
    name, notes = page.name_of(facts)
    pdf.set_title(f"{kind}: {page.plain(facts.name)}")
    pdf.add_page()
    page.frame(gold=facts.passed)
    page.line(27, facts.name.upper(), "sans", 9.5, _SOFT, spacing=1.2)
    page.line(37, kind, "serif", 34 if facts.passed else 30, _INK)
    page.rule(57)
    page.line(62, "This certifies that" if facts.passed else "This states that", "serif", 13, _SOFT)
    page.line(70, name, "serif", 27, _ACCENT, style="B", fit=_LONGEST_NAME)
    page.line(85, _sentence(facts), "serif", 13, _INK, fit=_LONGEST_NAME)
    page.sections(facts.sections, 100)
    page.foot(facts, receipt)
    return bytes(pdf.output()), notes


def _sentence(facts: Facts) -> str:
    came = f"{facts.total:.4g} points of 100, where {facts.pass_mark:g} are a pass"
    if facts.passed:
        return f"has passed this exam with {came}."
    return f"has sat this exam and come to {came}."


class _Page:
    """What is written on the one page, from its top to its bottom; all lengths are mm."""

    def __init__(self, pdf: FPDF, fonts: Fonts) -> None:
        self._pdf = pdf
        self._fonts = fonts
        self._family = fonts.install(pdf)

    def plain(self, text: str) -> str:
        """Return a text with a question mark for each letter that cannot be written."""
        if self._fonts.known(text):
            return text
        return "".join(one if self._fonts.known(one) else "?" for one in text)

    def name_of(self, facts: Facts) -> tuple[str, list[str]]:
        """Return how the candidate is named here, and a sentence if that is not their name."""
        unnamed = _UNNAMED.format(session=facts.session)
        if facts.candidate is None:
            return unnamed, []
        if self._fonts.known(facts.candidate):
            return facts.candidate, []
        return unnamed, [
            f"The fonts here lack letters of the name {facts.candidate}, so the certificate names "
            "the session; report.html and result.json have the name."
        ]

    def frame(self, *, gold: bool) -> None:
        """Draw paper and border."""
        pdf = self._pdf
        pdf.set_fill_color(*_PAPER)
        pdf.rect(0, 0, _WIDTH, _HEIGHT, style="F")
        pdf.set_draw_color(*(_MARK if gold else _SOFT))
        for inset, width in ((10.0, 1.1), (12.4, 0.25)):
            pdf.set_line_width(width)
            pdf.rect(inset, inset, _WIDTH - 2 * inset, _HEIGHT - 2 * inset)
        pdf.set_line_width(0.25)
        for x in (15.2, _WIDTH - 15.2):  # a small square stands in each corner
            for y in (15.2, _HEIGHT - 15.2):
                pdf.rect(x - 1, y - 1, 2, 2)

    def rule(self, y: float) -> None:
        """Draw the short rule below the heading."""
        self._pdf.set_draw_color(*_MARK)
        self._pdf.set_line_width(0.5)
        self._pdf.line(_WIDTH / 2 - 16, y, _WIDTH / 2 + 16, y)

    def line(
        self,
        y: float,
        text: str,
        family: str,
        size: float,
        colour: tuple[int, int, int],
        *,
        style: Any = "",
        spacing: float = 0.0,
        fit: float = 260.0,
    ) -> None:
        """Write a line in the middle, smaller where it would be too long."""
        pdf, text = self._pdf, self.plain(text)
        pdf.set_text_color(*colour)
        pdf.set_char_spacing(spacing)
        pdf.set_font(self._family[family], style, size)
        while size > 7 and pdf.get_string_width(text) > fit:
            size -= 0.5
            pdf.set_font(self._family[family], style, size)
        text = self._cut(text, fit)
        pdf.set_xy(0, y)
        pdf.cell(_WIDTH, size * 0.5, text, align="C")
        pdf.set_char_spacing(0)

    def sections(self, sections: tuple[SectionFacts, ...], y: float) -> None:
        """Write a line a section: number and title, a dot a score, points."""
        pdf = self._pdf
        left, width = 60.0, _WIDTH - 120.0
        step = min(9.5, 56 / max(1, len(sections)))
        size = min(11.0, step * 1.25)
        pdf.set_draw_color(*_LINE)
        pdf.set_line_width(0.2)
        for number, one in enumerate(sections):
            top = y + number * step
            pdf.line(left, top, left + width, top)
            pdf.set_font(self._family["serif"], "", size)
            pdf.set_text_color(*_INK)
            pdf.set_xy(left, top)
            title = self._cut(self.plain(f"{one.section}   {one.title}"), width * 0.55)
            pdf.cell(width * 0.58, step, title)
            self._dots(one.score, left + width * 0.62, top + step / 2, min(1.5, step / 5))
            pdf.set_xy(left, top)
            pdf.cell(width, step, f"{one.points:.4g} of {one.share:.4g}", align="R")
        end = y + len(sections) * step
        pdf.line(left, end, left + width, end)

    def _dots(self, score: int, x: float, y: float, radius: float) -> None:
        pdf = self._pdf
        for place in range(FULL_SCORE):
            pdf.set_fill_color(*(_ACCENT if place < score else _LINE))
            pdf.circle(x + place * radius * 3.2, y, radius, style="F")

    def foot(self, facts: Facts, receipt: str | None) -> None:
        """Write when and in what it was graded, and by what it can be recognised."""
        assert facts.submitted is not None and facts.fingerprint is not None
        pdf = self._pdf
        day = f"{facts.submitted.day} {facts.submitted:%B %Y}"
        how = "Graded officially" if facts.official else "Graded in practice"
        columns = [
            ("Date", day, "serif"),
            ("Edition", f"{facts.edition} ({facts.variant})", "serif"),
            (how, f"session {facts.session}", "serif"),
            ("Fingerprint", _grouped(facts.fingerprint), "mono"),
        ]
        if receipt is not None:
            columns.append(("Receipt", _grouped(receipt), "mono"))
        left, width = 24.0, _WIDTH - 48.0
        each = width / len(columns)
        for number, (what, value, family) in enumerate(columns):
            x = left + number * each
            pdf.set_text_color(*_SOFT)
            pdf.set_font(self._family["sans"], "", 7)
            pdf.set_xy(x, 174)
            pdf.cell(each, 4, what, align="C")
            pdf.set_text_color(*_INK)
            pdf.set_font(self._family[family], "", 10.5 if family == "serif" else 8.5)
            pdf.set_xy(x, 178.5)
            pdf.cell(each, 5, self.plain(value), align="C")
        pdf.set_text_color(*_SOFT)
        pdf.set_font(self._family["sans"], "", 6.5)
        pdf.set_xy(0, 188.5)
        words = "The fingerprint begins the hash of the ledger's row of this submission."
        if not facts.official:
            words += " A practice score was made on the candidate's own machine."
        pdf.cell(_WIDTH, 4, words, align="C")

    def _cut(self, text: str, width: float) -> str:
        if self._pdf.get_string_width(text) <= width:
            return text
        while text and self._pdf.get_string_width(text + "...") > width:
            text = text[:-1]
        return text + "..."


def _grouped(digest: str) -> str:
    return " ".join(digest[place : place + 4] for place in range(0, 16, 4))
