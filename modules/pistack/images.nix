# Images: a list of those that the stacks run, and a timer that removes what no list names.
#
# `docker image prune` cannot be told what to keep. It even counts an image that was pulled by digest
# as dangling, for it has no tag: the ones that going back to an earlier system needs would be gone.
{
  config,
  lib,
  pkgs,
  utils,
  ...
}:

let
  inherit (lib) mkOption types;

  cfg = config.pistack;
  docker = config.virtualisation.docker;
in
{
  options.pistack.images = {
    prune = mkOption {
      type = types.bool;
      default = true;
      example = false;
      description = ''
        Whether images that nothing needs are removed every day: those that no container has, stopped
        ones included, and that are on no list of {option}`pistack.stacks.<name>.images`, of this
        system or of those that {option}`pistack.images.keep` counts. It is about all images of the
        machine's Docker. Volumes are never removed.
      '';
    };

    keep = mkOption {
      type = types.ints.unsigned;
      default = 3;
      example = 10;
      description = ''
        How many generations of the system keep their images, besides the running one, the one that
        was booted and the current one: going back to one of them needs no registry.
      '';
    };
  };

  config = lib.mkIf cfg.enable (
    lib.mkMerge [
      {
        environment.etc."pistack/images".text = import ./images-list.nix { inherit (cfg) stacks; };
      }

      (lib.mkIf (cfg.images.prune && docker.enable) {
        warnings = lib.optional docker.autoPrune.enable ''
          virtualisation.docker.autoPrune removes images that pistack.images.keep would keep: set virtualisation.docker.autoPrune.enable = false, or pistack.images.prune = false.
        '';

        systemd.timers.pistack-images = {
          description = "Remove container images that nothing needs, daily";

          wantedBy = [ "timers.target" ];
          timerConfig = {
            OnCalendar = "daily";
            Persistent = true;
            RandomizedDelaySec = "1h";
          };
        };

        # Stacks are ordered after this unit: an `up` waits until a run has ended, and a run does not
        # begin while an `up` is at work.
        systemd.services.pistack-images = {
          description = "Remove container images that nothing needs";

          wants = [ "docker.service" ];
          after = [ "docker.service" ];
          # A switch neither starts nor stops it.
          restartIfChanged = false;

          enableDefaultPath = false;
          environment = import ./docker-environment.nix;

          serviceConfig = import ./docker-client.nix // {
            Type = "oneshot";
            ExecStart = utils.escapeSystemdExecArgs [
              pkgs.runtimeShell
              "${./images.sh}"
              (lib.getExe docker.package)
              (lib.getExe' config.systemd.package "systemctl")
              (toString cfg.images.keep)
            ];
            TimeoutStartSec = "15min";
            # Credentials of registries, too.
            InaccessiblePaths = [ "-/run/pistack" ];
          };
        };
      })
    ]
  );
}
