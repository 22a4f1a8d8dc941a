# Stacks: the files of each under /etc/pistack/stacks, and one unit that runs `docker compose`.
{
  config,
  lib,
  utils,
  ...
}:

let
  cfg = config.pistack;
  docker = lib.getExe config.virtualisation.docker.package;
  systemctl = lib.getExe' config.systemd.package "systemctl";

  # One store path a file, whatever else the repository holds. Names of store paths are narrower
  # than those of files: ".env" is none.
  storePath =
    path: source:
    if builtins.isPath source then
      builtins.path {
        path = source;
        name = lib.strings.sanitizeDerivationName "pistack-${baseNameOf path}";
      }
    else
      "${source}";

  storePaths = stack: lib.mapAttrs storePath stack.files;

  etcFiles =
    name: stack:
    lib.mapAttrs' (
      path: source: lib.nameValuePair "pistack/stacks/${name}/${path}" { inherit source; }
    ) (storePaths stack);

  stackService =
    name: stack:
    let
      directory = "/etc/pistack/stacks/${name}";
      inDirectory = map (path: "${directory}/${path}");

      # The secrets' variables come last, so that none of the others overrides a secret. One file is
      # always named: with none, Compose would read whatever .env lies in the folder.
      envFiles =
        inDirectory stack.envFiles
        ++ lib.optional (stack.envSecrets != [ ]) "/run/pistack/current/env/${name}.env";
      namedEnvFiles = if envFiles == [ ] then [ "/dev/null" ] else envFiles;

      compose = [
        docker
        "compose"
        "--project-name"
        stack.project
      ];
      files =
        lib.concatMap (file: [
          "--file"
          file
        ]) (inDirectory stack.composeFiles)
        ++ lib.concatMap (file: [
          "--env-file"
          file
        ]) namedEnvFiles;

      # Where the secrets failed to install, the containers stay as they are.
      secretsAreInstalled = utils.escapeSystemdExecArgs [
        systemctl
        "is-active"
        "--quiet"
        "pistack-secrets.service"
      ];
      up = utils.escapeSystemdExecArgs (
        compose
        ++ [
          "--project-directory"
          directory
        ]
        ++ files
        ++ [
          "up"
          "--detach"
          "--wait"
          "--remove-orphans"
          "--pull"
          "missing"
        ]
      );
    in
    lib.nameValuePair "pistack-${name}" {
      description = "Compose stack ${name}";

      wantedBy = [ "multi-user.target" ];
      # Never Requires= on the secrets: they are stopped and started to change, and the containers
      # must not be.
      wants = [
        "docker.service"
        "network-online.target"
        "pistack-secrets.service"
      ];
      after = [
        "docker.service"
        "network-online.target"
        "pistack-reconcile.service"
        "pistack-secrets.service"
      ];

      # Whatever changes, a running stack is reloaded and never stopped: Compose alone decides which
      # containers it has to replace. So these triggers reload too.
      reloadIfChanged = true;
      restartTriggers = builtins.attrValues (storePaths stack);

      enableDefaultPath = false;
      environment = {
        # No credentials, contexts or plugins of whoever logged in last.
        DOCKER_CONFIG = "/var/empty";
        LOCALE_ARCHIVE = null;
        TZDIR = null;
      };

      serviceConfig = {
        Type = "oneshot";
        RemainAfterExit = true;
        ExecStart = [
          secretsAreInstalled
          up
        ];
        ExecReload = [
          secretsAreInstalled
          up
        ];
        ExecStop = utils.escapeSystemdExecArgs (compose ++ [ "stop" ]);
        TimeoutStartSec = stack.startTimeout;
        # Compose reads the variables of envSecrets.
        LimitCORE = 0;
        UMask = "0077";
      };
    };
in
{
  config = lib.mkIf cfg.enable {
    environment.etc = lib.mkMerge (lib.mapAttrsToList etcFiles cfg.stacks);

    systemd.services = lib.mkMerge [
      (lib.mapAttrs' stackService cfg.stacks)

      # A switch stops what changes, reloads, restarts and starts, in this order. A dockerd that it
      # stopped would be gone, with its socket, while the stacks are reloaded; one that it restarts
      # is there.
      (lib.mkIf (cfg.stacks != { }) { docker.stopIfChanged = false; })
    ];
  };
}
