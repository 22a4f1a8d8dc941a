{ config, lib, ... }:

let
  inherit (lib) mkOption types;

  cfg = config.pistack;

  # What follows is a name in a path, in an environment file and in a unit: nothing else may get in.
  secretName = types.strMatching "[A-Za-z_][A-Za-z0-9_]*" // {
    description = "name of a secret (letters, digits, underscore)";
  };
  fileMode = types.strMatching "0[0-7]{3}" // {
    description = "file mode of four octal digits, such as 0400";
  };
  imageReference = types.strMatching "[^[:space:]]+" // {
    description = "reference of an image, without spaces";
  };
  userId = types.ints.unsigned;

  # What systemd takes: "infinity", or numbers, each with a unit or seconds.
  number = "[0-9]+([.][0-9]+)?";
  unit = "usec|us|µs|msec|ms|seconds?|sec|s|minutes?|min|m|hours?|hr|h|days?|d|weeks?|w|months?|M|years?|y";
  timeSpan = types.strMatching "infinity|${number} *(${unit})?( *${number} *(${unit})?)*" // {
    description = ''time span, such as "90", "10min", "1h 30min" or "infinity"'';
  };

  ownership =
    { mode, reader }:
    {
      mode = mkOption {
        type = fileMode;
        default = mode;
        example = "0440";
        description = "Mode of the file that ${reader} reads.";
      };
      uid = mkOption {
        type = userId;
        default = 0;
        example = 1000;
        description = "Numeric owner of the file that ${reader} reads.";
      };
      gid = mkOption {
        type = userId;
        default = 0;
        example = 1000;
        description = "Numeric group of the file that ${reader} reads.";
      };
    };

  secret =
    { name, ... }:
    {
      options = {
        file = mkOption {
          type = types.path;
          example = lib.literalExpression "../secrets/OPENAI_KEY.age";
          description = ''
            The age file of this secret, encrypted to the SSH host key of this host.
            It is copied to the store as it is; the value is decrypted on the device only.
          '';
        };
        version = mkOption {
          type = types.nonEmptyStr;
          example = "20261122T223403Z-1f9a2c3d";
          description = ''
            Version of the value in {option}`pistack.secrets.<name>.file`. `pisec install` refuses a
            file whose header says another one.
          '';
        };
        path = mkOption {
          type = types.str;
          readOnly = true;
          default = "/run/pistack/current/secrets/${name}";
          defaultText = "/run/pistack/current/secrets/<name>";
          example = "/run/pistack/current/secrets/TAILSCALE_AUTH_KEY";
          description = ''
            Where a NixOS service finds the plaintext, in memory only. The service has to be ordered
            after `pistack-secrets.service`.
          '';
        };
      }
      // ownership {
        mode = "0400";
        reader = "a NixOS service";
      };
    };

  stackSecret.options = ownership {
    mode = "0444";
    reader = "a container";
  };

  stack =
    { name, ... }:
    {
      options = {
        project = mkOption {
          type = types.strMatching "[a-z0-9][a-z0-9_-]*" // {
            description = "name of a Compose project (lower-case letters, digits, - and _)";
          };
          default = name;
          defaultText = lib.literalMD "the name of the stack";
          example = "chat";
          description = "Name of the Compose project, the prefix of its containers, networks and volumes.";
        };
        composeFiles = mkOption {
          type = types.nonEmptyListOf types.nonEmptyStr;
          example = [
            "compose.yaml"
            "override.yaml"
          ];
          description = ''
            The Compose files, relative to {file}`/etc/pistack/stacks/<name>`, in the order in which
            Compose merges them.
          '';
        };
        envFiles = mkOption {
          type = types.listOf types.nonEmptyStr;
          default = [ ];
          example = [ ".env" ];
          description = ''
            Files of non-secret variables, relative to {file}`/etc/pistack/stacks/<name>`; later ones
            win. The variables of {option}`pistack.stacks.<name>.envSecrets` come after all of them.
          '';
        };
        files = mkOption {
          type = types.attrsOf types.path;
          default = { };
          example = lib.literalExpression ''
            {
              "compose.yaml" = ../../../stacks/chat/compose.yaml;
              "override.yaml" = ./chat.override.yaml;
            }
          '';
          description = ''
            The files and folders that this stack has on the device, by their path relative to
            {file}`/etc/pistack/stacks/<name>`. A path may begin with `../` or `../../`: stacks that
            have the same file there share it. Each is a store path of its own.
          '';
        };
        images = mkOption {
          type = types.listOf imageReference;
          default = [ ];
          example = [ "ghcr.io/open-webui/open-webui:v0.6.36" ];
          description = ''
            The images that the services of this stack run, as their containers name them. They are the
            stack's lines in {file}`/etc/pistack/images`, and are kept on the device while this system,
            or one that {option}`pistack.images.keep` counts, may run. Of an image that is not listed
            nothing is kept once no container has it.
          '';
        };
        envSecrets = mkOption {
          type = types.listOf secretName;
          default = [ ];
          example = [ "OPENAI_KEY" ];
          description = ''
            Secrets that are variables of the Compose files, as in `''${OPENAI_KEY}`. Docker keeps
            the environment of a container in its own state on disk: a file, as in
            {option}`pistack.stacks.<name>.secrets`, is in memory only.
          '';
        };
        secrets = mkOption {
          type = types.attrsOf (types.submodule stackSecret);
          default = { };
          example = {
            GRAFANA_ADMIN_PASSWORD = {
              mode = "0400";
              uid = 472;
            };
          };
          description = ''
            Secrets that containers of this stack read as files,
            {file}`/run/pistack/current/stacks/<stack>/<name>` on the device.
          '';
        };
        startTimeout = mkOption {
          type = timeSpan;
          default = "10min";
          example = "30min";
          description = ''
            How long images may take to arrive and containers to become healthy before the stack counts
            as failed, a time span of {manpage}`systemd.time(7)`.
          '';
        };
      };
    };
