# Hosts that watch the others.
{ lib, ... }:

{
  # Grafana, over IPv6.
  pistack.firewall.allowedTCPPorts = [ 3001 ];

  # What the host itself measures, for Prometheus on this host only.
  services.prometheus.exporters.node = {
    enable = true;
    listenAddress = lib.mkDefault "127.0.0.1";
    enabledCollectors = [ "systemd" ];
  };
}
