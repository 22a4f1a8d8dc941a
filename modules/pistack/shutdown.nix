# At shutdown, the containers of every stack are stopped, in the order that Compose knows. What is
# stopped so does not start with dockerd, unless it says restart: always, and then it finds its
# secrets: dockerd starts after them. At the next boot each stack's unit starts the others.
{
  config,
  lib,
  utils,
  ...
}:

let
  cfg = config.pistack;

  stop =
    stack:
    "-"
    + utils.escapeSystemdExecArgs [
      (lib.getExe config.virtualisation.docker.package)
      "compose"
      "--project-name"
      stack.project
      "stop"
    ];
in
{
  config = lib.mkIf (cfg.enable && cfg.stacks != { }) {
    systemd.services.pistack-shutdown = {
      description = "Stop the containers of all stacks at shutdown";

      wantedBy = [ "multi-user.target" ];
      after = [ "docker.service" ];
      # A restart would stop every container.
      restartIfChanged = false;

      enableDefaultPath = false;
      environment = import ./docker-environment.nix;

      serviceConfig = import ./docker-client.nix // {
        Type = "oneshot";
        RemainAfterExit = true;
        ExecStop = map stop (builtins.attrValues cfg.stacks);
        TimeoutStopSec = "2min";
        InaccessiblePaths = [ "-/run/pistack" ];
      };
    };
  };
}
