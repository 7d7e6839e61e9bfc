"""Evaluation of policy documents in general: matching, conditions, and that doubt never opens anything."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.aws import conditions, policy

ACTION, RESOURCE = "route53:ListTagsForResource", "arn:aws:route53:::hostedzone/Z1"
CONTEXT = {"k:one": ("b",), "k:many": ("a", "b"), "k:number": ("5",), "k:flag": ("true",)}


def statement(effect: str = "Allow", **elements: Any) -> dict[str, Any]:
    """A statement on everything, but for the elements given; an element set to None is left out."""
    whole = {"Effect": effect, "Action": "*", "Resource": "*", **elements}
    return {key: value for key, value in whole.items() if value is not None}


def allowed(*statements: Any, action: str = ACTION, resources: tuple[str, ...] | None = (RESOURCE,), **document: Any):
    content = {"Version": "2012-10-17", "Statement": list(statements), **document}
    return policy.evaluate([policy.Document("p", content)], action, resources, CONTEXT).allowed


@pytest.mark.parametrize(
    ("elements", "expected"),
    [
        ({"Action": "ROUTE53:listtagsforresource"}, True),
        ({"Action": "route53:List*"}, True),
        ({"Action": "route53:ListTagsForResourc?"}, True),
        ({"Action": "route53:ListTags"}, False),
        ({"Action": ["route53:GetChange", "route53:*ForResource"]}, True),
        ({"Action": "route53.ListTagsForResource"}, False),
        ({"Action": None, "NotAction": "iam:*"}, True),
        ({"Action": None, "NotAction": ["iam:*", "route53:*"]}, False),
        ({"Resource": RESOURCE}, True),
        ({"Resource": RESOURCE.upper()}, False),
        ({"Resource": "arn:aws:route53:::hostedzone/Z?"}, True),
        ({"Resource": "arn:aws:route53:::hostedzone/Z"}, False),
        ({"Resource": "arn:aws:route53:::change/*"}, False),
        ({"Resource": None, "NotResource": "arn:aws:route53:::hostedzone/Z2"}, True),
        ({"Resource": None, "NotResource": "arn:aws:route53:::hostedzone/*"}, False),
        ({"Action": None}, False),
        ({"Resource": None}, False),
        ({"NotAction": "iam:*"}, False),
        ({"Action": []}, False),
        ({"Action": [1]}, False),
        ({"Resource": "arn:aws:route53:::hostedzone/${aws:username}"}, False),
        ({"Principal": "*"}, False),
        ({"Condition": "yes"}, False),
        ({"Condition": {"StringEquals": "yes"}}, False),
        ({"Condition": {"DateGreaterThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}}}, False),
    ],
)
def test_an_allow_statement_allows_what_it_surely_covers(elements, expected):
    assert allowed(statement(**elements)) is expected


@pytest.mark.parametrize(
    "elements",
    [
        {"Action": None},
        {"Resource": "arn:aws:route53:::hostedzone/${aws:username}"},
        {"Principal": "*"},
        {"Condition": {"DateGreaterThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}}},
        {"Condition": {"StringEquals": {"k:many": "a"}}},
    ],
)
def test_a_deny_statement_that_is_not_understood_denies(elements):
    assert not allowed(statement(), statement("Deny", **elements))


def test_a_deny_statement_that_surely_does_not_apply_denies_nothing():
    assert allowed(statement(), statement("Deny", Action="iam:*", Principal="*"))
    assert allowed(
        statement(), statement("Deny", Condition={"StringEquals": {"k:one": "other"}, "IpAddress": {"a": "b"}})
    )


@pytest.mark.parametrize("broken", [{"Effect": "allow"}, {"Effect": None}])
def test_an_effect_that_is_neither_allow_nor_deny_denies(broken):
    assert not allowed(statement(), statement(**broken))


def test_a_document_that_cannot_be_read_denies_everything():
    good = policy.Document("good", {"Version": "2012-10-17", "Statement": statement()})
    for text in ("", "[]", "{", '{"Statement": [], "Statement": []}'):
        decision = policy.evaluate([good, policy.Document.parse("bad", text)], ACTION, (RESOURCE,), {})
        assert not decision.allowed, f"{text!r} might have held a deny"
        assert "policy bad" in decision.detail
    read = policy.Document.parse("good", json.dumps({"Version": "2012-10-17", "Statement": statement()}))
    assert policy.evaluate([read], ACTION, (RESOURCE,), {}).allowed, "a single statement need not be in a list"


def test_documents_of_an_unknown_kind_allow_nothing():
    assert not allowed(statement(), Version="2030-01-01")
    assert not allowed(statement(), Extra=1)


def test_without_policies_nothing_is_allowed():
    assert not policy.evaluate([], ACTION, (RESOURCE,), {}).allowed
    assert not policy.evaluate([], ACTION, (), {}).allowed


def test_each_of_several_resources_has_to_be_allowed():
    only = statement(Resource=RESOURCE)
    assert not allowed(only, resources=(RESOURCE, "arn:aws:route53:::hostedzone/Z2"))
    assert not allowed(only, resources=("*",)), "an action without resources needs a statement on *"


def test_a_resource_that_is_not_known_needs_a_statement_on_everything():
    assert allowed(statement(), resources=None)
    assert not allowed(statement(Resource="arn:aws:iam::123456789012:user/a"), resources=None)
    assert not allowed(statement(Resource=None, NotResource="arn:aws:s3:::b"), resources=None)
    assert not allowed(statement(), statement("Deny", Resource="arn:aws:iam::123456789012:user/a"), resources=None)
    assert allowed(statement(), statement("Deny", Resource=None, NotResource="*"), resources=None)


@pytest.mark.parametrize(
    ("operator", "key", "expected", "holds"),
    [
        ("StringEquals", "K:One", "b", True),
        ("StringEquals", "k:one", ["a", "b"], True),
        ("StringEquals", "k:one", "B", False),
        ("StringEqualsIgnoreCase", "k:one", "B", True),
        ("StringNotEquals", "k:one", ["a", "b"], False),
        ("StringNotEquals", "k:one", "a", True),
        ("StringNotEqualsIgnoreCase", "k:one", "B", False),
        ("StringLike", "k:one", "?", True),
        ("StringNotLike", "k:one", "a*", True),
        ("StringEquals", "k:none", "b", False),
        ("StringNotEquals", "k:none", "b", True),
        ("StringEqualsIfExists", "k:none", "b", True),
        ("StringEqualsIfExists", "k:one", "a", False),
        ("StringEquals", "k:many", "a", None),
        ("ForAllValues:StringEquals", "k:many", ["a", "b", "c"], True),
        ("ForAllValues:StringEquals", "k:many", "a", False),
        ("ForAllValues:StringEquals", "k:none", "a", True),
        ("ForAllValues:StringNotEquals", "k:many", "a", False),
        ("ForAllValues:StringNotLike", "k:many", "c*", True),
        ("ForAnyValue:StringEquals", "k:many", "a", True),
        ("ForAnyValue:StringLike", "k:many", "c*", False),
        ("ForAnyValue:StringNotEquals", "k:many", "a", True),
        ("ForAnyValue:StringEquals", "k:none", "a", False),
        ("ForAnyValue:StringNotEquals", "k:none", "a", False),
        ("ForAnyValue:StringEqualsIfExists", "k:none", "a", True),
        ("Null", "k:none", "true", True),
        ("Null", "k:one", True, False),
        ("Null", "k:one", "false", True),
        ("Null", "k:one", "maybe", None),
        ("NullIfExists", "k:one", "false", None),
        ("Bool", "k:flag", True, True),
        ("Bool", "k:flag", "FALSE", False),
        ("Bool", "k:flag", "maybe", None),
        ("NumericEquals", "k:number", 5, True),
        ("NumericLessThan", "k:number", "5.5", True),
        ("NumericGreaterThanEquals", "k:number", "6", False),
        ("NumericNotEquals", "k:number", "5", False),
        ("NumericLessThan", "k:one", "6", False),
        ("NumericLessThan", "k:number", "six", None),
        ("IpAddress", "k:one", "10.0.0.0/8", None),
        ("stringequals", "k:one", "b", None),
        ("ForSomeValues:StringEquals", "k:one", "b", None),
        ("StringEquals", "k:one", "${aws:username}", None),
        ("StringEquals", "k:one", [], None),
        ("StringEquals", "k:one", {"a": "b"}, None),
    ],
)
def test_condition_operators(operator, key, expected, holds):
    assert conditions.holds(operator, key, expected, CONTEXT) is holds


words = st.sampled_from(["*", "a:*", "a:Get", "a:G?t", "b:*", "b:List", "${x}"])
arns = st.sampled_from(["*", "arn:1", "arn:2", "arn:*"])
blocks = st.dictionaries(
    st.sampled_from(["StringEquals", "ForAllValues:StringLike", "ForAnyValue:StringNotEquals", "Null", "IpAddress"]),
    st.dictionaries(
        st.sampled_from(["k:one", "k:many", "k:none"]), st.sampled_from(["a", "b", "*", "true"]), max_size=2
    ),
    max_size=2,
)
statements = st.fixed_dictionaries(
    {"Effect": st.sampled_from(["Allow", "Deny"])},
    optional={
        "Action": st.lists(words, max_size=2),
        "NotAction": words,
        "Resource": st.lists(arns, max_size=2),
        "NotResource": arns,
        "Condition": blocks,
        "Sid": st.just("x"),
        "Principal": st.just("*"),
    },
)
asked = st.fixed_dictionaries(
    {
        "action": st.sampled_from(["a:Get", "b:List", "c:Put"]),
        "resources": st.sampled_from([("arn:1",), ("arn:1", "arn:2"), ("*",), None]),
    }
)


@settings(deadline=None)
@given(st.lists(statements, max_size=5), st.data(), asked)
def test_removing_an_allow_never_allows_more_and_removing_a_deny_never_less(listed, data, call):
    if not listed:
        return
    number = data.draw(st.integers(0, len(listed) - 1))
    before, after = allowed(*listed, **call), allowed(*listed[:number], *listed[number + 1 :], **call)
    if listed[number]["Effect"] == "Allow":
        assert before or not after
    else:
        assert after or not before


@settings(deadline=None)
@given(st.lists(statements, max_size=5), st.integers(0, 5), asked)
def test_an_explicit_deny_always_wins(listed, position, call):
    deny = statement("Deny")
    assert not allowed(*listed[:position], deny, *listed[position:], **call)


@settings(deadline=None)
@given(
    st.lists(
        st.recursive(
            st.none() | st.booleans() | st.text(max_size=4),
            lambda x: st.lists(x) | st.dictionaries(st.sampled_from([*policy.ELEMENTS]), x),
            max_leaves=8,
        )
    ),
    asked,
)
def test_no_document_makes_the_evaluation_fail(anything, call):
    assert allowed(*anything, **call) in (True, False)
