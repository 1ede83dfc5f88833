"""From texts to checked values: flows, spaces, goals, and whole projects. Nothing is read here."""

from __future__ import annotations

from transforms.flows.load.problems import Loaded, Problem, headline, show, to_json
from transforms.flows.load.project import Project, load_project
from transforms.flows.load.read_flow import load_flow, load_goals
from transforms.flows.load.read_space import load_space

__all__ = [
    "Loaded",
    "Problem",
    "Project",
    "headline",
    "load_flow",
    "load_goals",
    "load_project",
    "load_space",
    "show",
    "to_json",
]
