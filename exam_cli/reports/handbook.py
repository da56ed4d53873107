"""The candidate's handbook: one text, made from the exam and its sections, as HTML and as PDF."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exam_cli.config.edition import Edition
from exam_cli.config.exam import Exam
from exam_cli.config.section import Section
from exam_cli.reports.fonts import Fonts

if TYPE_CHECKING:
    from fpdf import FPDF

_FULL_SCORE = 5
_CELL = re.compile(r"(?<=<td>).*?(?=</td>)", re.DOTALL)
_TAG = re.compile(r"</?(?:code|b|i)>")
_PART = re.compile(r"(?=<h[23]>)")
_KEPT_TOGETHER = 45.0  # mm below a heading, or it begins the next page
_HEADING = re.compile(r"<h2>(.*?)</h2>")
_METRICS = {
    "mae": "the mean absolute error",
    "rmse": "the root of the mean squared error",
    "mae_over_naive": "the mean absolute error, as a share of a naive forecast's",
    "log_loss": "the log loss of predicted probabilities",
    "accuracy": "accuracy, the share of right answers",
    "macro_f1": "macro F1, the mean of the classes' F1",
    "auroc": "the area under the ROC curve",
}
_FEEDBACK = {
    "scores": "a grade tells the score, 0 to 5, and nothing more",
    "summary": "a grade tells the score and the metric",
    "full": "a grade tells the score, the metric, what the next score needs, and hints",
}


@dataclass(frozen=True)
class Handbook:
    """The text (HTML of plain tags) for an exam."""

    title: str
    summary: str
    text: str


def handbook(exam: Exam, sections: list[Section], edition: Edition, file: str) -> Handbook:
    """Return the text.

    Args:
        exam: the rules.
        sections: the exam's, by number.
        edition: that it is sat in.
        file: how candidates name the exam to `exam up --exam`.
    """
    weights = sum(one.weight for one in sections)
    told = [_section(one, 100 * one.weight / weights) for one in sections]
    text = _template("handbook_text.html").render(
        exam=exam,
        sections=told,
        edition=edition,
        file=file,
        time=_time(exam.seconds),
        feedback=_FEEDBACK[exam.feedback],
        lost=_lost(exam, told),
    )
    time = _time(exam.seconds)
    summary = f"{len(sections)} sections, {time or 'no time limit'}, {exam.pass_mark:g} points of "
    summary += "100 to pass. How to set up, how to work, how the result comes about."
    return Handbook(exam.title or exam.exam, summary, text)


def to_html(book: Handbook) -> str:
    """Return one page that needs nothing beside itself."""
    from markupsafe import Markup

    headings = [(_id(found[1]), Markup(found[1])) for found in _HEADING.finditer(book.text)]
    body = _HEADING.sub(lambda found: f'<h2 id="{_id(found[1])}">{found[1]}</h2>', book.text)
    return str(
        _template("handbook.html").render(
            title=book.title, summary=book.summary, headings=headings, body=Markup(body)
        )
    )


def to_pdf(book: Handbook, fonts: Fonts, edition: Edition) -> bytes:
    """Return the same text as PDF, A4; the same bytes for the same text, fonts and edition."""
    from fpdf import FPDF
    from fpdf.fonts import FontFace, TextStyle

    class Paper(FPDF):
        """Pages with a number at their foot."""

        def footer(self) -> None:
            if self.page_no() > 1:
                self.set_y(-14)
                self.set_font(families["sans"], "", 8)
                self.set_text_color(94, 106, 117)
                self.cell(0, 5, f"{plain(book.title)}  |  {self.page_no()}", align="R")

    def plain(text: str) -> str:
        return "".join(one if one == "\n" or fonts.known(one) else "?" for one in text)

    pdf = Paper(format="A4")
    pdf.set_creation_date(datetime.fromtimestamp(edition.epoch, UTC))
    pdf.set_lang("en")
    pdf.set_margins(24, 22, 24)
    pdf.set_auto_page_break(True, 20)
    families = fonts.install(pdf)
    pdf.set_title(plain(f"{book.title}: the candidate's handbook"))
    _cover(pdf, plain(book.title), plain(book.summary), families)
    pdf.add_page()
    pdf.set_font(families["sans"], "", 9.5)
    ink, accent = "#17222d", "#1f4e8c"
    styles = {
        "h2": TextStyle(families["serif"], "B", 20, ink, t_margin=9, b_margin=0.6),
        "h3": TextStyle(families["serif"], "B", 13, accent, t_margin=4, b_margin=0.4),
        "p": TextStyle(t_margin=0, b_margin=0.8),
        "li": TextStyle(l_margin=6, t_margin=1),
        "code": FontFace(family=families["mono"], size_pt=8.5, color="#3a4a58"),
    }
    for part in _PART.split(_for_paper(plain(book.text))):
        if pdf.will_page_break(_KEPT_TOGETHER):
            pdf.add_page()
        pdf.write_html(
            part,
            font_family=families["sans"],
            table_line_separators=True,
            ul_bullet_char="•" if fonts.directory else "-",
            li_prefix_color=accent,
            tag_styles=styles,
        )
    return bytes(pdf.output())


def _for_paper(text: str) -> str:
    """Return the text as fpdf2 wants it: cells plain, no blanks between blocks, lines apart."""
    text = _CELL.sub(lambda found: _TAG.sub("", found[0]), text)
    text = re.sub(r">\s*\n\s*<", "><", text)
    text = text.replace("<table ", '<table cellpadding="1.6" ')
    text = text.replace("<td>", '<td align="left">').replace("<th ", '<th align="left" ')
    return re.sub(r"<(p|ul|ol)>", r'<\1 line-height="1.35">', text)


def _cover(pdf: FPDF, title: str, summary: str, families: dict[str, str]) -> None:
    """Draw the first page."""
    pdf.add_page()
    pdf.set_fill_color(23, 34, 45)
    pdf.rect(0, 0, 210, 297, style="F")
    pdf.set_draw_color(176, 141, 72)
    pdf.set_line_width(0.8)
    pdf.line(24, 96, 56, 96)
    pdf.set_text_color(176, 190, 204)
    pdf.set_font(families["sans"], "", 10)
    pdf.set_xy(24, 80)
    pdf.set_char_spacing(1)
    pdf.cell(0, 6, "THE CANDIDATE'S HANDBOOK")
    pdf.set_char_spacing(0)
    pdf.set_text_color(255, 255, 255)
    pdf.set_font(families["serif"], "B", 40)
    pdf.set_xy(24, 104)
    pdf.multi_cell(162, 16, title, align="L")
    pdf.set_text_color(206, 214, 222)
    pdf.set_font(families["serif"], "", 14)
    pdf.set_xy(24, pdf.get_y() + 6)
    pdf.multi_cell(140, 7, summary, align="L")
    pdf.set_text_color(23, 34, 45)
    pdf.set_fill_color(255, 255, 255)
    pdf.set_draw_color(214, 208, 194)
    pdf.set_line_width(0.2)


def _section(one: Section, share: float) -> dict[str, Any]:
    way = "lower is better" if one.metric.better == "lower" else "higher is better"
    name = one.metric.name if one.metric.file else _METRICS[one.metric.name]
    return {
        "section": one.section,
        "category": one.category,
        "skills": one.skills,
        "share": f"{share:.4g}",
        "worth": share,
        "metric": f"{name} ({way})",
        "megabytes": one.contract.max_megabytes,
        "seconds": one.limits.predict_seconds,
        "points": [f"{share * score / _FULL_SCORE:.4g}" for score in (1, 3, 5)],
    }


def _lost(exam: Exam, sections: list[dict[str, Any]]) -> str | None:
    """Return in words how much one may lose and still pass; None where that says little."""
    spare = 100 - exam.pass_mark
    step = {one["section"]: one["worth"] / _FULL_SCORE for one in sections}
    may = [str(number) for number, worth in step.items() if worth <= spare + 1e-9]
    if not may or spare >= 50:
        return None
    if len(may) == len(step):
        return "one section, whichever it is, may miss its last band while all others score 5"
    return f"all others scoring 5, section {' or '.join(may)} may miss its last band"


def _time(seconds: int | None) -> str | None:
    if seconds is None:
        return None
    hours, minutes = divmod(seconds // 60, 60)
    parts = [f"{hours} hour{'s' * (hours != 1)}"] if hours else []
    return " ".join([*parts, *([f"{minutes} minutes"] if minutes else [])])


def _id(heading: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", heading.lower()).strip("-")


def _template(name: str) -> Any:
    from jinja2 import Environment, StrictUndefined

    source = Path(__file__).with_name(name).read_text(encoding="utf-8")
    return Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined
    ).from_string(source)
