"""Names of what the tests of the record share."""

DATABASE = "record_house"
BUCKET = "record-house"
