# The Docker daemon that runs the stacks.
{
  config,
  lib,
  pkgs,
  ...
}:

let
  inherit (config.virtualisation.docker) daemon enable logDriver;

  # Drivers that write files of their own, and so the ones that rotate them. With these options and
  # another driver, such as journald, dockerd does not start.
  rotates = builtins.elem logDriver [
    "json-file"
    "local"
  ];

  # pistack has a timer of its own, which knows what earlier systems need.
  pistackPrunes = config.pistack.enable or false && config.pistack.images.prune;
in
{
  virtualisation.docker = {
    enable = lib.mkDefault true;
    # Containers keep running while a switch restarts dockerd.
    daemon.settings.live-restore = lib.mkDefault true;
    # Images, volumes and containers. On another disk, Docker waits for it.
    daemon.settings.data-root = lib.mkDefault "/var/lib/docker";
    # Compressed and rotated; the journal is for the host itself.
    logDriver = lib.mkDefault "local";
    daemon.settings.log-opts = lib.mkIf rotates {
      max-size = lib.mkDefault "10m";
      max-file = lib.mkDefault "3";
    };
    # Every week, the images that nothing uses, where pistack does not see to it. The containers of stacks stay, stopped ones too: a
    # service that ran once and ended must not run again because its container is gone.
    autoPrune = {
      enable = lib.mkDefault (!pistackPrunes);
      flags = lib.mkDefault [
        "--all"
        "--filter=label!=io.pistack.inputs"
      ];
    };
  };

  # Never on the card because the disk is not there.
  systemd.services.docker.unitConfig = lib.mkIf enable {
    RequiresMountsFor = import ./mounts-for.nix daemon.settings.data-root;
  };

  assertions = [
    {
      assertion = pkgs.stdenv.hostPlatform.isAarch64 || pkgs.stdenv.hostPlatform.isx86_64;
      message = ''
        modules/docker.nix: images are made for 64 bits, and this host is ${pkgs.stdenv.hostPlatform.system}: set system = "aarch64-linux" in host.toml; all boards since the Raspberry Pi 3 can.
      '';
    }
  ];

  # The vendor kernels of the Raspberry Pi leave the memory controller off, and Docker then ignores
  # memory limits. Other kernels do not mind.
  boot.kernelParams = lib.mkIf pkgs.stdenv.hostPlatform.isAarch64 [
    "cgroup_enable=memory"
    "cgroup_memory=1"
  ];
}