in
{
  options.pistack = {
    enable = lib.mkEnableOption "secrets and Compose stacks managed by pistack";

    package = mkOption {
      type = types.package;
      example = lib.literalExpression "inputs.pistack.packages.x86_64-linux.pisec-aarch64-linux";
      description = "The package that holds {command}`pisec`.";
    };

    builderPackage = mkOption {
      type = types.package;
      default = cfg.package;
      defaultText = lib.literalExpression "config.pistack.package";
      example = lib.literalExpression "inputs.pistack.packages.x86_64-linux.pisec";
      description = ''
        The package whose {command}`pisec` checks the manifest and the files of the secrets while the
        system is built: one that runs on the machine that builds it. It does not reach the device.
      '';
    };

    host = mkOption {
      type = types.nonEmptyStr;
      default = config.networking.hostName;
      defaultText = lib.literalExpression "config.networking.hostName";
      example = "rpi-box-01";
      description = ''
        Name of this host in the fleet. `pisec install` refuses a secret that was encrypted for a
        host of another name.
      '';
    };

    hostKeys = mkOption {
      type = types.nonEmptyListOf (
        types.strMatching "/.*" // { description = "absolute path on the device"; }
      );
      default = [ "/etc/ssh/ssh_host_ed25519_key" ];
      example = [ "/persist/etc/ssh/ssh_host_ed25519_key" ];
      description = ''
        Private SSH host keys on the device that may open the secrets. Strings, not paths: a key must
        never be copied to the store.
      '';
    };

    secrets = mkOption {
      type = types.attrsOf (types.submodule secret);
      default = { };
      example = lib.literalExpression ''
        {
          OPENAI_KEY = {
            file = ../secrets/OPENAI_KEY.age;
            version = "20261122T223403Z-1f9a2c3d";
          };
        }
      '';
      description = "The secrets of this host, all of which are decrypted at boot and on every change.";
    };

    registries = mkOption {
      type = types.attrsOf secretName;
      default = { };
      example = {
        "docker.io" = "HUB_LOGIN";
        "ghcr.io" = "GHCR_LOGIN";
      };
      description = ''
        Private registries, by host or host:port, or `docker.io`, each with the secret that Docker logs
        in with. The value of the secret is `user:token`. It is in memory only, and a new one restarts
        no container.
      '';
    };

    stacks = mkOption {
      type = types.attrsOf (types.submodule stack);
      default = { };
      example = lib.literalExpression ''
        {
          chat = {
            composeFiles = [ "compose.yaml" ];
            files."compose.yaml" = ../../stacks/chat/compose.yaml;
          };
        }
      '';
      description = "The Compose stacks of this host, each of which is one unit, `pistack-<name>.service`.";
    };

    manifest = mkOption {
      type = types.path;
      readOnly = true;
      example = "/nix/store/…-pistack-manifest.json";
      description = "The manifest of `pisec install` in the store, checked. It holds no plaintext.";
    };
  };
}
