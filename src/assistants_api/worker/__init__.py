"""The job loop: claims runs and carries them to their end."""
