# Hosts that face the internet.
{ lib, ... }:

{
  # Over IPv6.
  pistack.firewall = {
    allowedTCPPorts = [
      80
      443
    ];
    # HTTP/3
    allowedUDPPorts = [ 443 ];
  };

  networking.firewall.logRefusedConnections = lib.mkDefault false;

  # Nobody here resolves <host>.local. Before the default of modules/networking.nix, and after what a host says.
  services.avahi.enable = lib.mkOverride 900 false;

  services.fail2ban.enable = lib.mkDefault true;

  # More half-open connections than the default before the kernel answers with cookies.
  boot.kernel.sysctl."net.ipv4.tcp_max_syn_backlog" = lib.mkDefault 4096;
}
