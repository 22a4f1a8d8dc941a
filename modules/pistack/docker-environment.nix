# The environment of units that call Docker: nothing that changes with the system, and no
# credentials, contexts or plugins of whoever logged in last.
{
  DOCKER_CONFIG = "/var/empty";
  LOCALE_ARCHIVE = null;
  TZDIR = null;
}
