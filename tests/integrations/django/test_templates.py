"""Queries that a template sends: its file, line and tag, and the line of Python where the fix goes."""

from pathlib import Path

import pytest
from django.template import engines
from django.test import Client

from dbprofile import Finding, Report
from dbprofile.output.renderers import text
from tests.integrations.django import project
from tests.integrations.django.conftest import Judge
from tests.integrations.django.shop.models import Order, fill

pytestmark = pytest.mark.usefixtures("shop")

TEMPLATE = project.FOLDER / "templates" / "orders.html"
VIEWS = project.FOLDER / "shop" / "views.py"


def line_of(path: Path, fragment: str) -> int:
    lines = path.read_text(encoding="utf-8").splitlines()
    (line,) = (number for number, text in enumerate(lines, 1) if fragment in text)
    return line


def page_finding(reports: list[Report], address: str) -> Finding:
    assert Client().get(address).status_code == 200
    (report,) = reports
    (finding,) = report.findings
    return finding


def test_the_trigger_is_the_tag_in_the_template(reports: list[Report]) -> None:
    finding = page_finding(reports, "/orders/template/")
    assert finding.code == "DBP101"
    trigger = finding.trigger
    assert trigger is not None
    assert (trigger.file, trigger.template, trigger.tag) == (str(TEMPLATE), "orders.html", "order.customer.name")
    assert trigger.line == line_of(TEMPLATE, "order.customer.name")
    view = next(site for site in finding.callers if site.template is None)
    assert (view.function, view.file) == ("order_template", str(VIEWS))


def test_the_rows_of_a_list_made_in_the_view_come_from_the_view(reports: list[Report]) -> None:
    finding = page_finding(reports, "/orders/template/")
    assert finding.origin is not None
    assert (finding.origin.file, finding.origin.line) == (str(VIEWS), line_of(VIEWS, "orders = list(Order"))
    assert finding.origin_rows == 5


def test_rows_that_the_template_loads_come_from_where_their_queryset_is_written(reports: list[Report]) -> None:
    finding = page_finding(reports, "/orders/lazy/")
    place = line_of(VIEWS, "Order.objects.filter(open=True)")
    assert finding.origin is not None
    assert (finding.origin.file, finding.origin.line) == (str(VIEWS), place)
    assert finding.fix is not None
    assert finding.fix.place == finding.origin
    assert finding.fix.certain
    assert finding.fix.text == 'Order.objects.filter(open=True).order_by("pk").select_related("customer")'


def test_a_queryset_that_a_class_based_view_names_is_the_line_of_the_fix(reports: list[Report]) -> None:
    finding = page_finding(reports, "/orders/class/")
    assert finding.fix is not None
    assert finding.fix.text == 'Order.objects.order_by("pk").select_related("customer")'
    assert finding.fix.place is not None
    assert (finding.fix.place.file, finding.fix.place.line) == (str(VIEWS), line_of(VIEWS, "queryset = Order"))


def test_a_class_based_view_that_names_a_model_is_named_with_its_hook(reports: list[Report]) -> None:
    finding = page_finding(reports, "/orders/class/of/model/")
    assert finding.fix is not None
    assert not finding.fix.certain
    assert finding.fix.text == '.select_related("customer") in get_queryset() of ModelList'
    assert finding.fix.place is not None
    assert (finding.fix.place.file, finding.fix.place.line) == (str(VIEWS), line_of(VIEWS, "class ModelList"))


def test_the_block_that_people_read_names_template_view_and_fix(reports: list[Report]) -> None:
    Client().get("/orders/lazy/")
    printed = text.render(reports, root=project.FOLDER)
    assert "templates/orders.html:6" in printed
    assert "{{ order.customer.name }}" in printed
    assert f"rows came from shop/views.py:{line_of(VIEWS, 'Order.objects.filter(open=True)')}" in printed
    assert '.select_related("customer")' in printed


def test_two_tags_on_different_lines_are_no_loop(judge: Judge) -> None:
    fill(2)
    template = engines["django"].from_string("{{ first.customer.name }}\n{{ second.customer.name }}")

    def block() -> None:
        first, second = Order.objects.all()
        template.render({"first": first, "second": second})

    assert judge(block).findings == ()


def test_a_template_without_a_file_is_named_as_django_names_it(judge: Judge) -> None:
    template = engines["django"].from_string("{% for order in orders %}\n{{ order.customer.name }}{% endfor %}")
    (finding,) = judge(lambda: template.render({"orders": Order.objects.all()})).findings
    assert finding.trigger is not None
    assert finding.trigger.line == 2
    assert finding.trigger.tag == "order.customer.name"
