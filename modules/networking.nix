# The network: DHCP, the name <host>.local, a firewall, and ssh by key.
{ lib, ... }:

{
  networking = {
    useDHCP = lib.mkDefault true;
    firewall.enable = lib.mkDefault true;
  };

  services.avahi = {
    enable = lib.mkDefault true;
    nssmdns4 = lib.mkDefault true;
    openFirewall = lib.mkDefault true;
    publish = {
      enable = lib.mkDefault true;
      addresses = lib.mkDefault true;
    };
  };

  services.openssh = {
    enable = true;
    openFirewall = lib.mkDefault true;
    # The one host key that the repository pins and that secrets are encrypted to.
    hostKeys = [
      {
        type = "ed25519";
        path = "/etc/ssh/ssh_host_ed25519_key";
      }
    ];
    settings = {
      # Nobody has a password here: a machine that wants them says lib.mkForce.
      PasswordAuthentication = false;
      KbdInteractiveAuthentication = false;
      PermitRootLogin = lib.mkDefault "prohibit-password";
    };
  };
}
