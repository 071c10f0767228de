"""An attestation: the record that a control was carried out, with its result."""
