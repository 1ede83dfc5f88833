"""Expressions as text and as nodes: lexer, parser, writer, table of operators."""
