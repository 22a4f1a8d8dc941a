# Containers of stacks that are no longer this host's go away; their volumes stay.
{
  config,
  lib,
  pkgs,
  utils,
  ...
}:

let
  cfg = config.pistack;
in
{
  config = lib.mkIf (cfg.enable && config.virtualisation.docker.enable) {
    # Like a stack's unit it does not remain active, so every switch runs it.
    systemd.services.pistack-reconcile = {
      description = "Take down Compose stacks that this host no longer has";

      wantedBy = [ "multi-user.target" ];
      wants = [ "docker.service" ];
      after = [ "docker.service" ];

      enableDefaultPath = false;
      environment = import ./docker-environment.nix;

      serviceConfig = import ./docker-client.nix // {
        Type = "oneshot";
        ExecStart = utils.escapeSystemdExecArgs (
          [
            pkgs.runtimeShell
            "${./reconcile.sh}"
            (lib.getExe config.virtualisation.docker.package)
          ]
          ++ lib.naturalSort (lib.mapAttrsToList (_: stack: stack.project) cfg.stacks)
        );
        TimeoutStartSec = "5min";
        InaccessiblePaths = [ "-/run/pistack" ];
      };
    };
  };
}
