"""Attestations: the record that a control was carried out, each type with what it is judged by."""

from __future__ import annotations

from muniment.command import LIST, NUMBER, SWITCH, Argument, Command, Option
from muniment.commands import reporting, shared, subjects
from muniment.commands.files import attached, json_of
from muniment.documents import Mutation, Query
from muniment.exits import BadUsage, Refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from muniment.context import Context
    from muniment.evidence import File
    from muniment.exits import ExitCode


def _mutation(name: str, input_type: str) -> Mutation:
    selection = "compliant explanation attestation { id name type flowName trailName }"
    return Mutation(name, input_type, "AttestationRecorded", selection, noted="annotations")


GENERIC = _mutation("attestGeneric", "AttestGenericInput")
JUNIT = _mutation("attestJunit", "AttestJunitInput")
SARIF = _mutation("attestSarif", "AttestScanInput")
SNYK = _mutation("attestSnyk", "AttestScanInput")
TRIVY = _mutation("attestTrivy", "AttestScanInput")
SBOM = _mutation("attestSbom", "AttestSbomInput")
PROVENANCE = _mutation("attestProvenance", "AttestProvenanceInput")
CUSTOM = _mutation("attestCustom", "AttestCustomInput")
PULL_REQUEST = _mutation("attestPullRequest", "AttestPullRequestInput")
TICKET = _mutation("attestTicket", "AttestTicketInput")
SONAR = _mutation("attestSonar", "AttestSonarInput")
OVERRIDE = _mutation("override", "OverrideInput")
GET = Query("""
query($flow: String!, $trail: String!) { record { trail(flow: $flow, name: $trail) { attestations {
  id name type compliant explanation fingerprint templateName commit description originUrl attestedAt attestedBy expiresAt
  summary annotations userData externalUrls { label url fingerprint } evidence { fileName digest mediaType size url } } } } }
""")

NAME = Option("--name", "-n", help="what the template calls it; app.unit-tests is about the artifact app", value="NAME")
COMPLIANT = Option("--compliant", "-C", kind=SWITCH, help="the verdict: true or false; there is no default")
RESULTS = Option(
    "--results-dir", "--results-file", "-R", kind=LIST, help="JUnit XML files, and directories of them", value="PATHS"
)
REPORT = Option("--scan-results", "--report", "--results-file", "-R", help="the scanner's own report", value="FILE")
SBOM_FILE = Option("--sbom-file", "--report", help="CycloneDX or SPDX document", value="FILE")
ENVELOPE = Option("--envelope", "--attestation-file", help="DSSE envelope or sigstore bundle", value="FILE")
TYPE = Option("--type", help="the attestation type that you defined", value="NAME")
DATA = Option("--attestation-data", "--data", help="file with the JSON that the type judges", value="FILE")
TOLD = Option("--data", "--attestation-data", help="file with the JSON that tells of it", value="FILE")
APPROVALS = Option(
    "--min-approvals", kind=NUMBER, help="how many others must have approved it; 1 without this", value="N"
)
STATES = Option("--states", kind=LIST, help="accepted states: merged, open, closed, draft", value="STATES")
MOST = tuple(
    Option(f"--max-{severity}", kind=NUMBER, help=f"how many {severity} findings are accepted", value="N")
    for severity in ("critical", "high", "medium", "low")
)
OVERRIDES = Option(
    "--overrides", "--original-attestation", help="name of the attestation that is replaced", value="NAME"
)
REASON = Option("--reason", help="why", value="TEXT")
EXPIRES = Option("--expires-at", help="until when, such as 2026-12-31T00:00:00Z", value="INSTANT")


def record(
    context: Context,
    mutation: Mutation,
    name: str,
    given: dict[str, Any],
    *,
    fingerprint: str | None = None,
    files: Sequence[File] = (),
    attachments: Sequence[File] | None = None,
) -> ExitCode:
    """Records an attestation. `files` are what `given` names beside the attachments, which are those that the options name."""
    place = reporting.place_of(context)
    if attachments is None:
        attachments = attached(context, beside=len(files))
    whole = {
        "flow": place.flow,
        "trail": place.trail,
        "name": name,
        "fingerprint": fingerprint,
        "commit": place.sha,
        **reporting.alongside(context),
        "evidence": [file.named() for file in attachments] or None,
        **given,
    }
    outcome = context.record(
        mutation, whole, files=[*files, *attachments], trail=reporting.beginning_of(context, place)
    )
    return context.told(
        outcome,
        lambda done: [
            ("attestation", name),
            ("compliant", done["compliant"]),
            ("why", done["explanation"]),
            ("link", context.link(done["receipt"]["ledger"], "flows", place.flow, "trails", place.trail)),
        ],
    )


