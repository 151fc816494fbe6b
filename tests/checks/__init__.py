"""Checks that tests of every folder share."""
