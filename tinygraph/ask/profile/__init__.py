"""profile: where a step's time and memory go, node by node; as a table, a picture, and a trace for Perfetto."""

from tinygraph.ask.profile.clock import Duration, NodeTime, time_forward, time_nodes
from tinygraph.ask.profile.costs import NodeCost, OpTotal
from tinygraph.ask.profile.memory import Moment, live_memory
from tinygraph.ask.profile.peaks import Peaks, peaks
from tinygraph.ask.profile.report import Profile, profile

__all__ = ["Duration", "Moment", "NodeCost", "NodeTime", "OpTotal", "Peaks", "Profile", "live_memory", "peaks",
           "profile", "time_forward", "time_nodes"]
