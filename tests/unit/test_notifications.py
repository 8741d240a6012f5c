"""Notification classes: the name says the template, the fields are the variables."""

from dataclasses import dataclass
from typing import ClassVar

import pytest
from attrs import define, field, frozen

from notifykit._notifications import Notification, template_and_variables, template_name
from notifykit.errors import ConfigurationError


@frozen
class OrderShipped(Notification):
    order: int
    carrier: str = "DHL"


@define
class OrderDelayed(OrderShipped):
    days: int = field(default=1, kw_only=True)
    kind: ClassVar[str] = "no variable"


@dataclass
class OrderLost(Notification):
    order: int


@frozen
class Renamed(Notification):
    template = "other"


@pytest.mark.parametrize(
    ("name", "template"),
    [
        ("OrderShipped", "order_shipped"),
        ("Welcome", "welcome"),
        ("SMSCode", "sms_code"),
        ("NewHTTPServer", "new_http_server"),
        ("Order2Shipped", "order2_shipped"),
        ("A", "a"),
        ("order_shipped", "order_shipped"),
    ],
)
def test_the_name_of_the_class_is_the_template_in_snake_case(name: str, template: str) -> None:
    assert template_name(type(name, (Notification,), {})) == template


def test_a_class_may_name_another_template() -> None:
    assert template_and_variables(Renamed()) == ("other", {})


def test_the_fields_of_an_attrs_class_are_the_variables() -> None:
    assert template_and_variables(OrderShipped(81)) == ("order_shipped", {"order": 81, "carrier": "DHL"})


def test_inherited_fields_are_variables_and_class_variables_are_not() -> None:
    assert template_and_variables(OrderDelayed(81, days=3)) == ("order_delayed", {"order": 81, "carrier": "DHL", "days": 3})


def test_a_dataclass_serves_too() -> None:
    assert template_and_variables(OrderLost(81)) == ("order_lost", {"order": 81})


def test_a_name_and_a_mapping_serve_too() -> None:
    variables = {"order": 81}
    template, found = template_and_variables("order_shipped", variables)
    assert (template, found) == ("order_shipped", variables)
    assert found is not variables


def test_given_variables_stand_over_the_notifications_own() -> None:
    assert template_and_variables(OrderShipped(81), {"carrier": "UPS", "note": "x"})[1] == {"order": 81, "carrier": "UPS", "note": "x"}


def test_values_are_passed_as_they_are() -> None:
    inner = OrderShipped(1)
    assert template_and_variables(OrderLost(inner))[1]["order"] is inner  # type: ignore[arg-type]


class Plain(Notification):
    pass


@pytest.mark.parametrize(
    ("notification", "variables", "sentence"),
    [
        (Plain(), None, "Plain must be an attrs class or a dataclass"),
        (OrderShipped, None, "a template's name or a Notification"),
        ({"order": 81}, None, "a template's name or a Notification"),
        (None, None, "a template's name or a Notification"),
        ("order_shipped", [("order", 81)], "variables must be a mapping"),
        (OrderShipped(81), "order", "variables must be a mapping"),
    ],
)
def test_anything_else_is_refused_with_what_to_give(notification: object, variables: object, sentence: str) -> None:
    with pytest.raises(ConfigurationError, match=sentence):
        template_and_variables(notification, variables)  # type: ignore[arg-type]
