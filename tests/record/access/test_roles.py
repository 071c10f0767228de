"""What each role allows: the whole table, and how grants and scopes narrow it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from record.access.rules import Action, Caller, Grant, Role, checked_grants
from record.ids import OrgId, PrincipalId, uuid7
from record.refusals import InvalidInput, NotAllowed

TABLE = {
    Role.ADMIN: "read write snapshot archive administer",
    Role.WRITER: "read write",
    Role.SNAPSHOTTER: "snapshot",
    Role.APPROVER: "read review",
    Role.AUDITOR: "read archive",
    Role.READER: "read",
}
ROLE_NAMES = st.sampled_from([role.value for role in Role])
FLOWS = st.none() | st.frozensets(st.sampled_from(["pay", "web", "ops"]))
ENVIRONMENTS = st.none() | st.frozensets(st.sampled_from(["prod", "staging"]))
GRANTS = st.builds(Grant, st.sampled_from(Role), FLOWS, ENVIRONMENTS)


def caller(*grants: Grant, scopes: tuple[Grant, ...] | None = None) -> Caller:
    return Caller(OrgId(uuid7()), "acme", PrincipalId(uuid7()), "will", None, grants, scopes)


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("action", Action)
def test_a_role_allows_what_the_table_says_and_nothing_else(role: Role, action: Action) -> None:
    allowed = action.name.lower() in TABLE[role].split()

    assert caller(Grant(role)).may(action) is allowed
    if not allowed:
        with pytest.raises(NotAllowed, match="Ask an admin for the role"):
            caller(Grant(role)).require(action)


def test_nobody_without_a_role_may_do_anything() -> None:
    assert not any(caller().may(action) for action in Action)


def test_a_narrowed_grant_covers_its_flows_and_not_the_organization() -> None:
    narrowed = caller(Grant(Role.WRITER, frozenset({"pay"})))

    assert narrowed.may(Action.WRITE, flow="pay")
    assert not narrowed.may(Action.WRITE, flow="web")
    assert not narrowed.may(Action.WRITE)
    assert narrowed.readable_flows() == frozenset({"pay"})


def test_a_grant_for_no_flows_is_not_a_grant_for_all_flows() -> None:
    nowhere = caller(Grant(Role.WRITER, frozenset()))

    assert not nowhere.may(Action.WRITE, flow="pay")
    assert nowhere.readable_flows() == frozenset()


def test_a_grant_for_environments_covers_them_and_neither_flows_nor_the_organization() -> None:
    narrowed = caller(Grant(Role.WRITER, environments=frozenset({"staging"})))

    assert narrowed.may(Action.WRITE, environment="staging")
    assert narrowed.may(Action.WRITE, environment="staging", flow="pay")
    assert not narrowed.may(Action.WRITE, environment="prod")
    assert not narrowed.may(Action.WRITE, flow="pay")
    assert not narrowed.may(Action.WRITE)
    assert narrowed.readable_environments() == frozenset({"staging"})
    assert narrowed.readable_flows() == frozenset()


def test_a_grant_for_flows_covers_no_environment() -> None:
    narrowed = caller(Grant(Role.WRITER, frozenset({"pay"})))

    assert not narrowed.may(Action.WRITE, environment="staging")
    assert narrowed.may(Action.WRITE, flow="pay", environment="staging")
    assert narrowed.readable_environments() == frozenset()


def test_a_grant_for_flows_and_environments_covers_each_of_them_and_nothing_that_is_outside_of_either() -> None:
    both = caller(Grant(Role.WRITER, frozenset({"pay"}), frozenset({"staging"})))

    assert both.may(Action.WRITE, flow="pay")
    assert both.may(Action.WRITE, environment="staging")
    assert both.may(Action.WRITE, flow="pay", environment="staging")
    assert not both.may(Action.WRITE, flow="pay", environment="prod")
    assert not both.may(Action.WRITE, flow="web", environment="staging")
    assert not both.may(Action.WRITE)


def test_a_refusal_names_the_environment() -> None:
    with pytest.raises(NotAllowed, match="report snapshots in the environment prod. Ask an admin .* on prod"):
        caller(Grant(Role.SNAPSHOTTER, environments=frozenset({"staging"}))).require(
            Action.SNAPSHOT, environment="prod"
        )


def test_scopes_only_ever_narrow() -> None:
    reading_admin = caller(Grant(Role.ADMIN), scopes=(Grant(Role.READER),))
    ambitious_reader = caller(Grant(Role.READER), scopes=(Grant(Role.ADMIN),))

    assert [action for action in Action if reading_admin.may(action)] == [Action.READ]
    assert [action for action in Action if ambitious_reader.may(action)] == [Action.READ]


def test_a_key_with_an_empty_list_of_scopes_opens_nothing() -> None:
    assert not any(caller(Grant(Role.ADMIN), scopes=()).may(action) for action in Action)


def test_the_readable_flows_are_those_of_roles_and_scopes_together() -> None:
    roles = (Grant(Role.READER, frozenset({"pay", "web"})), Grant(Role.SNAPSHOTTER))

    assert caller(*roles).readable_flows() == frozenset({"pay", "web"})
    assert caller(*roles, scopes=(Grant(Role.READER, frozenset({"web", "ops"})),)).readable_flows() == frozenset(
        {"web"}
    )
    assert caller(*roles, scopes=(Grant(Role.READER),)).readable_flows() == frozenset({"pay", "web"})
    assert caller(Grant(Role.READER), scopes=(Grant(Role.READER, frozenset({"ops"})),)).readable_flows() == frozenset(
        {"ops"}
    )


def test_what_belongs_to_no_flow_needs_the_role_somewhere_and_the_scope_too() -> None:
    narrowed = Grant(Role.WRITER, frozenset({"pay"}))

    caller(narrowed).require_somewhere(Action.WRITE)
    with pytest.raises(NotAllowed):
        caller(narrowed, scopes=(Grant(Role.READER),)).require_somewhere(Action.WRITE)
    with pytest.raises(NotAllowed):
        caller(Grant(Role.READER)).require_somewhere(Action.WRITE)


@given(st.lists(GRANTS), st.none() | st.lists(GRANTS), st.sampled_from(Action), FLOWS)
def test_a_scoped_key_may_never_do_more_than_its_principal(
    grants: list[Grant], scopes: list[Grant] | None, action: Action, flows: frozenset[str] | None
) -> None:
    whole = caller(*grants)
    scoped = caller(*grants, scopes=None if scopes is None else tuple(scopes))

    for flow in (None, *(flows or ())):
        assert whole.may(action, flow=flow) or not scoped.may(action, flow=flow)
    for flow in ("pay", "web", "ops"):
        readable = scoped.readable_flows()
        assert scoped.may(Action.READ, flow=flow) is (readable is None or flow in readable)
    for environment in ("prod", "staging"):
        readable = scoped.readable_environments()
        assert scoped.may(Action.READ, environment=environment) is (readable is None or environment in readable)
        assert whole.may(action, environment=environment) or not scoped.may(action, environment=environment)


@given(GRANTS)
def test_a_grant_survives_being_written_down(grant: Grant) -> None:
    assert checked_grants([grant.to_json()], field="grants") == (grant,)


@pytest.mark.parametrize("wish", [{"role": "owner"}, {"role": "Admin"}, {}, {"role": None}])
def test_an_unknown_role_is_refused_with_the_known_ones(wish: dict[str, str]) -> None:
    with pytest.raises(InvalidInput, match="admin, writer, snapshotter, approver, auditor, reader"):
        checked_grants([wish], field="grants")
