# What the machine had already.
{
  networking.hostName = "server";
  nixpkgs.hostPlatform = "x86_64-linux";

  boot.loader.grub.device = "/dev/sda";
  fileSystems."/" = {
    device = "/dev/sda1";
    fsType = "ext4";
  };

  users.users.alice = {
    isNormalUser = true;
    extraGroups = [ "wheel" ];
    openssh.authorizedKeys.keys = [
      "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPti/ekoVsgnQb4HZSWCGReKiRNKJFfb6QU/rsqMRh4K example, its private half was thrown away"
    ];
  };

  services.openssh.enable = true;
  virtualisation.docker.enable = true;

  system.stateVersion = "26.05";
}
