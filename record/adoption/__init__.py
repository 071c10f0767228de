"""Adoption: how far what runs is reported, evidenced and confirmed, by period, flow and environment."""
