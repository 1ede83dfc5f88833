"""The expression language: text to checked nodes to closures (R17, R18)."""
