"""Running a pipeline over many inputs."""
