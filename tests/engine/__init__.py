"""Tests of the engines; those marked `model` run a tiny random model on the CPU."""
