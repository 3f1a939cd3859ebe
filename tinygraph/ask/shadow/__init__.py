"""shadow: where the digits go, and what overflows, found by a replay in higher precision."""

from tinygraph.ask.shadow.report import Shadow, ShadowedNode, shadow

__all__ = ["Shadow", "ShadowedNode", "shadow"]