def about(context: Context) -> str | None:
    """The fingerprint of the artifact that an attestation is about; None when it is about the trail, or names its artifact."""
    given = subjects.given_fingerprint(context)
    artifact = context.argument("ARTIFACT")
    if given is not None or artifact is None:
        return given
    return subjects.fingerprint_here(context, artifact)[0]


def results(context: Context, paths: Sequence[str]) -> list[File]:
    """JUnit files of these paths; of directories only the XML files."""
    import os

    from muniment.evidence import gathered

    if not paths:
        raise BadUsage("Which results are meant? Give --results-file or --results-dir.")
    files = [file for file in gathered(paths) if file.path in paths or os.path.splitext(file.path)[1].lower() == ".xml"]
    if not files:
        raise BadUsage(f"There is no XML file in {', '.join(paths)}. Name the directory that the tests wrote to.")
    for file in files:
        file.media_type = "application/xml"
    return files


def _generic(context: Context) -> ExitCode:
    compliant = context.settings.value(COMPLIANT)
    if compliant is None:
        raise BadUsage("Is it compliant? Give --compliant=true or --compliant=false: nothing is compliant by default.")
    return record(context, GENERIC, context.required(NAME), {"compliant": compliant}, fingerprint=about(context))


def _junit(context: Context) -> ExitCode:
    files = results(context, context.texts(RESULTS))
    given = {"results": [file.named() for file in files]}
    return record(context, JUNIT, context.required(NAME), given, fingerprint=about(context), files=files)


def _one_file(
    mutation: Mutation, option: Option, field: str, more: Callable[[Context], dict[str, Any]] = lambda context: {}
) -> Callable[[Context], ExitCode]:
    """A type that is judged by one file."""

    def run(context: Context) -> ExitCode:
        from muniment.evidence import File

        file = File(context.required(option))
        given = {field: file.named(), **more(context)}
        return record(context, mutation, context.required(NAME), given, fingerprint=about(context), files=[file])

    return run


def thresholds(context: Context) -> dict[str, Any]:
    """The findings that are accepted, where any were given."""
    told = {option.name[4:]: context.settings.value(option) for option in MOST}
    given = {severity: most for severity, most in told.items() if most is not None}
    return {"thresholds": given} if given else {}


def _custom(context: Context) -> ExitCode:
    given = {"typeName": context.required(TYPE), "data": json_of(context.required(DATA))}
    return record(context, CUSTOM, context.required(NAME), given, fingerprint=about(context))


def _told(
    mutation: Mutation, more: Callable[[Context], dict[str, Any]] = lambda context: {}
) -> Callable[[Context], ExitCode]:
    """A type that is judged by what a JSON file tells."""

    def run(context: Context) -> ExitCode:
        given = {"data": json_of(context.required(TOLD)), **more(context)}
        return record(context, mutation, context.required(NAME), given, fingerprint=about(context))

    return run


def _asked(context: Context) -> dict[str, Any]:
    """What is asked of a pull request, where anything was given."""
    approvals, states = context.settings.value(APPROVALS), context.texts(STATES)
    return {
        **({} if approvals is None else {"minimumApprovals": approvals}),
        **({"acceptedStates": [state.upper() for state in states]} if states else {}),
    }


def _override(context: Context) -> ExitCode:
    overrides = context.required(OVERRIDES)
    compliant = context.settings.value(COMPLIANT)
    if compliant is None:
        raise BadUsage("What is the new verdict? Give --compliant=true or --compliant=false.")
    given = {
        "overrides": overrides,
        "compliant": compliant,
        "reason": context.required(REASON),
        "expiresAt": context.required(EXPIRES),
    }
    name = context.text(NAME) or f"{overrides}-override"
    return record(context, OVERRIDE, name, given, fingerprint=about(context))


def get(context: Context) -> ExitCode:
    """The attestations of a name in a trail, oldest first; the last decides."""
    name, place = context.argument("ATTESTATION"), reporting.place_of(context)
    found = context.ask(GET, {"flow": place.flow, "trail": place.trail})["record"]["trail"]
    if found is None:
        raise Refused(
            f"There is no trail {place.trail} in the flow {place.flow}, or it is not yours to see.", "NOT_FOUND"
        )
    fingerprint = subjects.given_fingerprint(context)
    named = [
        each
        for each in found["attestations"]
        if name in (None, each["name"], f"{each['templateName']}.{each['name']}")
        and fingerprint in (None, each["fingerprint"])
    ]
    if not named:
        raise Refused(f"The trail {place.trail} has no attestation called {name}.", "NOT_FOUND")
    return context.show(
        named,
        lambda output: output.rows(
            ["attestation", "type", "about", "compliant", "why", "by", "at", "evidence"],
            [
                [
                    each["name"],
                    each["type"],
                    (each["fingerprint"] or "")[:12] or each["templateName"] or "trail",
                    each["compliant"],
                    each["explanation"],
                    each["attestedBy"],
                    each["attestedAt"],
                    [file["fileName"] for file in each["evidence"]],
                ]
                for each in named
            ],
        ),
    )


