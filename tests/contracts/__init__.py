"""Laws that every implementation of a contract passes; the tests of each implementation run them all."""
