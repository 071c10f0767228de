"""The formats and the arithmetic of the record: what the server proves with and what auditors verify with.

Everything here runs on Python's standard library, except `signing`, which holds the log's secret key and needs the
`cryptography` package. Nothing here opens a connection or reads a clock.

    canonical    one byte string for each JSON value          merkle, tiles   roots and proofs, and where hashes live
    notes        signed text and verifier keys                checkpoint      what a log promises about itself
    policy       whom to trust                                bundle          a proof in one file
    archive      whether an archive holds what it claims      standalone      the same checks as one file, `verify.py`
"""
