# The Docker daemon that runs the stacks.
{
  config,
  lib,
  pkgs,
  ...
}:

let
  # pistack has a timer of its own, which knows what earlier systems need.
  pistackPrunes = config.pistack.enable or false && config.pistack.images.prune;
in

{
  virtualisation.docker = {
    enable = lib.mkDefault true;
    # Containers keep running while a switch restarts dockerd.
    daemon.settings.live-restore = lib.mkDefault true;
    # Compressed and rotated; the journal is for the host itself.
    logDriver = lib.mkDefault "local";
    daemon.settings.log-opts = {
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

  # The vendor kernels of the Raspberry Pi leave the memory controller off, and Docker then ignores
  # memory limits. Other kernels do not mind.
  boot.kernelParams = lib.mkIf pkgs.stdenv.hostPlatform.isAarch64 [
    "cgroup_enable=memory"
    "cgroup_memory=1"
  ];
}
