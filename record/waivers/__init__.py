"""A waiver: a dated exception in an environment, asked for by one person and accepted by another."""
