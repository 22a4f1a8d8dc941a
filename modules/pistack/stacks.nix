# Stacks: the files of each under /etc/pistack/stacks, and one unit that runs `docker compose up`.
#
# The unit does not remain active: it has run, or it has failed. So every switch, and every boot, runs
# it, by way of multi-user.target. `up` changes nothing where nothing changed, and mends whatever an
# earlier run could not do: an image that did not arrive, a container that was not healthy. A unit
# that remained active and were reloaded would be left alone once its new text is in place, although
# its reload had failed.
{
  config,
  lib,
  pkgs,
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

  # Below /etc/pistack things lie as in the repository, so that a file outside a stack's folder is
  # found where the stack's files look for it. Stacks that use one file share it.
  etcPath =
    name: path:
    if lib.hasPrefix "../../" path then
      "pistack/${lib.removePrefix "../../" path}"
    else if lib.hasPrefix "../" path then
      "pistack/stacks/${lib.removePrefix "../" path}"
    else
      "pistack/stacks/${name}/${path}";

  etcFiles =
    name: stack:
    lib.mapAttrs' (path: source: lib.nameValuePair (etcPath name path) { inherit source; }) (
      storePaths stack
    );

  # What lies in a folder that some stack has as a whole is there already.
  isAlone = path: !lib.any (folder: allFiles ? ${folder}) (foldersOf path);
  allFiles = lib.concatMapAttrs etcFiles cfg.stacks;
  foldersOf = path: if dirOf path == "." then [ ] else [ (dirOf path) ] ++ foldersOf (dirOf path);

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
        pkgs.runtimeShell
        "-c"
        "${systemctl} is-active --quiet pistack-secrets.service || { echo 'the secrets are not installed, see journalctl -u pistack-secrets; the containers stay as they are'; exit 1; }"
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
      # Never Requires= on the secrets: they are stopped and started to change, which must not end
      # an `up` halfway.
      wants = [
        "docker.service"
        "network-online.target"
        "pistack-secrets.service"
      ];
      after = [
        "docker.service"
        "network-online.target"
        "pistack-images.service"
        "pistack-reconcile.service"
        "pistack-secrets.service"
      ];

      # An `up` that is still at work with the old files makes room for one with the new.
      restartTriggers = builtins.attrValues (storePaths stack);

      enableDefaultPath = false;
      environment =
        import ./docker-environment.nix
        // lib.optionalAttrs (cfg.registries != { }) {
          # What `pisec install` made of the secrets. Its content is no part of this unit: a new token
          # restarts nothing.
          DOCKER_CONFIG = "/run/pistack/current/docker";
        };

      # Compose reads the variables of envSecrets, and Docker's daemon does all the rest.
      serviceConfig = import ./docker-client.nix // {
        Type = "oneshot";
        # Compose resolves some paths of included files from here.
        WorkingDirectory = directory;
        ExecStart = [
          secretsAreInstalled
          up
        ];
        TimeoutStartSec = stack.startTimeout;
        # Compose looks at what a stack mounts from there.
        ProtectHome = "read-only";
      };
    };
in
{
  config = lib.mkIf cfg.enable {
    environment.etc = lib.mkMerge (
      lib.mapAttrsToList (
        name: stack: lib.filterAttrs (path: _: isAlone path) (etcFiles name stack)
      ) cfg.stacks
    );

    systemd.services = lib.mapAttrs' stackService cfg.stacks;
  };
}
