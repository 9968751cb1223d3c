"""Measurements of the product against the way of seed 000 and against the server's own limit."""
