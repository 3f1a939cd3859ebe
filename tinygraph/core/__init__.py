"""The engine: errors, switches, ops and nodes. It knows no Tensor and no particular op."""