_COMMON = (
    shared.FLOW,
    shared.TRAIL,
    *subjects.SUBJECT,
    shared.COMMIT,
    reporting.COMMIT_INFO,
    shared.REPO_ROOT,
    *reporting.ALONGSIDE,
    shared.ATTACHMENTS,
    shared.ENCRYPT_TO,
    shared.PARALLEL,
    *shared.RECORDING,
)
_ABOUT = """
    It is about the trail; about an artifact that is given, or named by --fingerprint; or, with a name such as app.unit-tests, about
    the artifact that this commit's trail calls app, whether that was reported already or is reported later.
    """


_PULL_REQUEST = """
    The data is a JSON object: provider, state, author, reviewers (a list of name and state, the oldest first), commits (a list of
    sha and author, or authors); and if you like url, number, base and head. Compliant when its state is accepted and enough people
    approved it who wrote none of it; a person's last decision counts.
    """
_TICKET = """
    The data is a JSON object: references, a list of reference (PAY-12) and exists (true or false). Compliant when there is at least
    one and all exist.
    """
_SONAR = """
    The data is what Sonar's webhook sends (with qualityGate) or what its API answers for the status of a project (with
    projectStatus). Compliant when the gate is OK.
    """


def _attest(
    kind: str, run: Callable[[Context], ExitCode], options: Sequence[Option], example: str, judged: str = ""
) -> Command:
    return Command(
        f"attest {kind}",
        run,
        arguments=(subjects.MAYBE_ARTIFACT,),
        options=(NAME, *options, *_COMMON),
        explanation=f"{_ABOUT.strip()}\n\n{judged.strip()}",
        examples=(f"muniment attest {kind} {example}",),
    )


COMMANDS = (
    _attest(
        "generic",
        _generic,
        (COMPLIANT,),
        "--name manual-test --compliant=true --attachments protocol.pdf --flow payments-api",
    ),
    _attest("junit", _junit, (RESULTS,), "--name app.unit-tests --results-dir build/test-results --flow payments-api"),
    _attest(
        "sarif",
        _one_file(SARIF, REPORT, "report", thresholds),
        (REPORT, *MOST),
        "--name static-analysis --scan-results codeql.sarif --flow payments-api",
    ),
    _attest(
        "snyk",
        _one_file(SNYK, REPORT, "report", thresholds),
        (REPORT, *MOST),
        "--name app.security-scan --scan-results snyk.json --flow payments-api",
    ),
    _attest(
        "trivy",
        _one_file(TRIVY, REPORT, "report", thresholds),
        (REPORT, *MOST),
        "--name app.security-scan --scan-results trivy.json --max-high 2 --flow payments-api",
    ),
    _attest(
        "sbom",
        _one_file(SBOM, SBOM_FILE, "report"),
        (SBOM_FILE,),
        "build/app.jar --name sbom --sbom-file bom.json --flow payments-api",
    ),
    _attest(
        "provenance",
        _one_file(PROVENANCE, ENVELOPE, "envelope"),
        (ENVELOPE,),
        "build/app.jar --name provenance --envelope provenance.dsse.json --flow payments-api",
    ),
    _attest(
        "custom",
        _custom,
        (TYPE, DATA),
        "--name coverage --type coverage --attestation-data coverage.json --flow payments-api",
    ),
    *(
        _attest(
            kind,
            _told(PULL_REQUEST, _asked),
            (TOLD, APPROVALS, STATES),
            "--name review --data pull-request.json --flow payments-api",
            _PULL_REQUEST,
        )
        for kind in ("pull-request", "pullrequest")
    ),
    *(
        _attest(
            kind,
            _told(TICKET, more),
            (TOLD,),
            "--name tickets --data tickets.json --flow payments-api",
            _TICKET,
        )
        for kind, more in (("ticket", lambda context: {"type": "TICKET"}), ("jira", lambda context: {"type": "JIRA"}))
    ),
    _attest("sonar", _told(SONAR), (TOLD,), "--name quality --data sonar.json --flow payments-api", _SONAR),
    _attest(
        "override",
        _override,
        (OVERRIDES, COMPLIANT, REASON, EXPIRES),
        "--overrides app.security-scan --compliant=true --reason 'not reachable' --expires-at 2026-12-31T00:00:00Z",
    ),
    Command(
        "get attestation",
        get,
        arguments=(Argument("ATTESTATION", help="its name; without one, all of the trail", required=False),),
        options=(shared.FLOW, shared.TRAIL, subjects.FINGERPRINT, *reporting.ORIGIN),
        examples=("muniment get attestation unit-tests --flow payments-api --trail pull-request-87",),
    ),
)
