"""Second people say yes, and until when, on a real server."""

from tests.cli.running import Muniment


def test_an_approval_is_asked_for_given_and_asserted(delivery: Muniment) -> None:
    environment = delivery.environment["PRODUCTION"]
    reviewer = delivery.key_of(f"reviewer-{environment}", {"role": "APPROVER"}, {"role": "READER"})
    gate = ["assert", "approval", "app.jar", "--environment", environment]

    assert delivery(*gate).code == 1
    asked = delivery(
        "request", "approval", environment, "--name", "app.jar", "--description", "Refunds", "--output", "json"
    )
    assert asked.code == 0, asked.said
    approval = asked.json["approval"]["id"]
    assert delivery(*gate).code == 1
    assert delivery("review", "approval", approval, "--approve").code == 4  # whoever requested it never reviews it
    given = delivery("review", "approval", approval, "--approve", "--comment", "Tried it", "--api-key", reviewer)

    assert given.code == 0, given.said
    told = delivery(*gate, "--output", "json")
    assert (told.code, told.json["approved_by"]) == (0, [f"reviewer-{environment}"])
    assert delivery(*gate, "--min", "2").code == 1
    assert "Tried it" in delivery("get", "approval", approval).out
    listed = delivery("list", "approvals", "--state", "approved", "--environment", environment, "--output", "json").json
    assert [each["id"] for each in listed] == [approval]


def test_an_approval_that_was_given_elsewhere_is_reported(delivery: Muniment) -> None:
    environment = delivery.environment["PRODUCTION"]
    reporter = delivery.key_of(f"desk-{environment}", {"role": "APPROVER"}, {"role": "WRITER"}, {"role": "READER"})

    told = delivery(
        *("report", "approval", environment, "--name", "app.jar", "--approved-by", "grace", "--requested-for", "ada"),
        *("--url", "https://tickets.example.org/87", "--api-key", reporter, "--output", "json"),
    )

    assert told.code == 0, told.said
    assert (told.json["approval"]["state"], told.json["approval"]["approvedBy"]) == ("APPROVED", ["grace"])


def test_an_artifact_is_allowed_by_two_people_until_a_date(delivery: Muniment) -> None:
    environment = delivery.environment["PRODUCTION"]
    second = delivery.key_of(f"second-{environment}", {"role": "APPROVER"}, {"role": "READER"})

    asked = delivery(
        *("allow", "artifact", "--name", "app.jar", "--environment", environment, "--reason", "Replaced in May"),
        *("--days", "20", "--output", "json"),
    )
    assert asked.code == 0, asked.said
    waiver = asked.json["waiver"]["id"]
    accepted = delivery("accept", "waiver", waiver, "--comment", "Seen", "--api-key", second, "--output", "json")

    assert asked.json["waiver"]["state"] == "REQUESTED"
    assert waiver in asked.said
    assert accepted.code == 0, accepted.said
    assert accepted.json["waiver"]["state"] == "IN_FORCE"
    ended = delivery("revoke", "waiver", waiver, "--reason", "It was replaced", "--output", "json")
    assert ended.json["waiver"]["state"] == "REVOKED"
    assert "revoked" in delivery("list", "waivers", "--environment", environment).out.lower()
