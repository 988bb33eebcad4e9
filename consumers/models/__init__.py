"""What the `models` commands do: look at checkpoints, export a model, roll a group back."""
