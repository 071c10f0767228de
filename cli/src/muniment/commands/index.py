"""Every verb: its words, the module of `muniment.commands` that has it, and one line on what it does.

Help lists verbs from here, and only the module of the verb that was called is imported.
"""

from __future__ import annotations

COMMANDS: dict[str, tuple[str, str]] = {
    # record
    "begin trail": ("trails", "begin a trail: one run of a flow"),
    "report artifact": ("artifacts", "report something that was built"),
    "report deployment": ("deployments", "report that an artifact was put into an environment"),
    "report evidence test junit": ("evidence", "report JUnit test results"),
    "report evidence generic": ("evidence", "report a scan or any other evidence"),
    "attest generic": ("attestations", "attest with a verdict and evidence of your own"),
    "attest junit": ("attestations", "attest JUnit test results"),
    "attest sarif": ("attestations", "attest a SARIF report of a scanner"),
    "attest snyk": ("attestations", "attest a report of Snyk"),
    "attest trivy": ("attestations", "attest a report of Trivy"),
    "attest sbom": ("attestations", "attest a CycloneDX or SPDX document"),
    "attest provenance": ("attestations", "attest signed in-toto or SLSA provenance"),
    "attest custom": ("attestations", "attest with data of a type of your own"),
    "attest pull-request": ("attestations", "attest that a pull request was reviewed"),
    "attest pullrequest": ("attestations", "the same as attest pull-request"),
    "attest ticket": ("attestations", "attest that tickets exist"),
    "attest jira": ("attestations", "attest that Jira's tickets exist"),
    "attest sonar": ("attestations", "attest Sonar's quality gate"),
    "attest override": ("attestations", "replace the verdict of an attestation until a date"),
    # environments
    "snapshot k8s": ("snapshots", "report what runs in a Kubernetes cluster"),
    "snapshot docker": ("snapshots", "report the containers that a Docker daemon runs"),
    "snapshot path": ("snapshots", "report one file or directory of a server"),
    "snapshot dir": ("snapshots", "report one directory of a server"),
    "snapshot paths": ("snapshots", "report the files and directories that a list names"),
    "snapshot server": ("snapshots", "report files and directories of a server"),
    "snapshot s3": ("snapshots", "report the content of a bucket"),
    "snapshot ecs": ("snapshots", "report the tasks of ECS clusters"),
    "snapshot lambda": ("snapshots", "report Lambda functions"),
    "snapshot cloud-run": ("snapshots", "report Cloud Run services"),
    "snapshot azure": ("snapshots", "report Azure apps"),
    # decide
    "request approval": ("approvals", "ask for approval to put an artifact into an environment"),
    "review approval": ("approvals", "approve, reject or comment on a request"),
    "report approval": ("approvals", "report an approval that was given elsewhere"),
    "allow artifact": ("waivers", "accept an artifact in an environment for a time, although it is not compliant"),
    "accept waiver": ("waivers", "accept such an exception, as the second person"),
    "revoke waiver": ("waivers", "decline such an exception, or end it"),
    "assert artifact": ("asserting", "is this artifact compliant? The answer is the exit code"),
    "assert snapshot": ("asserting", "is what runs in this environment compliant?"),
    "assert approval": ("asserting", "is this artifact approved for this environment?"),
    "assert status": ("asserting", "does the server answer, and is the key good?"),
    # ask
    "get flow": ("flows", "a flow and what its latest trails made"),
    "get trail": ("trails", "a trail, its artifacts and attestations, and its verdict"),
    "get artifact": ("artifacts", "an artifact, its evidence and its verdict"),
    "get attestation": ("attestations", "the attestations of a name in a trail"),
    "get attestation-type": ("types", "an attestation type of your own"),
    "get environment": ("environments", "an environment and its verdict"),
    "get snapshot": ("environments", "what ran in an environment"),
    "get deployment": ("deployments", "a deployment"),
    "get policy": ("policies", "a policy and where it is attached"),
    "get approval": ("approvals", "a request for approval and its reviews"),
    "get archive": ("archives", "an archive and how far it is"),
    "list flows": ("flows", "flows by name"),
    "list trails": ("trails", "the trails of a flow, the newest first"),
    "list artifacts": ("artifacts", "the artifacts of a flow's latest trails"),
    "list attestation-types": ("types", "attestation types of your own"),
    "list environments": ("environments", "environments by name"),
    "list snapshots": ("environments", "the snapshots of an environment, the newest first"),
    "list deployments": ("deployments", "deployments to an environment, the newest first"),
    "list policies": ("policies", "policies by name"),
    "list approvals": ("approvals", "requests for approval"),
    "list waivers": ("waivers", "exceptions that were asked for"),
    "list archives": ("archives", "archives that were requested"),
    "log environment": ("environments", "what started, stopped and changed in an environment"),
    "diff snapshots": ("environments", "how two snapshots differ"),
    "search": ("search", "what begins with this name, commit or fingerprint"),
    "query": ("query", "ask anything: a GraphQL document from a file"),
    # arrange
    "create flow": ("flows", "create a flow, or change it"),
    "create environment": ("environments", "create an environment, or change it"),
    "create policy": ("policies", "create a policy, or record a new version of it"),
    "create attestation-type": ("types", "define an attestation type, or a new version of it"),
    "attach-policy": ("policies", "attach a policy to environments"),
    "detach-policy": ("policies", "detach a policy from environments"),
    "tag": ("tags", "set and remove tags of a flow or an environment"),
    "rotate api-key": ("keys", "issue a successor to an API key"),
    # audit
    "archive request": ("archives", "request an audit package, wait for it, download it"),
    "archive download": ("archives", "download an archive, or go on where a download broke off"),
    "verify": ("verify", "check an archive, a receipt, a checkpoint or a live server"),
    # on this machine
    "fingerprint": ("fingerprint", "print the SHA-256 fingerprint of a file, a directory or an image"),
    "flush": ("spool", "send what is waiting in the spool, in order"),
    "completion": ("completion", "print a completion script for bash, zsh, fish or PowerShell"),
}


def beginning(words: list[str]) -> list[str]:
    """The verbs that begin with these words."""
    return [verb for verb in COMMANDS if verb.split()[: len(words)] == words]
