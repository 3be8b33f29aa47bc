"""What keeps a run going: its folder, checkpoints, logs, devices and signals."""
