"""All cases, in order of their numbers. A number is never given to another case."""

from tests.conformance import books, frames, lines, ways

CASES = (*frames.CASES, *ways.CASES, *books.CASES, *lines.CASES)
