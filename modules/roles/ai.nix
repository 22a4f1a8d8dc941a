# Hosts that run language models, or the front ends of them.
{ lib, ... }:

{
  # Open WebUI, over IPv6.
  pistack.firewall.allowedTCPPorts = [ 3000 ];

  # Workers of model runtimes hand tensors to each other in /dev/shm; Docker gives a container 64 MB.
  virtualisation.docker.daemon.settings.default-shm-size = lib.mkDefault "256m";
}
