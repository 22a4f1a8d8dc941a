# What every host has: users of the configuration only, Nix, time, the journal and a watchdog.
{ lib, ... }:

{
  # Nobody has a password, and nobody is added by hand.
  users.mutableUsers = lib.mkDefault false;

  security.sudo.wheelNeedsPassword = lib.mkDefault false;

  nix = {
    channel.enable = lib.mkDefault false;
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
    setFlakeRegistry = lib.mkDefault false;
    setNixPath = lib.mkDefault false;
  };

  # A Raspberry Pi has no clock of its own: timesyncd also goes on from when it was last stopped.
  services.timesyncd.enable = lib.mkDefault true;
  time.timeZone = lib.mkDefault "UTC";

  # A journal that survives a reboot and does not wear out the SD card.
  services.journald = {
    storage = lib.mkDefault "persistent";
    extraConfig = ''
      SystemMaxUse=200M
      MaxRetentionSec=1month
    '';
  };

  # What hangs starts again, where there is hardware to notice it, and a reboot that hangs does, too.
  systemd.settings.Manager = {
    RuntimeWatchdogSec = lib.mkDefault "30s";
    RebootWatchdogSec = lib.mkDefault "3min";
  };

  documentation.nixos.enable = lib.mkDefault false;
}
