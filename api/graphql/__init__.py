"""The record as a graph: one file for each noun of the domain, and the machinery that they share.

A request goes view -> identity -> answers (perhaps already known) -> documents and limits -> the nouns' resolvers -> errors.
"""
