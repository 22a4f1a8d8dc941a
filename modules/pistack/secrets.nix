# Secrets: a file system in memory, and the unit that decrypts everything into it.
{
  config,
  lib,
  pkgs,
  utils,
  ...
}:

let
  cfg = config.pistack;

  confined = import ./confined.nix;

  manifest = import ../manifest.nix {
    inherit (cfg)
      host
      hostKeys
      registries
      secrets
      stacks
      ;
  };
in
{
  config = lib.mkIf cfg.enable {
    pistack.manifest = import ./checked-manifest.nix {
      manifest = pkgs.writeText "pistack-manifest-unchecked.json" (builtins.toJSON manifest);
      pisec = lib.getExe' cfg.builderPackage "pisec";
      inherit (cfg.builderPackage) system;
    };

    # ramfs, because its pages are never written to swap. No size limit either: only root writes.
    systemd.mounts = [
      {
        description = "Secrets of pistack, in memory only";
        what = "ramfs";
        where = "/run/pistack";
        type = "ramfs";
        options = "mode=0711,nosuid,nodev,noexec";
      }
    ];

    # At boot this runs before sysinit.target, so before everything that may want a secret, and
    # before dockerd brings back the containers of the last boot. On a switch it is stopped with the
    # units that change, and restarting sysinit-reactivation.target starts it again, which
    # switch-to-configuration waits for before it starts any stack.
    systemd.services.pistack-secrets = {
      description = "Decrypt the secrets of this host";

      wantedBy = [ "sysinit.target" ];
      requiredBy = [ "sysinit-reactivation.target" ];
      requires = [ "run-pistack.mount" ];
      after = [ "run-pistack.mount" ];
      before = [
        "docker.service"
        "shutdown.target"
        "sysinit-reactivation.target"
        "sysinit.target"
      ];
      conflicts = [ "shutdown.target" ];
      unitConfig = {
        DefaultDependencies = false;
        RequiresMountsFor = map (import ../mounts-for.nix) cfg.hostKeys;
      };

      # Nothing but the manifest and pisec may change this unit: an update of tzdata is no reason to
      # install secrets again.
      enableDefaultPath = false;
      environment = {
        LOCALE_ARCHIVE = null;
        TZDIR = null;
      };

      serviceConfig = confined // {
        Type = "oneshot";
        RemainAfterExit = true;
        ExecStart = utils.escapeSystemdExecArgs [
          (lib.getExe' cfg.package "pisec")
          "install"
          cfg.manifest
        ];

        # Plaintext stays in this process and in /run/pistack.
        LimitCORE = 0;
        MemorySwapMax = 0;
        MemoryZSwapMax = 0;
        ReadWritePaths = [ "/run/pistack" ];
        ProtectHome = "read-only"; # a key of the host may be there

        # The owner and mode of files.
        CapabilityBoundingSet = [
          "CAP_CHOWN"
          "CAP_DAC_OVERRIDE"
          "CAP_FOWNER"
        ];
        PrivateNetwork = true;
        ProcSubset = "pid";
        RestrictAddressFamilies = "none";
        SystemCallFilter = confined.SystemCallFilter ++ [ "@chown" ];
      };
    };
  };
}
