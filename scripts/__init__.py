"""What a person or the build runs: one script per verb; everything else here is shared by those scripts."""
