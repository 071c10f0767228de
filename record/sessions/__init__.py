"""Sessions of people who look at the record with a browser: a row for each organization that they signed in to."""
