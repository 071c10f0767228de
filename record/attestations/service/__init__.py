"""Uses of attestations: `attest` records them, `types` defines custom ones, `signing_keys` says whose provenance counts."""
