"""A flow: a repeatable process, its template, and what its trails must contain."""
