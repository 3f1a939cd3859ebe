"""Training a model: the loop, its curve and checkpoints, saved state, and the model scripts of the command line.

>>> from tinygraph.training import load_state, save_state, train
"""

from tinygraph.training.curve import Curve, Point
from tinygraph.training.loop import Report, Training, load_checkpoint, train
from tinygraph.training.script import Script, accuracy_of, load_script, loss_of
from tinygraph.training.state import load_state, save_state

__all__ = [
    "Curve",
    "Point",
    "Report",
    "Script",
    "Training",
    "accuracy_of",
    "load_checkpoint",
    "load_script",
    "load_state",
    "loss_of",
    "save_state",
    "train",
]
