"""Fakes that ship with Ares, so that users of the package test with what we test with."""
