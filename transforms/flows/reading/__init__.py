"""Parses texts into checked definitions: flows, spaces, goals, projects. It opens no file."""
