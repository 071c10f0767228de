"""An artifact: something built, known by its fingerprint, reported into a trail."""
