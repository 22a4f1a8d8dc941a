# What every host has: users of the configuration only, Nix, time and the journal.
{ lib, ... }:

{
  # Nobody has a password, and nobody is added by hand.
  users.mutableUsers = false;

  security.sudo.wheelNeedsPassword = false;

  nix = {
    channel.enable = false;
    settings = {
      experimental-features = [
        "nix-command"
        "flakes"
      ];
      # Closures come over ssh, from the workstation.
      trusted-users = [
        "root"
        "@wheel"
      ];
      auto-optimise-store = lib.mkDefault true;
    };
    gc = {
      automatic = lib.mkDefault true;
      dates = lib.mkDefault "weekly";
      options = lib.mkDefault "--delete-older-than 30d";
    };
  };

  # Devices evaluate nothing: without these, the whole source of nixpkgs would be on every one.
  nixpkgs.flake = {
    setFlakeRegistry = false;
    setNixPath = false;
  };

  time.timeZone = lib.mkDefault "UTC";

  # A journal that survives a reboot and does not wear out the SD card.
  services.journald = {
    storage = "persistent";
    extraConfig = ''
      SystemMaxUse=200M
      MaxRetentionSec=1month
    '';
  };

  documentation.nixos.enable = lib.mkDefault false;
}
