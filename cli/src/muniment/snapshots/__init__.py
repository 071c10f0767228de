"""What runs where: what a platform answers in, the members of a report out. One module for each kind of environment.

In each, a pure function reads what the platform answered, and a thin edge asks it. A member that cannot be read stays in the
report without a fingerprint: the server leaves it out by name and notes that the snapshot is partial.
"""
