"""Readers of attestation reports: bytes that a stranger sent go in, a typed result or a refusal comes out."""
