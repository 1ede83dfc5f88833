"""The expression language: parsing, checking and evaluation (R17, R18)."""
