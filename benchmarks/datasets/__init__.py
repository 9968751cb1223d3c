"""Datasets measured beside the straightforward pandas version of the same logic; see the README beside this folder."""
